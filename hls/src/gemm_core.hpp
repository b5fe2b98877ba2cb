// The GEMM core: batch x block dot products of `block` terms in one turn.
//
// result[b][c] = sum over k of input[b][k] * weight[c][k]. Rows c and c + 1 of the weight tile
// share input[b][k], so two multiplications take one DSP block where the widths allow it.
#ifndef VTA_GEMM_CORE_HPP
#define VTA_GEMM_CORE_HPP

#include "packed_multiply.hpp"

namespace vta {

typedef ap_int<isa::inp_width> inp_t;
typedef ap_int<isa::wgt_width> wgt_t;
typedef ap_int<isa::acc_width> acc_t;
// A dot product without loss.
typedef ap_int<isa::inp_width + isa::wgt_width + BuildConfig::log_block> dot_t;

// Two rows of the tile at a time, each DSP block giving a product of either.
template <bool Packed>
struct DotPair {
    static constexpr int rows = 2;
    static void compute(const InpSram::element_t& input, const WgtSram::element_t& weight, int b,
                        int c, dot_t dots[rows]) {
        VTA_INLINE
        typedef PackedMultiply<isa::inp_width, isa::wgt_width> multiplier;
        dot_t first = 0, second = 0;
    dot_pair_terms:
        for (int k = 0; k < isa::block; k++) {
            VTA_UNROLL
            typename multiplier::product_t high, low;
            multiplier::multiply(weight.lane<isa::wgt_width>((c + 1) * isa::block + k),
                                 weight.lane<isa::wgt_width>(c * isa::block + k),
                                 input.lane<isa::inp_width>(b * isa::block + k), high, low);
            first += low;
            second += high;
        }
        dots[0] = first;
        dots[1] = second;
    }
};

// One row at a time: other widths, or a tile of one row.
template <>
struct DotPair<false> {
    static constexpr int rows = 1;
    static void compute(const InpSram::element_t& input, const WgtSram::element_t& weight, int b,
                        int c, dot_t dots[rows]) {
        VTA_INLINE
        dot_t sum = 0;
    dot_terms:
        for (int k = 0; k < isa::block; k++) {
            VTA_UNROLL
            sum += weight.lane<isa::wgt_width>(c * isa::block + k) *
                   input.lane<isa::inp_width>(b * isa::block + k);
        }
        dots[0] = sum;
    }
};

struct GemmCore {
    typedef DotPair<PackedMultiply<isa::inp_width, isa::wgt_width>::fits && (isa::block > 1)> Dot;

    // Adds the products to an accumulator, modulo 2^acc_width.
    static AccSram::element_t add_products(const AccSram::element_t& acc,
                                           const InpSram::element_t& input,
                                           const WgtSram::element_t& weight) {
        VTA_INLINE
        AccSram::element_t sum;
    core_rows:
        for (int b = 0; b < isa::batch; b++) {
            VTA_UNROLL
        core_lanes:
            for (int c = 0; c < isa::block; c += Dot::rows) {
                VTA_UNROLL
                dot_t dots[Dot::rows];
                Dot::compute(input, weight, b, c, dots);
            core_dots:
                for (int i = 0; i < Dot::rows; i++) {
                    VTA_UNROLL
                    const int lane = b * isa::block + c + i;
                    sum.set_lane<isa::acc_width>(lane, acc.lane<isa::acc_width>(lane) + dots[i]);
                }
            }
        }
        return sum;
    }
};

}  // namespace vta

#endif  // VTA_GEMM_CORE_HPP
