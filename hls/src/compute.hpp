// Compute: micro-ops and accumulators from DRAM, GEMM and ALU, until FINISH.
#ifndef VTA_COMPUTE_HPP
#define VTA_COMPUTE_HPP

#include "alu.hpp"
#include "gemm.hpp"
#include "load.hpp"

namespace vta {

constexpr int uop_port_bits = least(BuildConfig::bus_bits, 8 * isa::uop_bytes);
// As wide as the bus, or as the narrowest element: that of LOAD ACC_8BIT.
constexpr int acc_port_bits = least(BuildConfig::bus_bits, 8 * isa::inp_bytes);
typedef ap_uint<uop_port_bits> uop_beat_t;
typedef ap_uint<acc_port_bits> acc_beat_t;

template <class UopPort, class AccPort>
void compute_load(const Block& block, UopPort uop_port, const address_t& uop_base, AccPort acc_port,
                  const address_t& acc_base, UopSram::memory_t uop_mem, AccSram::memory_t acc_mem,
                  OutSram::memory_t out_mem, Status& status) {
    if (block.x_size == 0) return;  // moves nothing, whatever its memory type
    const bool to_acc = block.is(MemType::ACC) || block.is(MemType::ACC_8BIT);
    if (!to_acc && !block.is(MemType::UOP)) {
        status.report(UNKNOWN_MEMORY_TYPE);
    } else if (!fits(block, to_acc ? AccSram::depth : UopSram::depth)) {
        status.report(SRAM_RANGE);
    } else if (block.is(MemType::UOP)) {
        SramSink<UopSram> sink = {uop_mem};
        status.busy +=
            load_block<8 * isa::uop_bytes, uop_port_bits>(uop_port, uop_base, block, sink);
    } else if (block.is(MemType::ACC)) {
        AccSink sink = {acc_mem, out_mem};
        status.busy +=
            load_block<8 * isa::acc_bytes, acc_port_bits>(acc_port, acc_base, block, sink);
    } else {
        NarrowAccSink sink = {acc_mem, out_mem};
        status.busy +=
            load_block<8 * isa::inp_bytes, acc_port_bits>(acc_port, acc_base, block, sink);
    }
}

// GEMM and ALU; their loop fields lie at the same bits.
inline void compute_loops(const insn_t& insn, bool gemm, const UopSram::memory_t uop_mem,
                          const InpSram::memory_t inp_mem, const WgtSram::memory_t wgt_mem,
                          AccSram::memory_t acc_mem, OutSram::memory_t out_mem, Status& status) {
    if (field<isa::Gemm::uop_end_at>(insn) > UopSram::depth) {
        status.report(SRAM_RANGE);
    } else if (gemm) {
        status.busy += run_gemm(insn, uop_mem, inp_mem, wgt_mem, acc_mem, out_mem);
    } else if (!is_known(field<isa::Alu::alu_opcode_at>(insn))) {
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
    const bool finish = opcode == ap_uint<3>(static_cast<int>(Opcode::FINISH));
    if (opcode == ap_uint<3>(static_cast<int>(Opcode::LOAD))) {
        compute_load(Block::of(insn), uop_port, uop_base, acc_port, acc_base, uop_mem, acc_mem,
                     out_mem, status);
    } else if (!finish) {
        const bool gemm = opcode == ap_uint<3>(static_cast<int>(Opcode::GEMM));
        compute_loops(insn, gemm, uop_mem, inp_mem, wgt_mem, acc_mem, out_mem, status);
    }
    if (field<isa::Mem::push_prev_at>(insn)) to_load.write(1);
    if (field<isa::Mem::push_next_at>(insn)) to_store.write(1);
    status.insns++;
    return finish;
}

}  // namespace vta

#endif  // VTA_COMPUTE_HPP
