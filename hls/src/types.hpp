// Words that travel: instructions, tokens, elements in SRAM, and the lanes inside an element.
#ifndef VTA_TYPES_HPP
#define VTA_TYPES_HPP

#include <ap_int.h>

#include "config.hpp"
#include "pragmas.hpp"

namespace vta {

typedef ap_uint<8 * insn_bytes> insn_t;
typedef ap_uint<1> token_t;
typedef ap_uint<32> uop_t;
// SRAM indices: no buffer has more than 2^16 elements, sums are taken modulo the depth.
typedef ap_uint<16> index_t;
typedef ap_uint<32> beat_t;     // number or address of a bus beat
typedef ap_uint<32> address_t;  // byte address

constexpr int least(int a, int b) { return a < b ? a : b; }

// A field of an instruction; 0 where it has no bits in this configuration.
template <class Place, bool Present = (Place::bits > 0)>
struct Field {
    typedef ap_uint<Place::bits> type;
    static type of(const insn_t& insn) {
        VTA_INLINE
        return insn.range(Place::high, Place::low);
    }
};

template <class Place>
struct Field<Place, false> {
    typedef ap_uint<1> type;
    static type of(const insn_t&) { return 0; }
};

template <class Place>
typename Field<Place>::type field(const insn_t& insn) {
    VTA_INLINE
    return Field<Place>::of(insn);
}

inline bool is(const ap_uint<3>& opcode, Opcode which) {
    VTA_INLINE
    return opcode == ap_uint<3>(static_cast<int>(which));
}

// An element of `Bits` bits as one or more words of a bank's width, the first one lowest.
template <int Bits>
struct Element {
    static constexpr int bits = Bits;
    static constexpr int word_bits = least(Bits, BuildConfig::bank_bits);
    static constexpr int words = Bits / word_bits;
    typedef ap_uint<word_bits> word_t;
    word_t word[words];

    // Registers: every word is used in every turn.
    Element() { VTA_PARTITION(word, 1) }
    static Element zero() {
        VTA_INLINE
        Element element;
    zero_words:
        for (int i = 0; i < words; i++) {
            VTA_UNROLL
            element.word[i] = 0;
        }
        return element;
    }
    // Value `number` of `Width` bits each, as DRAM has them: the first one lowest.
    template <int Width>
    ap_int<Width> lane(int number) const {
        VTA_INLINE
        const int low = number * Width;
        return ap_int<Width>(
            word[low / word_bits].range(low % word_bits + Width - 1, low % word_bits));
    }
    template <int Width>
    void set_lane(int number, const ap_int<Width>& value) {
        VTA_INLINE
        const int low = number * Width;
        word[low / word_bits].range(low % word_bits + Width - 1, low % word_bits) =
            ap_uint<Width>(value);
    }
};

// The memories of a buffer: one for each word of an element, so an element is read in one cycle.
template <class WordT, int Depth, int Words>
struct Banks {
    typedef WordT memory_t[Depth][Words];

    static WordT get(const memory_t memory, const ap_uint<16>& index, int bank) {
        VTA_INLINE
        return memory[index][bank];
    }
    static void put(memory_t memory, const ap_uint<16>& index, int bank, const WordT& word) {
        VTA_INLINE
        memory[index][bank] = word;
    }
};

template <class WordT, int Depth>
struct Banks<WordT, Depth, 1> {
    typedef WordT memory_t[Depth];

    static WordT get(const memory_t memory, const ap_uint<16>& index, int) {
        VTA_INLINE
        return memory[index];
    }
    static void put(memory_t memory, const ap_uint<16>& index, int, const WordT& word) {
        VTA_INLINE
        memory[index] = word;
    }
};

// A buffer of 2^LogDepth elements. Indices wrap at the depth, as an address bus of LogDepth bits
// does.
template <int Bits, int LogDepth>
struct Sram {
    typedef Element<Bits> element_t;
    typedef typename element_t::word_t word_t;
    static constexpr int depth = 1 << LogDepth;
    static constexpr int words = element_t::words;
    typedef Banks<word_t, depth, words> banks;
    typedef typename banks::memory_t memory_t;

    static index_t wrap(const index_t& index) {
        VTA_INLINE
        return index & index_t(depth - 1);
    }
    static element_t read(const memory_t memory, const index_t& index) {
        VTA_INLINE
        element_t element;
    read_words:
        for (int i = 0; i < words; i++) {
            VTA_UNROLL
            element.word[i] = banks::get(memory, wrap(index), i);
        }
        return element;
    }
    static void write(memory_t memory, const index_t& index, const element_t& element) {
        VTA_INLINE
    write_words:
        for (int i = 0; i < words; i++) {
            VTA_UNROLL
            banks::put(memory, wrap(index), i, element.word[i]);
        }
    }
};

typedef Isa<BuildConfig> isa;
typedef Sram<8 * isa::inp_bytes, isa::log_inp_depth> InpSram;
typedef Sram<8 * isa::wgt_bytes, isa::log_wgt_depth> WgtSram;
typedef Sram<8 * isa::acc_bytes, isa::log_acc_depth> AccSram;
typedef Sram<8 * isa::out_bytes, isa::log_acc_depth> OutSram;
typedef Sram<8 * isa::uop_bytes, isa::log_uop_depth> UopSram;

}  // namespace vta

#endif  // VTA_TYPES_HPP
