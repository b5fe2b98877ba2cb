// Store: blocks of the output buffer to DRAM.
//
// A row is one request; the adapter cuts it into bursts. Rows that follow each other in memory are
// one row. Responses are taken in a loop of their own, a group of rows late: a response that is
// waited for inside the loop that writes would hold back the data that it answers. The last ones
// are waited for at the end, so the token that STORE gives means that DRAM has the data.
#ifndef VTA_STORE_HPP
#define VTA_STORE_HPP

#include "block.hpp"
#include "channel.hpp"
#include "port.hpp"
#include "status.hpp"

namespace vta {

constexpr int store_port_bits = least(BuildConfig::bus_bits, 8 * isa::out_bytes);
typedef ap_uint<store_port_bits> store_beat_t;

// Where the writing of a block stands.
struct BlockWriter {
    static constexpr int beats = 8 * isa::out_bytes / store_port_bits;  // of an element
    static constexpr int word_beats = OutSram::element_t::word_bits / store_port_bits;
    ap_uint<16> rows;         // not requested yet
    beat_t row, row_beats;    // first beat of the next row, beats of a row
    beat_t stride, at, left;  // beats between row starts, next beat to write, beats of this row
    beat_t part;              // beats of the element that are written
    index_t index;

    BlockWriter(const address_t& base, const Block& block)
        : rows(block.y_size),
          row(base / (store_port_bits / 8) + block.dram_base * beats),
          row_beats(beat_t(block.x_size) * beats),
          stride(beat_t(block.x_stride) * beats),
          at(row),
          left(0),
          part(0),
          index(block.sram_base) {
        if (block.x_stride == block.x_size) {
            row_beats = beat_t(block.x_size) * block.y_size * beats;
            rows = 1;
        }
    }
    // A turn between rows.
    template <class Port>
    void request(Port port) {
        VTA_INLINE
        request_write(port, row, row_beats);
        at = row;
        left = row_beats;
        row += stride;
        rows--;
    }
    // A turn in a row. The element is read again for each of its beats: that costs nothing and
    // carries nothing.
    template <class Port>
    void write(Port port, const OutSram::memory_t out_mem) {
        VTA_INLINE
        const OutSram::element_t element = OutSram::read(out_mem, index);
        const OutSram::word_t word = element.word[part / word_beats];
        write_beat(port, at, store_beat_t(word >> int(part % word_beats * store_port_bits)));
        at++;
        left--;
        const bool whole = part == beats - 1;
        part = whole ? beat_t(0) : beat_t(part + 1);
        if (whole) index++;
    }
};

template <class Port>
void await_responses(Port port, const ap_uint<8>& count) {
    VTA_INLINE
await_turns:
    for (ap_uint<8> i = 0; i != count; i++) {
        // II=1: responses that are here already take a cycle each.
        VTA_PIPELINE(1)
        await_response(port);
    }
}

// Returns the turns that the loop took.
template <class Port>
beat_t store_block(Port port, const address_t& base, const Block& block,
                   const OutSram::memory_t out_mem) {
    VTA_NO_INLINE
    BlockWriter writer(base, block);
    beat_t turns = 0;
    ap_uint<8> owed = 0;  // responses to the rows of the group before
store_groups:
    while (writer.rows != 0) {
        ap_uint<8> requested = 0;
    store_beats:
        while (writer.left != 0 || (writer.rows != 0 && requested != BuildConfig::rows_ahead)) {
            // II=1: a beat in each cycle, and one for the request of each row.
            VTA_PIPELINE(1)
            VTA_STEP();
            turns++;
            if (writer.left == 0) {
                writer.request(port);
                requested++;
            } else {
                writer.write(port, out_mem);
            }
        }
        await_responses(port, owed);
        owed = requested;
    }
    await_responses(port, owed);
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
