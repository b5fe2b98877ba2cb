// The configuration of one build, from macros of the compiler's command line.
//
// The nine primary numbers have no default: a build that forgets one must not compile. What
// follows them are properties of this design that the instruction set does not see.
#ifndef VTA_CONFIG_HPP
#define VTA_CONFIG_HPP

#include "../generated/vta_isa.hpp"

// Width of the AXI data ports in bits; a port is never wider than the element it moves.
#ifndef VTA_BUS_BITS
#define VTA_BUS_BITS 64
#endif
// 0 leaves the multiplier of ALU MUL out: three to four DSP blocks a lane.
#ifndef VTA_ALU_MUL
#define VTA_ALU_MUL 1
#endif
// Longest AXI burst in beats: 16 is what the AXI3 ports of Zynq-7000 take unsplit.
#ifndef VTA_BURST_BEATS
#define VTA_BURST_BEATS 16
#endif
// Beats that a test bench allocates behind a memory port; cosimulation wants to know, hardware does
// not.
#define VTA_PORT_BEATS 1048576
// Bursts that a mover requests before it takes the first beat: 8 of 16 beats hide a latency of 128
// cycles.
#define VTA_BURSTS_AHEAD 8
// Turns of the GEMM loop from the write of an accumulator to the first read from memory that must
// see it; results younger than that are forwarded from registers. Macros, because a pragma takes
// them.
#define VTA_GEMM_DISTANCE 5
// The same for the ALU, where an interlock waits instead: read 2, multiply 3, select and write 2,
// and one to spare. A tool whose pipeline is longer says that it cannot hold the distance.
#define VTA_ALU_DISTANCE 8

namespace vta {

struct BuildConfig {
    static constexpr int log_inp_width = VTA_LOG_INP_WIDTH;
    static constexpr int log_wgt_width = VTA_LOG_WGT_WIDTH;
    static constexpr int log_acc_width = VTA_LOG_ACC_WIDTH;
    static constexpr int log_batch = VTA_LOG_BATCH;
    static constexpr int log_block = VTA_LOG_BLOCK;
    static constexpr int log_uop_buff_size = VTA_LOG_UOP_BUFF_SIZE;
    static constexpr int log_inp_buff_size = VTA_LOG_INP_BUFF_SIZE;
    static constexpr int log_wgt_buff_size = VTA_LOG_WGT_BUFF_SIZE;
    static constexpr int log_acc_buff_size = VTA_LOG_ACC_BUFF_SIZE;

    static constexpr bool has_mul = VTA_ALU_MUL != 0;
    static constexpr int bus_bits = VTA_BUS_BITS;
    static constexpr int burst_beats = VTA_BURST_BEATS;
    static constexpr int bursts_ahead = VTA_BURSTS_AHEAD;
    static constexpr int gemm_distance = VTA_GEMM_DISTANCE;
    static constexpr int alu_distance = VTA_ALU_DISTANCE;
    // Widest word of an SRAM bank: the limit of the block memory generator's ports.
    static constexpr int bank_bits = 1024;
};

}  // namespace vta

#endif  // VTA_CONFIG_HPP
