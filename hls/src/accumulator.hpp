// The accumulator memory and the output buffer that mirrors it.
//
// Every write goes through here and puts the low bits of each value into the output buffer at the
// same index, so STORE always sees the accumulator: also after LOAD ACC and after a GEMM reset.
#ifndef VTA_ACCUMULATOR_HPP
#define VTA_ACCUMULATOR_HPP

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

// Where LOAD ACC puts its elements.
struct AccSink {
    AccSram::word_t (*acc_mem)[AccSram::words];
    OutSram::word_t (*out_mem)[OutSram::words];

    void put(const index_t& index, const AccSram::element_t& element) {
        VTA_INLINE
        write_accumulator(acc_mem, out_mem, index, element);
    }
};

// Where LOAD ACC_8BIT puts its elements: each value of an input's width is sign-extended.
struct NarrowAccSink {
    AccSram::word_t (*acc_mem)[AccSram::words];
    OutSram::word_t (*out_mem)[OutSram::words];

    void put(const index_t& index, const InpSram::element_t& element) {
        VTA_INLINE
        AccSram::element_t wide;
    widen_lanes:
        for (int i = 0; i < isa::batch * isa::block; i++) {
            VTA_UNROLL
            wide.set_lane<isa::acc_width>(i, acc_t(element.lane<isa::inp_width>(i)));
        }
        write_accumulator(acc_mem, out_mem, index, wide);
    }
};

// Where other LOADs put theirs.
template <class SramT>
struct SramSink {
    typename SramT::word_t (*memory)[SramT::words];

    void put(const index_t& index, const typename SramT::element_t& element) {
        VTA_INLINE
        SramT::write(memory, index, element);
    }
};

}  // namespace vta

#endif  // VTA_ACCUMULATOR_HPP
