// ALU and REQUANT: one accumulator read in each cycle, so one micro-op in each cycle where one read
// is enough.
#ifndef VTA_ALU_HPP
#define VTA_ALU_HPP

#include "accumulator.hpp"
#include "alu_lane.hpp"
#include "alu_steps.hpp"

namespace vta {

// Source operands and multipliers that are held in registers.
struct HeldLanes {
    AccSram::element_t values;
    Element<16 * isa::batch * isa::block> factors;

    // `element` was read in a turn that fills; REQUANT's multiplier is what is read last.
    void fill(const AccSram::element_t& element, bool factor) {
        VTA_INLINE
        if (!factor) values = element;
    fill_factors:
        for (int i = 0; i < isa::batch * isa::block; i++) {
            VTA_UNROLL
            // Narrower accumulators are sign-extended, wider ones cut.
            const ap_int<16> low = element.lane<isa::acc_width>(i);
            if (BuildConfig::has_requant && factor) factors.set_lane<16>(i, low);
        }
    }
    LaneSource lane(int i) const {
        VTA_INLINE
        LaneSource source;
        source.value = values.lane<isa::acc_width>(i);
        source.factor = factors.lane<16>(i);
        return source;
    }
};

inline void operate_alu(insn_t insn, Link<AluStep>& steps, AccSram::memory_t acc_mem,
                        OutSram::memory_t out_mem, beat_t& turns) {
    VTA_NO_INLINE
    const AluOperation set = AluOperation::of(insn);
    HeldLanes held;
    AluStep step;
    ap_uint<4> left = 0;  // turns before the one that computes
    bool next = true, finished = false;
    beat_t count = 0;
    VTA_DISTANCE(check, VTA_ALU_DISTANCE)
alu_turns:
    while (!finished) {
        // II=1: one read and one write of the accumulators in each cycle. All decisions were taken
        // by `plan_alu`; a countdown is what a turn carries to the next.
        VTA_PIPELINE(1)
        // True because of the drains that were planned.
        VTA_READ_AFTER_WRITE(acc_mem, VTA_ALU_DISTANCE)
        VTA_STEP();
        count++;
        if (next) {
            step = steps.read();
            left = step.turns;
        }
        const bool compute = next ? step.single != 0 : left == 0;
        const bool fill = !compute && left <= step.fills;
        const bool factor = set.use_mul && left == 1;
        const index_t second = AccSram::wrap(step.src + 1);
        const index_t source = step.fills == 2 && factor ? second : step.src;
        const AccSram::element_t element = AccSram::read(acc_mem, compute ? step.dst : source);
        VTA_TURN(check, compute ? step.dst : source, !compute && !fill, compute, step.dst);
        if (fill) held.fill(element, factor);
        if (compute) {
            AccSram::element_t result;
        alu_lanes:
            for (int i = 0; i < isa::batch * isa::block; i++) {
                VTA_UNROLL
                const acc_t x = element.lane<isa::acc_width>(i);
                LaneSource y = held.lane(i);
                if (step.same) y.value = x;
                result.set_lane<isa::acc_width>(i, operate(set, x, y));
            }
            write_accumulator(acc_mem, out_mem, step.dst, result);
        }
        next = compute;
        finished = compute && step.last != 0;
        left--;
    }
    turns = count;
}

inline void alu_dataflow(insn_t insn, const UopSram::memory_t uop_mem, AccSram::memory_t acc_mem,
                         OutSram::memory_t out_mem, beat_t& turns) {
    VTA_NO_INLINE
    // Both processes at the same time: the read of a micro-op takes longer than a turn, and in one
    // loop the decision to go on would have to wait for it. The link holds what the plan is ahead.
    VTA_DATAFLOW
    Link<AluStep> steps;
    VTA_DEPTH(steps, 16)
    plan_alu(insn, uop_mem, steps);
    operate_alu(insn, steps, acc_mem, out_mem, turns);
}

// Returns the turns that the loop took.
inline beat_t run_alu(const insn_t& insn, const UopSram::memory_t uop_mem,
                      AccSram::memory_t acc_mem, OutSram::memory_t out_mem) {
    VTA_INLINE
    beat_t turns = 0;
    const bool requant = AluOperation::of(insn).requant;
    if (UopNest(AluRange::of(insn, requant).loops).more()) {
        alu_dataflow(insn, uop_mem, acc_mem, out_mem, turns);
    }
    return turns;
}

}  // namespace vta

#endif  // VTA_ALU_HPP
