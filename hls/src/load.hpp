// Load: inputs and weights from DRAM into the buffers that compute reads.
#ifndef VTA_LOAD_HPP
#define VTA_LOAD_HPP

#include "block_reader.hpp"
#include "channel.hpp"
#include "status.hpp"

namespace vta {

// Both ports are as wide as the bus, or as the smaller element.
constexpr int load_port_bits =
    least(BuildConfig::bus_bits, least(8 * isa::inp_bytes, 8 * isa::wgt_bytes));
typedef ap_uint<load_port_bits> load_beat_t;

// Executes one instruction of the queue.
template <class Port>
void load_step(Port inp_port, const address_t& inp_base, Port wgt_port, const address_t& wgt_base,
               Channel<insn_t>& queue, Channel<token_t>& from_compute, Channel<token_t>& to_compute,
               InpSram::memory_t inp_mem, WgtSram::memory_t wgt_mem, Status& status) {
    const insn_t insn = queue.read();
    const Block block = Block::of(insn);
    if (field<isa::Mem::pop_next_at>(insn)) status.waited += await_token(from_compute);
    if (block.is(MemType::INP) && block.fits(InpSram::depth)) {
        status.busy += load_block<InpSram, load_port_bits>(inp_port, inp_base, block, inp_mem);
    } else if (block.is(MemType::WGT) && block.fits(WgtSram::depth)) {
        status.busy += load_block<WgtSram, load_port_bits>(wgt_port, wgt_base, block, wgt_mem);
    } else {
        status.report(SRAM_RANGE);
    }
    if (field<isa::Mem::push_next_at>(insn)) to_compute.write(1);
    status.insns++;
}

}  // namespace vta

#endif  // VTA_LOAD_HPP
