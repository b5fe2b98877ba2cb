// The accumulator memory and the output buffer that mirrors it.
//
// Every write goes through here and puts the low bits of each value into the output buffer at the
// same index, so STORE always sees the accumulator: also after LOAD ACC and after a GEMM reset.
#ifndef VTA_ACCUMULATOR_HPP
#define VTA_ACCUMULATOR_HPP

#include "block_reader.hpp"
#include "gemm_core.hpp"

namespace vta {

inline void write_accumulator(AccSram::memory_t acc_mem, OutSram::memory_t out_mem,
                              const index_t& index, const AccSram::element_t& acc) {
    VTA_INLINE
    OutSram::element_t out;
mirror_lanes:
    for (int i = 0; i < isa::batch * isa::block; i++) {
        VTA_UNROLL
        out.set_lane<isa::out_width>(i, ap_int<isa::out_width>(acc.lane<isa::acc_width>(i)));
    }
    AccSram::write(acc_mem, index, acc);
    OutSram::write(out_mem, index, out);
}

// Values of `Width` bits, sign-extended.
template <int Width>
AccSram::element_t widen(const Element<Width * isa::batch * isa::block>& element) {
    VTA_INLINE
    AccSram::element_t wide;
widen_lanes:
    for (int i = 0; i < isa::batch * isa::block; i++) {
        VTA_UNROLL
        wide.set_lane<isa::acc_width>(i, acc_t(element.template lane<Width>(i)));
    }
    return wide;
}

// LOAD ACC and ACC_8BIT: values of `Width` bits. Returns the turns of the loops.
template <int Width, int BeatBits, class Port>
beat_t load_accumulators(Port port, const address_t& base, const Block& block,
                         AccSram::memory_t acc_mem, OutSram::memory_t out_mem) {
    VTA_NO_INLINE
    if (block.x_size == 0) return 0;
    BlockReader<Width * isa::batch * isa::block, BeatBits> reader(base, block);
    Padding padding(block);
    beat_t turns = reader.run_ahead(port);
acc_padding:
    while (padding.more()) {
        // II=1, as in `load_block`.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        write_accumulator(acc_mem, out_mem, padding.index, AccSram::element_t::zero());
        padding.next();
    }
acc_beats:
    while (reader.more()) {
        // II=1, as in `load_block`; widening and mirroring are wires.
        VTA_PIPELINE(1)
        VTA_STEP();
        turns++;
        reader.request(port);
        if (reader.take(port)) {
            write_accumulator(acc_mem, out_mem, reader.index, widen<Width>(reader.element));
            reader.next();
        }
    }
    return turns;
}

}  // namespace vta

#endif  // VTA_ACCUMULATOR_HPP
