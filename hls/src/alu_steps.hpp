// What the ALU does for each micro-op, decided ahead of it: which sources it must read, and whether
// the pipeline must drain first.
//
// The accumulators have one read port. A source stays in a register while it stays the same, so a
// micro-op costs a turn, and one more for each register that must be filled: none for immediates,
// for a source equal to the destination, or for the source of the micro-op before (a bias, or bias
// and multiplier, that many pixels share). A second copy of the accumulators would save these
// turns, but takes 32 RAMB36 in the default configuration, and the xc7z020 has few left.
//
// A micro-op that reads what one of the last `alu_distance` - 1 micro-ops writes waits until all of
// them are through. Waiting for just the one would save some turns, but then the decision about a
// micro-op depends on those before it through sums and comparisons that do not fit a cycle.
#ifndef VTA_ALU_STEPS_HPP
#define VTA_ALU_STEPS_HPP

#include "alu_setup.hpp"
#include "channel.hpp"

namespace vta {

struct AluStep {
    index_t dst, src;
    ap_uint<2> fills;   // turns that read a source
    ap_uint<4> turns;   // turns before the one that computes: drain and fills
    ap_uint<1> same;    // source equal to the destination
    ap_uint<1> single;  // `turns` is 0
    ap_uint<1> last;
};

// The source that the registers hold.
struct HeldSource {
    bool valid;
    index_t index;

    HeldSource() : valid(false), index(0) {}
    // Whether a micro-op that reads `src` must fill them; `dst` is what it writes then. With two
    // registers, the second one holds the element after `src`.
    bool use(bool reads, bool two, const index_t& src, const index_t& dst) {
        VTA_INLINE
        const bool fill = reads && !(valid && index == src);
        // Comparisons of both candidates first, so a turn carries one and a choice.
        const bool old_hit = index == dst || (two && AccSram::wrap(index + 1) == dst);
        const bool new_hit = src == dst || (two && AccSram::wrap(src + 1) == dst);
        valid = fill ? !new_hit : valid && !old_hit;
        if (fill) index = src;
        return fill;
    }
};

// The accumulators that the last micro-ops write, as far as reads may not see them yet.
struct RecentWrites {
    static constexpr int most = BuildConfig::alu_distance - 1;
    index_t index[most];
    bool valid[most];

    RecentWrites() {
        VTA_PARTITION(index, 1)
        VTA_PARTITION(valid, 1)
    recent_clear:
        for (int i = 0; i < most; i++) {
            VTA_UNROLL
            valid[i] = false;
        }
    }
    bool has(const index_t& at) const {
        VTA_INLINE
        bool found = false;
    recent_find:
        for (int i = 0; i < most; i++) {
            VTA_UNROLL
            found = found || (valid[i] && index[i] == at);
        }
        return found;
    }
    // `drain`: all older ones are through before this one begins.
    void push(const index_t& at, bool drain) {
        VTA_INLINE
    recent_shift:
        for (int i = most - 1; i > 0; i--) {
            VTA_UNROLL
            index[i] = index[i - 1];
            valid[i] = !drain && valid[i - 1];
        }
        index[0] = at;
        valid[0] = true;
    }
};

// The steps of all micro-ops; at least one.
inline void plan_alu(insn_t insn, const UopSram::memory_t uop_mem, Link<AluStep>& steps) {
    VTA_NO_INLINE
    const AluOperation set = AluOperation::of(insn);
    const AluRange range = AluRange::of(insn, set.requant);
    const bool two = set.use_bias && set.use_mul;
    const bool reads = set.requant ? set.use_bias || set.use_mul : !set.use_imm;
    UopNest nest(range.loops);
    Stride dst(range.dst_out, range.dst_in), src(range.src_out, range.src_in);
    HeldSource held;
    RecentWrites recent;
plan_uops:
    while (nest.more()) {
        // II=1: a micro-op in each cycle, and the FIFO behind it absorbs the cycles that the lanes
        // take longer. Carried are counters, flags and one comparison of indices.
        VTA_PIPELINE(1)
        VTA_STEP();
        const uop_t uop = UopSram::read(uop_mem, nest.uop).word[0];
        AluStep step;
        step.dst = AccSram::wrap(uop_dst(uop) + dst.at);
        step.src = AccSram::wrap(uop_src(uop) + src.at);
        // REQUANT reads even a source equal to its destination: the sum would need it twice.
        const bool same = !set.requant && step.src == step.dst;
        const bool fill = held.use(reads && !same, two, step.src, step.dst);
        const bool drain = recent.has(step.dst) || (fill && recent.has(step.src)) ||
                           (fill && two && recent.has(AccSram::wrap(step.src + 1)));
        recent.push(step.dst, drain);
        step.same = same;
        step.fills = !fill ? 0 : two ? 2 : 1;
        step.turns = (drain ? BuildConfig::alu_distance - 1 : 0) + step.fills;
        step.single = !drain && !fill;
        step.last = nest.last();
        steps.write(step);
        const bool last_in = nest.last_in(), last_uop = nest.last_uop();
        dst.next(last_in, last_uop);
        src.next(last_in, last_uop);
        nest.next();
    }
}

}  // namespace vta

#endif  // VTA_ALU_STEPS_HPP
