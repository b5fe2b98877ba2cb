/* ALU: range checks at the extremes, then whole elements at a time in program order. */
#include "engine.h"

/* Indices of destination and, where it is read, of the source. */
static int check_indices(sim_run_state* run, const loop_insn* insn, const uop_kernel* kernel,
                         int reads_src) {
    uint32_t depth = run->engine->set.acc_depth;
    uint64_t dst = largest_index(insn, kernel->max_dst, insn->dst_factor_out, insn->dst_factor_in);
    uint64_t src = largest_index(insn, kernel->max_src, insn->src_factor_out, insn->src_factor_in);
    if (dst >= depth) return run_fault(run, SIM_INDEX_RANGE, VTA_MEM_ACC, (int64_t)dst, depth, 0);
    if (reads_src && src >= depth) {
        return run_fault(run, SIM_INDEX_RANGE, VTA_MEM_ACC, (int64_t)src, depth, 1);
    }
    return SIM_OK;
}

int begin_lanes(sim_run_state* run, const loop_insn* insn, int reads_src,
                const uop_kernel** kernel) {
    sim_engine* engine = run->engine;
    *kernel = NULL;
    if (insn->uop_bgn >= insn->uop_end || !insn->iter_out || !insn->iter_in) {
        return engine->set.strict ? strict_loop(run, insn) : SIM_OK;
    }
    if (insn->uop_end > engine->set.uop_depth) {
        return run_fault(run, SIM_UOP_RANGE, insn->uop_end, engine->set.uop_depth, 0, 0);
    }
    uint64_t uops = (uint64_t)insn->iter_out * insn->iter_in * (insn->uop_end - insn->uop_bgn);
    const uop_kernel* found = uop_kernel_of(engine, insn->uop_bgn, insn->uop_end);
    int kind = check_indices(run, insn, found, reads_src);
    if (!kind) kind = run_spend(run, uops * engine->alu_work);
    if (!kind && engine->set.strict) kind = strict_loop(run, insn);
    if (kind) return kind;
    run->counters->alu_uops += uops;
    run->counters->alu_ops += uops * engine->lanes;
    *kernel = found;
    return SIM_OK;
}

/* MUL on a design without it: the accumulator stays, OUT becomes zero (its C simulation's
 * choice; on hardware it is undefined). */
static void skip_multiply(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel) {
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            uint32_t dst = o * insn->dst_factor_out + i * insn->dst_factor_in;
            for (uint32_t u = kernel->bgn; u < kernel->end; u++) {
                uint64_t at = dst + engine->uop_dst[u];
                memset(engine->out + at * engine->lanes, 0, engine->lanes * sizeof *engine->out);
                engine->out_follows[at] = 0;
            }
        }
    }
}

static void operate(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel,
                    const alu_op* op) {
    const element_lists at = elements_of(engine, insn, kernel);
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < at.rounds; i++) {
            uint32_t dst = at.first_dst + o * insn->dst_factor_out + i * insn->dst_factor_in;
            uint32_t src = at.first_src + o * insn->src_factor_out + i * insn->src_factor_in;
            if (at.dense && insn->use_imm) {
                engine->path->alu_dense(op, dst + at.dsts[0], at.n);
            } else {
                engine->path->alu(op, dst, at.dsts, src, at.srcs, at.n);
            }
        }
    }
}

/* Strict mode: register shifts one by one, for the amount may be the result of the one before. */
static int shift_checked(sim_run_state* run, const loop_insn* insn, const alu_op* op) {
    sim_engine* engine = run->engine;
    static const uint16_t ZERO[1] = {0};
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            for (uint32_t u = insn->uop_bgn; u < insn->uop_end; u++) {
                uint32_t dst = o * insn->dst_factor_out + i * insn->dst_factor_in;
                uint32_t src = o * insn->src_factor_out + i * insn->src_factor_in;
                int kind = strict_shift(run, src + engine->uop_src[u]);
                if (kind) return kind;
                engine->path->alu(op, dst + engine->uop_dst[u], ZERO, src + engine->uop_src[u],
                                  ZERO, 1);
            }
        }
    }
    return SIM_OK;
}

int execute_alu(sim_run_state* run, const loop_insn* insn) {
    sim_engine* engine = run->engine;
    if (insn->alu_opcode > VTA_ALU_MUL) {
        return run_fault(run, SIM_ALU_OPCODE, insn->alu_opcode, 0, 0, 0);
    }
    const uop_kernel* kernel;
    int kind = begin_lanes(run, insn, !insn->use_imm, &kernel);
    if (kind || !kernel) return kind;
    if (insn->alu_opcode == VTA_ALU_MUL && engine->set.hls && !engine->set.alu_mul) {
        skip_multiply(engine, insn, kernel);
        return SIM_OK;
    }
    const sim_settings* set = &engine->set;
    const alu_op op = {
        engine->acc,      engine->lanes, set->acc_width, set->hls ? set->shift_bits : 0,
        insn->alu_opcode, insn->use_imm, insn->imm};
    if (set->strict && insn->alu_opcode == VTA_ALU_SHR && !insn->use_imm) {
        kind = shift_checked(run, insn, &op);
        if (kind) return kind;
    } else {
        operate(engine, insn, kernel, &op);
    }
    if (engine_tracks_out(engine)) follow_dst(engine, insn, kernel);
    return SIM_OK;
}
