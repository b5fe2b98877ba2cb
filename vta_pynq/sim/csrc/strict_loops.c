/* Strict mode: GEMM, ALU and REQUANT, micro-op by micro-op. */
#include "strict.h"

/* One micro-op of the instruction that is checked. */
typedef struct {
    uint64_t position;
    uint32_t dst, src, wgt;
} uop_access;

/* An accumulator is read by a micro-op: not too soon after the one that wrote it. */
static int read_acc(sim_run_state* run, const uop_access* uop, uint32_t index, uint32_t distance) {
    strict_state* state = run->engine->strict;
    if (state->uop_epoch[index] == state->epoch &&
        uop->position - state->uop_position[index] < distance) {
        int64_t found = (int64_t)(uop->position - state->uop_position[index]);
        return run_fault(run, SIM_STRICT_DISTANCE, index, found, distance, 0);
    }
    return strict_read(run, &state->acc, VTA_MEM_ACC, index, VTA_MODULE_COMPUTE);
}

/* Bias and multiplier of REQUANT: the source and the element after it, or the source alone. */
static int read_requant(sim_run_state* run, const loop_insn* insn, const uop_access* uop) {
    const sim_settings* set = &run->engine->set;
    int kind = read_acc(run, uop, uop->dst, set->alu_dst_distance);
    if (!kind && insn->use_bias) kind = read_acc(run, uop, uop->src, set->alu_src_distance);
    if (!kind && insn->use_mul) {
        uint32_t factor = insn->use_bias ? (uop->src + 1) % set->acc_depth : uop->src;
        kind = read_acc(run, uop, factor, set->alu_src_distance);
    }
    return kind;
}

static int check_uop(sim_run_state* run, const loop_insn* insn, const uop_access* uop) {
    sim_engine* engine = run->engine;
    const sim_settings* set = &engine->set;
    strict_state* state = engine->strict;
    int kind = SIM_OK;
    if (insn->is_gemm && !insn->reset) {
        kind = read_acc(run, uop, uop->dst, set->gemm_acc_distance);
        if (!kind) {
            kind = strict_read(run, &state->inp, VTA_MEM_INP, uop->src, VTA_MODULE_COMPUTE);
        }
        if (!kind) {
            kind = strict_read(run, &state->wgt, VTA_MEM_WGT, uop->wgt, VTA_MODULE_COMPUTE);
        }
    } else if (insn->is_requant) {
        kind = read_requant(run, insn, uop);
    } else if (!insn->is_gemm) {
        if (insn->use_imm && set->alu_imm_reads_src && uop->src != uop->dst) {
            return run_fault(run, SIM_STRICT_IMM_SRC, uop->src, uop->dst, 0, 0);
        }
        uint32_t distance = insn->use_imm ? set->alu_imm_distance : set->alu_dst_distance;
        kind = read_acc(run, uop, uop->dst, distance);
        if (!kind && !insn->use_imm) kind = read_acc(run, uop, uop->src, set->alu_src_distance);
    }
    if (!kind) kind = strict_write(run, &state->acc, VTA_MEM_ACC, uop->dst);
    state->uop_epoch[uop->dst] = state->epoch;
    state->uop_position[uop->dst] = uop->position;
    return kind;
}

static int check_instruction(sim_run_state* run, const loop_insn* insn) {
    const sim_settings* set = &run->engine->set;
    if (insn->uop_bgn >= insn->uop_end || !insn->iter_out || !insn->iter_in) {
        int64_t uops = (int64_t)insn->uop_end - insn->uop_bgn;
        return run_fault(run, SIM_STRICT_ZERO_ITER, insn->iter_out, insn->iter_in, uops, 0);
    }
    if (insn->uop_end > set->uop_depth_limit) {
        return run_fault(run, SIM_STRICT_UOP_DEPTH, insn->uop_end, set->uop_depth_limit, 0, 0);
    }
    if (insn->is_gemm || insn->is_requant) return SIM_OK;
    if (insn->alu_opcode == VTA_ALU_MUL && !set->alu_mul) {
        return run_fault(run, SIM_STRICT_CAPABILITY, 1, 0, 0, 0);
    }
    if (insn->alu_opcode == VTA_ALU_SHR && insn->use_imm &&
        (insn->imm < set->shift_imm_min || insn->imm > set->shift_imm_max)) {
        return run_fault(run, SIM_STRICT_SHIFT, insn->imm, set->shift_imm_min, set->shift_imm_max,
                         0);
    }
    return SIM_OK;
}

static int check_kernel(sim_run_state* run, const loop_insn* insn) {
    sim_engine* engine = run->engine;
    const int reads_src =
        insn->is_requant ? insn->use_bias || insn->use_mul : !insn->is_gemm && !insn->use_imm;
    for (uint32_t u = insn->uop_bgn; u < insn->uop_end; u++) {
        int kind = strict_read(run, &engine->strict->uop, VTA_MEM_UOP, u, VTA_MODULE_COMPUTE);
        if (kind) return kind;
        if (reads_src && engine->set.alu_src_limit && engine->uop_src[u] >= engine->set.inp_depth) {
            return run_fault(run, SIM_STRICT_SRC_WIDTH, engine->uop_src[u], engine->set.inp_depth,
                             u, 0);
        }
    }
    return SIM_OK;
}

int strict_loop(sim_run_state* run, const loop_insn* insn) {
    sim_engine* engine = run->engine;
    int kind = check_instruction(run, insn);
    if (!kind) kind = check_kernel(run, insn);
    engine->strict->epoch++;
    uop_access uop = {0, 0, 0, 0};
    for (uint32_t o = 0; !kind && o < insn->iter_out; o++) {
        for (uint32_t i = 0; !kind && i < insn->iter_in; i++) {
            uint32_t dst = o * insn->dst_factor_out + i * insn->dst_factor_in;
            uint32_t src = o * insn->src_factor_out + i * insn->src_factor_in;
            uint32_t wgt = o * insn->wgt_factor_out + i * insn->wgt_factor_in;
            for (uint32_t u = insn->uop_bgn; !kind && u < insn->uop_end; u++) {
                uop.dst = dst + engine->uop_dst[u];
                uop.src = src + engine->uop_src[u];
                uop.wgt = wgt + engine->uop_wgt[u];
                kind = check_uop(run, insn, &uop);
                uop.position++;
            }
        }
    }
    return kind;
}

int strict_shift(sim_run_state* run, uint32_t src) {
    const sim_settings* set = &run->engine->set;
    const int32_t* by = run->engine->acc + (uint64_t)src * run->engine->lanes;
    for (uint32_t l = 0; l < run->engine->lanes; l++) {
        if (by[l] < set->shift_reg_min || by[l] > set->shift_reg_max) {
            return run_fault(run, SIM_STRICT_SHIFT, by[l], set->shift_reg_min, set->shift_reg_max,
                             1 + (int64_t)src);
        }
    }
    return SIM_OK;
}
