// Two products that share an operand, from one multiplier of a DSP48E1 (25 x 18 bits).
//
//   (high * 2^n + low) * shared = (high * shared) * 2^n + low * shared,  n = bits of a product
//
// The low n bits are low * shared exactly. Above them stands high * shared, less 1 where
// low * shared is negative (its sign extension borrows): adding its sign bit puts that right.
// n + bits(high) + 1 must fit the 25-bit port: 16 + 8 + 1 = 25 for int8 by int8. Synthesis does
// not find this by itself; products 18 bits apart, as on the DSP48E2 with its 27-bit port, would
// not fit (18 + 8 + 1 = 27).
#ifndef VTA_PACKED_MULTIPLY_HPP
#define VTA_PACKED_MULTIPLY_HPP

#include "types.hpp"

namespace vta {

template <int SharedBits, int PairBits>
struct PackedMultiply {
    static constexpr int product_bits = SharedBits + PairBits;
    static constexpr int packed_bits = product_bits + PairBits + 1;
    static constexpr bool fits = packed_bits <= 25 && SharedBits <= 18;
    typedef ap_int<product_bits> product_t;

    static void multiply(const ap_int<PairBits>& high, const ap_int<PairBits>& low,
                         const ap_int<SharedBits>& shared, product_t& high_product,
                         product_t& low_product) {
        VTA_INLINE
        // The pre-adder of the DSP block does this addition.
        const ap_int<packed_bits> packed =
            (ap_int<packed_bits>(high) << product_bits) + ap_int<packed_bits>(low);
        ap_int<packed_bits + SharedBits> both = packed * shared;
        VTA_USE_DSP(both)
        low_product = both.range(product_bits - 1, 0);
        const ap_uint<1> borrowed = both[product_bits - 1];
        high_product = ap_int<packed_bits + SharedBits>(both >> product_bits) + borrowed;
    }
};

}  // namespace vta

#endif  // VTA_PACKED_MULTIPLY_HPP
