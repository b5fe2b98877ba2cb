// GEMM: a micro-op in each cycle, whatever accumulators they name.
#ifndef VTA_GEMM_HPP
#define VTA_GEMM_HPP

#include "accumulator.hpp"
#include "forward.hpp"
#include "uop_nest.hpp"

namespace vta {

// Returns the turns that the loop took.
inline beat_t run_gemm(const insn_t& insn, const UopSram::memory_t uop_mem,
                       const InpSram::memory_t inp_mem, const WgtSram::memory_t wgt_mem,
                       AccSram::memory_t acc_mem, OutSram::memory_t out_mem) {
    VTA_NO_INLINE
    typedef isa::Gemm Format;
    UopNest nest(Loops::of<Format>(insn));
    Stride dst(field<Format::dst_factor_out_at>(insn), field<Format::dst_factor_in_at>(insn));
    Stride src(field<Format::src_factor_out_at>(insn), field<Format::src_factor_in_at>(insn));
    Stride wgt(field<Format::wgt_factor_out_at>(insn), field<Format::wgt_factor_in_at>(insn));
    const bool reset = field<Format::reset_at>(insn) != 0;
    Forward<AccSram::element_t, BuildConfig::gemm_distance - 1> recent;
    beat_t turns = 0;
    VTA_DISTANCE(check, VTA_GEMM_DISTANCE)
gemm_uops:
    while (nest.more()) {
        // II=1: one tile product in each cycle. The sum that is carried from turn to turn is a
        // choice among registers and an addition; the products do not depend on earlier turns.
        VTA_PIPELINE(1)
        // True because younger results come from `recent`. Without it a tool would assume that
        // every read may need the write of the turn before, and start a turn every 5 cycles.
        VTA_READ_AFTER_WRITE(acc_mem, VTA_GEMM_DISTANCE)
        VTA_STEP();
        turns++;
        const uop_t uop = UopSram::read(uop_mem, nest.uop).word[0];
        const index_t d = AccSram::wrap(uop_dst(uop) + dst.at);
        const InpSram::element_t input = InpSram::read(inp_mem, uop_src(uop) + src.at);
        const WgtSram::element_t weight = WgtSram::read(wgt_mem, uop_wgt(uop) + wgt.at);
        AccSram::element_t sum =
            GemmCore::add_products(recent.newest(d, AccSram::read(acc_mem, d)), input, weight);
        if (reset) sum = AccSram::element_t::zero();
        VTA_TURN(check, d, recent.has(d), true, d);
        write_accumulator(acc_mem, out_mem, d, sum);
        recent.push(d, sum);
        const bool last_in = nest.last_in(), last_uop = nest.last_uop();
        dst.next(last_in, last_uop);
        src.next(last_in, last_uop);
        wgt.next(last_in, last_uop);
        nest.next();
    }
    return turns;
}

}  // namespace vta

#endif  // VTA_GEMM_HPP
