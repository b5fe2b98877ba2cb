// LOAD: the rows of a block from DRAM, as elements for consecutive places of an SRAM.
//
// One loop over the beats of all rows. Requests run ahead of the data by up to `bursts_ahead`
// bursts, across rows, so a block pays the memory latency once. An element goes to SRAM whole, in
// the turn of its last beat, so a beat takes one cycle whatever the element's size. The loops
// themselves stand where the SRAM is an argument: an array that a structure points to is what
// synthesis tools refuse.
#ifndef VTA_BLOCK_READER_HPP
#define VTA_BLOCK_READER_HPP

#include "block.hpp"
#include "burst_plan.hpp"
#include "port.hpp"

namespace vta {

// Elements of `Bits` bits in beats of `BeatBits`; a base pointer is a multiple of a beat.
template <int Bits, int BeatBits>
struct BlockReader {
    typedef ap_uint<BeatBits> beat_word_t;
    typedef Element<Bits> element_t;
    typedef typename element_t::word_t word_t;
    static constexpr int beats = Bits / BeatBits;  // of an element
    static constexpr int word_beats = element_t::word_bits / BeatBits;
    static constexpr int most = BuildConfig::burst_beats;
    static constexpr int run_up = 2 * BuildConfig::bursts_ahead;  // turns: a burst takes two
    static_assert(beats >= 1 && word_beats >= 1, "a beat must not be wider than an element");

    BurstPlan<BeatBits> plan;
    ap_uint<16> credit;        // beats that may be requested before others are taken
    beat_t at, row, stride;    // beat to take, first beat of its row, beats between row starts
    beat_t part;               // beats of the element that are here
    ap_uint<17> column, rows;  // elements left in the row, rows left
    ap_uint<16> columns, gap;  // elements of a row, places between two rows in SRAM
    index_t index;             // place of `element`
    element_t element;

    BlockReader(const address_t& base, const Block& block)
        : plan(base / (BeatBits / 8) + block.dram_base * beats, beat_t(block.x_size) * beats,
               beat_t(block.x_stride) * beats, block.y_size),
          credit(BuildConfig::bursts_ahead * most),
          at(plan.row),
          row(plan.row),
          stride(plan.stride),
          part(0),
          column(block.x_size),
          rows(block.y_size),
          columns(block.x_size),
          gap(ap_uint<16>(block.x_pad_0) + block.x_pad_1),
          index(block.sram_base + block.y_pad_0 * block.width() + block.x_pad_0) {}

    bool more() const {
        VTA_INLINE
        return rows != 0;
    }
    // Requests a burst in every other turn while there is credit.
    template <class Port>
    void request(Port port) {
        VTA_INLINE
        if (plan.ready) {
            request_read(port, plan.from, beat_t(plan.count));
            credit -= plan.count;
            plan.advance();
        } else if (plan.more() && credit >= most) {
            plan.size();
        }
    }
    // Requests what runs ahead of the data; returns the turns.
    template <class Port>
    beat_t run_ahead(Port port) {
        VTA_INLINE
        beat_t turns = 0;
    run_ahead_turns:
        while (plan.more() && turns != run_up) {
            // II=1: requests of all rows are on their way before the first data come.
            VTA_PIPELINE(1)
            request(port);
            turns++;
        }
        return turns;
    }
    // Takes a beat; true where it makes `element` whole.
    template <class Port>
    bool take(Port port) {
        VTA_INLINE
        append(read_beat<beat_word_t>(port, at));
        credit++;
        at++;
        const bool whole = part == beats - 1;
        part = whole ? beat_t(0) : beat_t(part + 1);
        return whole;
    }
    // On to the next element, after its last beat was taken.
    void next() {
        VTA_INLINE
        if (column == 1) {
            index += gap + 1;
            column = columns;
            row += stride;
            at = row;
            rows--;
        } else {
            index++;
            column--;
        }
    }

 private:
    // Shifts a beat into its word, the first one lowest.
    void append(const beat_word_t& beat) {
        VTA_INLINE
    append_words:
        for (int i = 0; i < element_t::words; i++) {
            VTA_UNROLL
            if (part / word_beats == beat_t(i)) {
                word_t word = beat;
                if (word_beats > 1) {
                    constexpr int rest = element_t::word_bits - BeatBits;
                    word = (element.word[i] >> (word_beats > 1 ? BeatBits : 0)) | (word << rest);
                }
                element.word[i] = word;
            }
        }
    }
};

// Fills places of one SRAM. Returns the turns of the loops.
template <class SramT, int BeatBits, class Port>
beat_t load_block(Port port, const address_t& base, const Block& block,
                  typename SramT::memory_t memory) {
    VTA_NO_INLINE
    if (block.x_size == 0) return 0;
    BlockReader<SramT::element_t::bits, BeatBits> reader(base, block);
    Padding padding(block);
    beat_t turns = reader.run_ahead(port);
load_padding:
    while (padding.more()) {
        // II=1: a zero in each cycle, while the first data travel.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        SramT::write(memory, padding.index, SramT::element_t::zero());
        padding.next();
    }
load_beats:
    while (reader.more()) {
        // II=1: a beat in each cycle. Carried from turn to turn are counters and the element's
        // shift register.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        reader.request(port);
        if (reader.take(port)) {
            SramT::write(memory, reader.index, reader.element);
            reader.next();
        }
    }
    return turns;
}

}  // namespace vta

#endif  // VTA_BLOCK_READER_HPP
