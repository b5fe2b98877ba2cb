// One lane of the tensor ALU.
//
// MUL and REQUANT share a multiplier, SHR and REQUANT a shifter: a lane has one of each.
#ifndef VTA_ALU_LANE_HPP
#define VTA_ALU_LANE_HPP

#include "alu_setup.hpp"

namespace vta {

constexpr int most_of(int a, int b) { return a > b ? a : b; }

// An accumulator times a factor of 16 bits with or without sign, exactly.
typedef ap_int<isa::acc_width + 17> product_t;
// The same, or an accumulator, plus half of the largest step of a shift, 2^30, exactly.
typedef ap_int<most_of(isa::acc_width + 17, 32) + 1> rounded_t;

// Source operand and multiplier of a lane.
struct LaneSource {
    acc_t value;
    ap_int<16> factor;
};

// x * 2^-by modulo 2^acc_width for by < 0: nothing is left of an amount of acc_width or more.
inline acc_t shift_left(const acc_t& x, const ap_int<33>& by) {
    VTA_INLINE
    const ap_int<33> amount = -by;
    const ap_uint<BuildConfig::log_acc_width> few = amount;
    return amount >= isa::acc_width ? acc_t(0) : acc_t(x << few);
}

// x * by modulo 2^acc_width, where `product` is x times the low 16 bits of `by` without sign. What
// the high ones add lies 16 bits up: a third multiplier of 16 bits where accumulators are wider.
inline acc_t multiply(const acc_t& x, const ap_int<32>& by, const product_t& product) {
    VTA_INLINE
    if (isa::acc_width <= 16) return acc_t(product);
    const ap_uint<16> low = ap_uint<isa::acc_width>(x), high = ap_uint<32>(by) >> 16;
    const ap_uint<16> above = low * high;
    return acc_t(product + (ap_uint<32>(above) << 16));
}

// `by` of ALU is the second operand at full width: an immediate may be wider than an accumulator.
inline acc_t operate(const AluOperation& set, const acc_t& x, const LaneSource& source) {
    VTA_INLINE
    const ap_int<32> by = set.use_imm ? ap_int<32>(set.imm) : ap_int<32>(source.value);
    const acc_t sum = x + by;
    const acc_t biased = set.requant && !set.use_bias ? x : sum;
    product_t product = 0;
    if (BuildConfig::has_mul || BuildConfig::has_requant) {
        const acc_t a = set.requant ? biased : x;
        // 17 bits hold a factor of 16 bits with its sign, and one without.
        const ap_int<17> b = set.requant ? ap_int<17>(source.factor) : ap_int<17>(ap_uint<16>(by));
        product = a * b;
    }

    // A right shift of SHR or REQUANT: one shifter, as wide as a rounded product.
    const ap_uint<32> half = (ap_uint<32>(1) << set.shift) >> 1;
    const rounded_t scaled = set.use_mul ? rounded_t(product) : rounded_t(biased);
    const rounded_t shifted = set.requant ? rounded_t(scaled + half) : rounded_t(x);
    const bool all = !set.requant && by >= isa::acc_width;
    const ap_uint<5> amount = set.requant ? set.shift : all ? ap_uint<5>(31) : ap_uint<5>(by);
    const rounded_t floored = shifted >> amount;

    if (set.requant) {
        const rounded_t low = set.clip_lo, high = set.clip_hi;
        const rounded_t above = floored < low ? low : floored;
        return above > high ? acc_t(high) : acc_t(above);
    }
    if (is_op(set.op, AluOp::MIN)) return by < x ? acc_t(by) : x;
    if (is_op(set.op, AluOp::MAX)) return by > x ? acc_t(by) : x;
    if (is_op(set.op, AluOp::ADD)) return sum;
    if (is_op(set.op, AluOp::SHR)) return by < 0 ? shift_left(x, by) : acc_t(floored);
    return BuildConfig::has_mul ? multiply(x, by, product) : x;
}

}  // namespace vta

#endif  // VTA_ALU_LANE_HPP
