// LOAD: a padded two-dimensional block from DRAM into consecutive SRAM elements.
//
// One loop over the beats of all rows. Requests run ahead of the data by up to `bursts_ahead`
// bursts, across rows, so a block pays the memory latency once; padding is written while the first
// data travel. An element goes to SRAM whole, in the turn of its last beat, so a beat takes one
// cycle whatever the element's size.
#ifndef VTA_BLOCK_LOAD_HPP
#define VTA_BLOCK_LOAD_HPP

#include "burst_plan.hpp"
#include "port.hpp"

namespace vta {

// What LOAD and STORE say, beside their dependency flags.
struct Block {
    ap_uint<3> memory_type;
    index_t sram_base;
    beat_t dram_base;
    ap_uint<16> y_size, x_size, x_stride;
    ap_uint<4> y_pad_0, y_pad_1, x_pad_0, x_pad_1;

    static Block of(const insn_t& insn) {
        VTA_INLINE
        Block block;
        block.memory_type = field<isa::Mem::memory_type_at>(insn);
        block.sram_base = field<isa::Mem::sram_base_at>(insn);
        block.dram_base = field<isa::Mem::dram_base_at>(insn);
        block.y_size = field<isa::Mem::y_size_at>(insn);
        block.x_size = field<isa::Mem::x_size_at>(insn);
        block.x_stride = field<isa::Mem::x_stride_at>(insn);
        block.y_pad_0 = field<isa::Mem::y_pad_0_at>(insn);
        block.y_pad_1 = field<isa::Mem::y_pad_1_at>(insn);
        block.x_pad_0 = field<isa::Mem::x_pad_0_at>(insn);
        block.x_pad_1 = field<isa::Mem::x_pad_1_at>(insn);
        return block;
    }
    bool is(MemType type) const {
        VTA_INLINE
        return memory_type == ap_uint<3>(static_cast<int>(type));
    }
    // Elements in SRAM; more than the buffer has is an error of the program.
    ap_uint<34> elements() const {
        VTA_INLINE
        if (x_size == 0) return 0;
        const ap_uint<17> width = ap_uint<17>(x_pad_0) + x_size + x_pad_1;
        const ap_uint<17> height = ap_uint<17>(y_pad_0) + y_size + y_pad_1;
        return ap_uint<34>(width) * height;
    }
};

// Shifts a beat into word `number` of an element, the first one lowest; `clear` makes all zero.
template <int BeatBits, class ElementT>
void append_beat(ElementT& element, beat_t number, const ap_uint<BeatBits>& beat, bool clear) {
    VTA_INLINE
    typedef typename ElementT::word_t word_t;
append_words:
    for (int i = 0; i < ElementT::words; i++) {
        VTA_UNROLL
        if (clear) {
            element.word[i] = 0;
        } else if (number == beat_t(i)) {
            word_t word = beat;
            if (ElementT::word_bits > BeatBits) {
                constexpr int rest = ElementT::word_bits - BeatBits;
                word = (element.word[i] >> BeatBits) | (word << rest);
            }
            element.word[i] = word;
        }
    }
}

// `sink.put(index, element)` takes elements of `Bits` bits; beats have `BeatBits` bits, and `base`
// must be a multiple of a beat. Returns
// the turns that the loop took.
template <int Bits, int BeatBits, class Port, class Sink>
beat_t load_block(Port port, const address_t& base, const Block& block, Sink& sink) {
    typedef ap_uint<BeatBits> beat_word_t;
    typedef Element<Bits> element_t;
    constexpr int beats = Bits / BeatBits;  // of an element
    constexpr int word_bits = element_t::word_bits;
    constexpr int word_beats = word_bits / BeatBits;
    static_assert(beats >= 1 && word_beats >= 1, "a beat must not be wider than an element");

    const ap_uint<17> rows = ap_uint<17>(block.y_pad_0) + block.y_size + block.y_pad_1;
    const ap_uint<17> columns = ap_uint<17>(block.x_pad_0) + block.x_size + block.x_pad_1;
    const ap_uint<17> bottom = ap_uint<17>(block.y_pad_0) + block.y_size;
    const ap_uint<17> right = ap_uint<17>(block.x_pad_0) + block.x_size;
    const beat_t first = base / (BeatBits / 8) + block.dram_base * beats;
    BurstPlan<BeatBits> plan(first, beat_t(block.x_size) * beats, beat_t(block.x_stride) * beats,
                             block.y_size);
    ap_uint<17> row = 0, column = 0;
    beat_t part = 0, row_at = first, at = row_at;
    beat_t requested = 0, taken = 0;  // beats
    ap_uint<8> ahead = 0;             // bursts requested and not taken to their end
    beat_t burst_ends[BuildConfig::bursts_ahead];
    VTA_PARTITION(burst_ends, 1)
    ap_uint<8> newest = 0, oldest = 0;
    bool flowing = false;
    index_t index = block.sram_base;
    element_t element;
    VTA_PARTITION(element.word, 1)
    beat_t turns = 0;

    if (block.x_size == 0) return 0;
load_beats:
    while (row != rows) {
        // II=1: a beat, or a padding element, in each cycle. All that is carried from turn to turn
        // are counters and the element's shift register.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        if (plan.more() && ahead != BuildConfig::bursts_ahead) {
            plan.next();
            request_read(port, plan.from, plan.count);
            requested += plan.count;
            burst_ends[newest] = requested;
            newest =
                newest == BuildConfig::bursts_ahead - 1 ? ap_uint<8>(0) : ap_uint<8>(newest + 1);
            ahead++;
        }
        // Taking waits for data; before that, as many bursts as possible are on their way.
        flowing = flowing || !plan.more() || ahead == BuildConfig::bursts_ahead;
        const bool pad =
            row < block.y_pad_0 || row >= bottom || column < block.x_pad_0 || column >= right;
        if (!pad && !flowing) continue;
        beat_word_t word = 0;
        if (!pad) {
            word = read_beat<beat_word_t>(port, at);
            at++;
            taken++;
            if (taken == burst_ends[oldest]) {
                ahead--;
                oldest = oldest == BuildConfig::bursts_ahead - 1 ? ap_uint<8>(0)
                                                                 : ap_uint<8>(oldest + 1);
            }
        }
        append_beat<BeatBits>(element, part / word_beats, word, pad);
        if (pad || part == beats - 1) {
            sink.put(index, element);
            index++;
            part = 0;
            column++;
            if (column == columns) {
                column = 0;
                if (row >= block.y_pad_0 && row < bottom) {
                    row_at += plan.stride;
                    at = row_at;
                }
                row++;
            }
        } else {
            part++;
        }
    }
    return turns;
}

}  // namespace vta

#endif  // VTA_BLOCK_LOAD_HPP
