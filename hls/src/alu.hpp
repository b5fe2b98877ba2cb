// ALU: one accumulator read in each cycle, so one micro-op in each cycle where one read is enough.
//
// That is so for immediates, for a source equal to the destination, and for a source that the
// micro-op before used as well (a bias that many pixels add). Any other source costs one turn more,
// in which it is read into a register. A second copy of the accumulators would save that turn, but
// takes 32 RAMB36 in the default configuration, and the xc7z020 has 20 left.
#ifndef VTA_ALU_HPP
#define VTA_ALU_HPP

#include "accumulator.hpp"
#include "alu_lane.hpp"
#include "channel.hpp"
#include "interlock.hpp"
#include "uop_nest.hpp"

namespace vta {

struct AluIndex {
    index_t dst, src;
    bool last;
};

// The indices of all micro-ops; at least one.
inline void generate_alu(const insn_t& insn, const UopSram::memory_t uop_mem,
                         Link<AluIndex>& indices) {
    VTA_NO_INLINE
    typedef isa::Alu Format;
    UopNest<Format> nest(insn);
    Stride dst(field<Format::dst_factor_out_at>(insn), field<Format::dst_factor_in_at>(insn));
    Stride src(field<Format::src_factor_out_at>(insn), field<Format::src_factor_in_at>(insn));
alu_indices:
    while (nest.more()) {
        // II=1: nothing but counters is carried. A process of its own, because the reader below
        // holds an index back while it waits, and the read of a micro-op must not depend on that.
        VTA_PIPELINE(1)
        VTA_STEP();
        const uop_t uop = UopSram::read(uop_mem, nest.uop).word[0];
        AluIndex index;
        index.dst = AccSram::wrap(uop_dst(uop) + dst.at);
        index.src = AccSram::wrap(uop_src(uop) + src.at);
        index.last = nest.last_in() && nest.out == nest.count_out - 1;
        indices.write(index);
        if (nest.last_in()) {
            dst.next_out();
            src.next_out();
        } else if (nest.last_uop()) {
            dst.next_in();
            src.next_in();
        }
        nest.next();
    }
}

inline void operate_alu(const insn_t& insn, Link<AluIndex>& indices, AccSram::memory_t acc_mem,
                        OutSram::memory_t out_mem, beat_t& turns) {
    VTA_NO_INLINE
    typedef isa::Alu Format;
    const alu_op_t op = field<Format::alu_opcode_at>(insn);
    const bool use_imm = field<Format::use_imm_at>(insn) != 0;
    const ap_int<16> imm = field<Format::imm_at>(insn);
    Interlock<BuildConfig::alu_distance> interlock;
    AccSram::element_t held;  // source operand that was read last
    index_t held_index = 0;
    bool holds = false;
    bool finished = false;
    AluIndex at = indices.read();
    turns = 0;
alu_turns:
    while (!finished) {
        // II=1: one read and one write of the accumulators in each cycle. What decides about the
        // next turn are comparisons of indices, not of values.
        VTA_PIPELINE(1)
        // True because of the interlock.
        VTA_READ_AFTER_WRITE(acc_mem, VTA_ALU_DISTANCE)
        VTA_STEP();
        turns++;
        const bool fill = !use_imm && at.src != at.dst && !(holds && held_index == at.src);
        const index_t wanted = fill ? at.src : at.dst;
        const bool wait = interlock.busy(wanted);
        const bool write = !wait && !fill;
        const AccSram::element_t read = AccSram::read(acc_mem, wanted);
        if (!wait && fill) {
            held = read;
            held_index = at.src;
            holds = true;
        }
        if (write) {
            AccSram::element_t result;
        alu_lanes:
            for (int i = 0; i < isa::batch * isa::block; i++) {
                VTA_UNROLL
                const acc_t x = read.lane<isa::acc_width>(i);
                const acc_t y = at.src == at.dst ? x : held.lane<isa::acc_width>(i);
                const ap_int<32> by = use_imm ? ap_int<32>(imm) : ap_int<32>(y);
                result.set_lane<isa::acc_width>(i, operate(op, x, by));
            }
            write_accumulator(acc_mem, out_mem, at.dst, result);
            holds = holds && held_index != at.dst;
        }
        interlock.end_turn(write, at.dst);
        if (write) {
            finished = at.last;
            if (!finished) at = indices.read();
        }
    }
}

inline void alu_dataflow(const insn_t& insn, const UopSram::memory_t uop_mem,
                         AccSram::memory_t acc_mem, OutSram::memory_t out_mem, beat_t& turns) {
    VTA_NO_INLINE
    // Both processes at the same time; the link holds what the generator is ahead.
    VTA_DATAFLOW
    Link<AluIndex> indices;
    VTA_DEPTH(indices, 16)
    generate_alu(insn, uop_mem, indices);
    operate_alu(insn, indices, acc_mem, out_mem, turns);
}

// Returns the turns that the loop took.
inline beat_t run_alu(const insn_t& insn, const UopSram::memory_t uop_mem,
                      AccSram::memory_t acc_mem, OutSram::memory_t out_mem) {
    VTA_INLINE
    beat_t turns = 0;
    if (UopNest<isa::Alu>(insn).more()) alu_dataflow(insn, uop_mem, acc_mem, out_mem, turns);
    return turns;
}

}  // namespace vta

#endif  // VTA_ALU_HPP
