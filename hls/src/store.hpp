// Store: blocks of the output buffer to DRAM.
//
// One loop over the beats of all rows, as in LOAD. A burst is requested in the turn of its first
// beat; up to `bursts_ahead` are under way before the first response is waited for. The last
// responses are waited for at the end, so the token that STORE gives means that DRAM has the data.
#ifndef VTA_STORE_HPP
#define VTA_STORE_HPP

#include "block_load.hpp"
#include "channel.hpp"
#include "status.hpp"

namespace vta {

constexpr int store_port_bits = least(BuildConfig::bus_bits, 8 * isa::out_bytes);
typedef ap_uint<store_port_bits> store_beat_t;

// Returns the turns that the loop took.
template <class Port>
beat_t store_block(Port port, const address_t& base, const Block& block,
                   const OutSram::memory_t out_mem) {
    constexpr int beats = 8 * isa::out_bytes / store_port_bits;  // of an element
    constexpr int word_beats = OutSram::element_t::word_bits / store_port_bits;
    const beat_t first = base / (store_port_bits / 8) + block.dram_base * beats;
    BurstPlan<store_port_bits> plan(first, beat_t(block.x_size) * beats,
                                    beat_t(block.x_stride) * beats, block.y_size);
    beat_t part = 0, left = 0, at = 0, turns = 0;
    ap_uint<8> under_way = 0;
    index_t index = block.sram_base;
    if (block.x_size == 0) return 0;
store_beats:
    while (plan.more() || left != 0) {
        // II=1: a beat in each cycle; an element is read again for each of its beats, which costs
        // nothing and carries nothing.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        if (left == 0) {
            plan.next();
            if (under_way == BuildConfig::bursts_ahead) {
                await_response(port);
                under_way--;
            }
            request_write(port, plan.from, plan.count);
            under_way++;
            left = plan.count;
            at = plan.from;
        }
        const OutSram::element_t element = OutSram::read(out_mem, index);
        const OutSram::word_t word = element.word[part / word_beats];
        const store_beat_t beat = word >> int(part % word_beats * store_port_bits);
        write_beat(port, at, beat);
        at++;
        left--;
        part = part == beats - 1 ? beat_t(0) : beat_t(part + 1);
        if (part == 0) index++;
    }
store_responses:
    while (under_way != 0) {
        await_response(port);
        under_way--;
    }
    return turns;
}

// Executes one instruction of the queue. Padding has no meaning in STORE.
template <class Port>
void store_step(Port port, const address_t& base, Channel<insn_t>& queue,
                Channel<token_t>& from_compute, Channel<token_t>& to_compute,
                const OutSram::memory_t out_mem, Status& status) {
    const insn_t insn = queue.read();
    const Block block = Block::of(insn);
    const ap_uint<34> elements = ap_uint<34>(block.x_size) * block.y_size;
    if (field<isa::Mem::pop_prev_at>(insn)) status.waited += await_token(from_compute);
    if (elements != 0) {
        if (!block.is(MemType::OUT)) {
            status.report(UNKNOWN_MEMORY_TYPE);
        } else if (elements + block.sram_base > OutSram::depth) {
            status.report(SRAM_RANGE);
        } else {
            status.busy += store_block(port, base, block, out_mem);
        }
    }
    if (field<isa::Mem::push_prev_at>(insn)) to_compute.write(1);
    status.insns++;
}

}  // namespace vta

#endif  // VTA_STORE_HPP
