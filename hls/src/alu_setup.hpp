// What an ALU or REQUANT instruction says, in one form.
#ifndef VTA_ALU_SETUP_HPP
#define VTA_ALU_SETUP_HPP

#include "gemm_core.hpp"
#include "uop_nest.hpp"

namespace vta {

typedef ap_uint<3> alu_op_t;

inline bool is_op(const alu_op_t& op, AluOp which) {
    VTA_INLINE
    return op == alu_op_t(static_cast<int>(which));
}

inline bool is_known(const alu_op_t& op) {
    VTA_INLINE
    return is_op(op, AluOp::MIN) || is_op(op, AluOp::MAX) || is_op(op, AluOp::ADD) ||
           is_op(op, AluOp::SHR) || (BuildConfig::has_mul && is_op(op, AluOp::MUL));
}

// What is done to each lane.
struct AluOperation {
    bool requant;  // REQUANT; otherwise `op` says which
    alu_op_t op;
    bool use_imm;
    ap_int<16> imm;
    bool use_bias, use_mul;
    ap_uint<5> shift;
    ap_int<8> clip_lo;
    ap_uint<7> clip_hi;

    static AluOperation of(const insn_t& insn) {
        VTA_INLINE
        typedef isa::Alu Alu;
        typedef isa::Requant Requant;
        const ap_uint<3> opcode = field<Alu::opcode_at>(insn);
        AluOperation set;
        set.requant = BuildConfig::has_requant && is(opcode, Opcode::REQUANT);
        set.op = field<Alu::alu_opcode_at>(insn);
        set.use_imm = !set.requant && field<Alu::use_imm_at>(insn) != 0;
        set.imm = field<Alu::imm_at>(insn);
        set.use_bias = set.requant && field<Requant::use_bias_at>(insn) != 0;
        set.use_mul = set.requant && field<Requant::use_mul_at>(insn) != 0;
        set.shift = field<Requant::shift_at>(insn);
        set.clip_lo = field<Requant::clip_lo_at>(insn);
        set.clip_hi = field<Requant::clip_hi_at>(insn);
        return set;
    }
};

// Which elements it is done to.
struct AluRange {
    Loops loops;
    index_t dst_out, dst_in, src_out, src_in;

    static AluRange of(const insn_t& insn, bool requant) {
        VTA_INLINE
        return requant ? read<isa::Requant>(insn) : read<isa::Alu>(insn);
    }

 private:
    template <class Format>
    static AluRange read(const insn_t& insn) {
        VTA_INLINE
        AluRange range;
        range.loops = Loops::of<Format>(insn);
        range.dst_out = field<typename Format::dst_factor_out_at>(insn);
        range.dst_in = field<typename Format::dst_factor_in_at>(insn);
        range.src_out = field<typename Format::src_factor_out_at>(insn);
        range.src_in = field<typename Format::src_factor_in_at>(insn);
        return range;
    }
};

}  // namespace vta

#endif  // VTA_ALU_SETUP_HPP
