// One lane of the tensor ALU.
#ifndef VTA_ALU_LANE_HPP
#define VTA_ALU_LANE_HPP

#include "gemm_core.hpp"

namespace vta {

typedef ap_uint<3> alu_op_t;

inline bool is_op(const alu_op_t& op, AluOp which) {
    VTA_INLINE
    return op == alu_op_t(static_cast<int>(which));
}

// floor(x / 2^by) for by >= 0, x * 2^-by modulo 2^acc_width for by < 0: exact for every amount, so
// one of acc_width or more leaves the sign, or nothing.
inline acc_t shift(const acc_t& x, const ap_int<33>& by) {
    VTA_INLINE
    constexpr int most = isa::acc_width;
    const bool left = by < 0;
    const ap_int<33> amount = left ? ap_int<33>(-by) : by;
    const bool all = amount >= most;
    const ap_uint<BuildConfig::log_acc_width> few = amount;
    if (left) return all ? acc_t(0) : acc_t(x << few);
    return all ? acc_t(x < 0 ? -1 : 0) : acc_t(x >> few);
}

// `by` is the second operand at full width: an immediate may be wider than an accumulator.
inline acc_t operate(const alu_op_t& op, const acc_t& x, const ap_int<32>& by) {
    VTA_INLINE
    if (is_op(op, AluOp::MIN)) return by < x ? acc_t(by) : x;
    if (is_op(op, AluOp::MAX)) return by > x ? acc_t(by) : x;
    if (is_op(op, AluOp::ADD)) return acc_t(x + by);
    if (is_op(op, AluOp::SHR)) return shift(x, by);
    if (BuildConfig::has_mul && is_op(op, AluOp::MUL)) return acc_t(x * by);
    return x;
}

inline bool is_known(const alu_op_t& op) {
    VTA_INLINE
    return is_op(op, AluOp::MIN) || is_op(op, AluOp::MAX) || is_op(op, AluOp::ADD) ||
           is_op(op, AluOp::SHR) || (BuildConfig::has_mul && is_op(op, AluOp::MUL));
}

}  // namespace vta

#endif  // VTA_ALU_LANE_HPP
