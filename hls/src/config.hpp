// The configuration of one build, from macros of the compiler's command line.
//
// The nine primary numbers and the three optional operations have no default: a build that forgets
// one must not compile. `vta_pynq.hls_macros` gives all of them. What follows are properties of
// this design that the instruction set does not see.
#ifndef VTA_CONFIG_HPP
#define VTA_CONFIG_HPP

#include "../generated/vta_isa.hpp"

#if !defined(VTA_ALU_MUL) || !defined(VTA_ALU_REQUANT) || !defined(VTA_LOAD_ACC8)
#error "VTA_ALU_MUL, VTA_ALU_REQUANT and VTA_LOAD_ACC8 must be 0 or 1: see vta_pynq.hls_macros"
#endif
// Width of the AXI data ports in bits; a port is never wider than the element it moves.
#ifndef VTA_BUS_BITS
#define VTA_BUS_BITS 64
#endif
// Longest AXI burst in beats: 16 is what the AXI3 ports of Zynq-7000 take unsplit.
#ifndef VTA_BURST_BEATS
#define VTA_BURST_BEATS 16
#endif
// Beats that a test bench allocates behind a memory port; cosimulation wants to know, hardware does
// not.
#ifndef VTA_PORT_BEATS
#define VTA_PORT_BEATS 1048576
#endif
// Bursts that a mover requests before it takes the first beat: 8 of 16 beats hide a latency of 128
// cycles.
#define VTA_BURSTS_AHEAD 8
// Bursts that the adapter of a read port keeps room for. Twice as many, because a request and the
// beats it makes room for are stages of one pipeline: the beats that are counted as taken may still
// be some cycles away from being so. 16 bursts of 16 x 64 bits are half a RAMB36; 8 take one too.
#define VTA_READS_OUTSTANDING 16
// Rows that STORE writes before it waits for responses, and the adapter's room: one group is
// written while the responses of the one before arrive.
#define VTA_ROWS_AHEAD 16
#define VTA_WRITES_OUTSTANDING 32
// Turns of the GEMM loop from the write of an accumulator to the first read from memory that must
// see it; results younger than that are forwarded from registers. Macros, because a pragma takes
// them.
#define VTA_GEMM_DISTANCE 5
// The same for the ALU, where a drain waits instead: read 1, multiply 3, shift 1, select and write
// 2, and one to spare. REQUANT has an addition before the product, and rounding and clip behind it.
// A tool whose pipeline is longer says that it cannot hold the distance.
#if VTA_ALU_REQUANT
#define VTA_ALU_DISTANCE 12
#else
#define VTA_ALU_DISTANCE 8
#endif

// Widest word of an SRAM bank: 1024 bits, the limit of a block memory's port in a block design and
// of an `ap_uint` as the headers come. Elements that are wider lie in several banks, which are the
// second dimension of their array; one bank is an array of one dimension, so its port has the plain
// name of the argument.
#define VTA_LOG_BANK_BITS 10
#if VTA_LOG_BATCH + VTA_LOG_BLOCK + VTA_LOG_INP_WIDTH > VTA_LOG_BANK_BITS
#define VTA_INP_BANKS(array) VTA_PARTITION(array, 2)
#define VTA_OUT_BANKS(array) VTA_PARTITION(array, 2)
#else
#define VTA_INP_BANKS(array)
#define VTA_OUT_BANKS(array)
#endif
#if 2 * VTA_LOG_BLOCK + VTA_LOG_WGT_WIDTH > VTA_LOG_BANK_BITS
#define VTA_WGT_BANKS(array) VTA_PARTITION(array, 2)
#else
#define VTA_WGT_BANKS(array)
#endif
#if VTA_LOG_BATCH + VTA_LOG_BLOCK + VTA_LOG_ACC_WIDTH > VTA_LOG_BANK_BITS
#define VTA_ACC_BANKS(array) VTA_PARTITION(array, 2)
#else
#define VTA_ACC_BANKS(array)
#endif

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
    static constexpr bool has_requant = VTA_ALU_REQUANT != 0;
    static constexpr bool has_acc8 = VTA_LOAD_ACC8 != 0;
    static constexpr int bus_bits = VTA_BUS_BITS;
    static constexpr int burst_beats = VTA_BURST_BEATS;
    static constexpr int bursts_ahead = VTA_BURSTS_AHEAD;
    static constexpr int rows_ahead = VTA_ROWS_AHEAD;
    static constexpr int gemm_distance = VTA_GEMM_DISTANCE;
    static constexpr int alu_distance = VTA_ALU_DISTANCE;
    static constexpr int bank_bits = 1 << VTA_LOG_BANK_BITS;

    static_assert((burst_beats & (burst_beats - 1)) == 0,
                  "bursts end at multiples of their length");
};

}  // namespace vta

#endif  // VTA_CONFIG_HPP
