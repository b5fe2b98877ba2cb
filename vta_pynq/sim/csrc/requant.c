/* REQUANT: bias, multiplier, rounding shift and clip, whole elements at a time in program order. */
#include "engine.h"

int execute_requant(sim_run_state* run, const loop_insn* insn) {
    sim_engine* engine = run->engine;
    const sim_settings* set = &engine->set;
    const uop_kernel* kernel;
    int kind = begin_lanes(run, insn, insn->use_bias || insn->use_mul, &kernel);
    if (kind || !kernel) return kind;
    const requant_op op = {engine->acc,        engine->lanes,  set->acc_width,
                           set->acc_depth - 1, insn->use_bias, insn->use_mul,
                           insn->shift,        insn->clip_lo,  insn->clip_hi};
    const element_lists at = elements_of(engine, insn, kernel);
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < at.rounds; i++) {
            uint32_t dst = at.first_dst + o * insn->dst_factor_out + i * insn->dst_factor_in;
            uint32_t src = at.first_src + o * insn->src_factor_out + i * insn->src_factor_in;
            engine->path->requant(&op, dst, at.dsts, src, at.srcs, at.n);
        }
    }
    if (engine_tracks_out(engine)) follow_dst(engine, insn, kernel);
    return SIM_OK;
}
