// Compute: micro-ops and accumulators from DRAM, GEMM and ALU, until FINISH.
#ifndef VTA_COMPUTE_HPP
#define VTA_COMPUTE_HPP

#include "alu.hpp"
#include "channel.hpp"
#include "gemm.hpp"
#include "status.hpp"

namespace vta {

constexpr int uop_port_bits = least(BuildConfig::bus_bits, 8 * isa::uop_bytes);
// Values of LOAD ACC_8BIT; without it, none narrower than the others are loaded.
constexpr int narrow_width = BuildConfig::has_acc8 ? isa::inp_width : isa::acc_width;
// As wide as the bus, or as the narrowest element.
constexpr int acc_port_bits = least(BuildConfig::bus_bits, narrow_width* isa::batch* isa::block);
typedef ap_uint<uop_port_bits> uop_beat_t;
typedef ap_uint<acc_port_bits> acc_beat_t;

template <class UopPort, class AccPort>
void compute_load(const Block& block, UopPort uop_port, const address_t& uop_base, AccPort acc_port,
                  const address_t& acc_base, UopSram::memory_t uop_mem, AccSram::memory_t acc_mem,
                  OutSram::memory_t out_mem, Status& status) {
    VTA_INLINE
    if (block.x_size == 0) return;  // moves nothing, whatever its memory type
    const bool narrow = BuildConfig::has_acc8 && block.is(MemType::ACC_8BIT);
    const bool to_acc = block.is(MemType::ACC) || narrow;
    if (!to_acc && !block.is(MemType::UOP)) {
        status.report(UNKNOWN_MEMORY_TYPE);
    } else if (!block.fits(to_acc ? AccSram::depth : UopSram::depth)) {
        status.report(SRAM_RANGE);
    } else if (!to_acc) {
        status.busy += load_block<UopSram, uop_port_bits>(uop_port, uop_base, block, uop_mem);
    } else if (!narrow) {
        status.busy += load_accumulators<isa::acc_width, acc_port_bits>(acc_port, acc_base, block,
                                                                        acc_mem, out_mem);
    } else {
        status.busy += load_accumulators<narrow_width, acc_port_bits>(acc_port, acc_base, block,
                                                                      acc_mem, out_mem);
    }
}

// GEMM, ALU and REQUANT; the bounds of their micro-ops lie at the same bits.
inline void compute_loops(const insn_t& insn, const ap_uint<3>& opcode,
                          const UopSram::memory_t uop_mem, const InpSram::memory_t inp_mem,
                          const WgtSram::memory_t wgt_mem, AccSram::memory_t acc_mem,
                          OutSram::memory_t out_mem, Status& status) {
    VTA_INLINE
    if (field<isa::Gemm::uop_end_at>(insn) > UopSram::depth) {
        status.report(SRAM_RANGE);
    } else if (is(opcode, Opcode::GEMM)) {
        status.busy += run_gemm(insn, uop_mem, inp_mem, wgt_mem, acc_mem, out_mem);
    } else if (is(opcode, Opcode::ALU) && !is_known(field<isa::Alu::alu_opcode_at>(insn))) {
        status.report(UNKNOWN_ALU_OP);
    } else {
        status.busy += run_alu(insn, uop_mem, acc_mem, out_mem);
    }
}

// Executes one instruction of the queue; true after FINISH.
template <class UopPort, class AccPort>
bool compute_step(UopPort uop_port, const address_t& uop_base, AccPort acc_port,
                  const address_t& acc_base, Channel<insn_t>& queue, Channel<token_t>& from_load,
                  Channel<token_t>& to_load, Channel<token_t>& from_store,
                  Channel<token_t>& to_store, UopSram::memory_t uop_mem,
                  const InpSram::memory_t inp_mem, const WgtSram::memory_t wgt_mem,
                  AccSram::memory_t acc_mem, OutSram::memory_t out_mem, Status& status) {
    const insn_t insn = queue.read();
    const ap_uint<3> opcode = field<isa::Mem::opcode_at>(insn);
    if (field<isa::Mem::pop_prev_at>(insn)) status.waited += await_token(from_load);
    if (field<isa::Mem::pop_next_at>(insn)) status.waited += await_token(from_store);
    const bool finish = is(opcode, Opcode::FINISH);
    if (is(opcode, Opcode::LOAD)) {
        compute_load(Block::of(insn), uop_port, uop_base, acc_port, acc_base, uop_mem, acc_mem,
                     out_mem, status);
    } else if (!finish) {
        compute_loops(insn, opcode, uop_mem, inp_mem, wgt_mem, acc_mem, out_mem, status);
    }
    if (field<isa::Mem::push_prev_at>(insn)) to_load.write(1);
    if (field<isa::Mem::push_next_at>(insn)) to_store.write(1);
    status.insns++;
    return finish;
}

}  // namespace vta

#endif  // VTA_COMPUTE_HPP
