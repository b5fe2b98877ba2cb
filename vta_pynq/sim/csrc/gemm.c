/* GEMM: range checks at the extremes, then the loop order that keeps most in registers. */
#include "engine.h"

#define SHORT_LOOP 4 /* iterations below which another loop is a better inner one */

/* Adds `per_out` and `per_in` for one iteration of the loops. */
#define AT(name, o, i) ((o) * insn->name##_factor_out + (i) * insn->name##_factor_in)

/* The micro-ops of every iteration, weights and sources as they come. */
static void run_uops(const sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel) {
    const gemm_kernels* gemm = engine->gemm;
    const gemm_view* view = &engine->view;
    const uint16_t *dsts = engine->uop_dst + kernel->bgn, *srcs = engine->uop_src + kernel->bgn,
                   *wgts = engine->uop_wgt + kernel->bgn;
    uint32_t n = kernel->end - kernel->bgn;
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            uint32_t dst = AT(dst, o, i), src = AT(src, o, i), wgt = AT(wgt, o, i);
            if (kernel->same_wgt) {
                gemm->same_wgt(view, dst, dsts, src, srcs, wgt + wgts[0], n);
            } else if (kernel->same_dst) {
                gemm->same_dst(view, dst + dsts[0], src, srcs, wgt, wgts, n);
            } else {
                gemm->any(view, dst, dsts, src, srcs, wgt, wgts, n);
            }
        }
    }
}

/* One of the two loops innermost, for a micro-op whose weight it does not change. */
static void run_loop(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel,
                     int inner) {
    uint32_t n = inner ? insn->iter_in : insn->iter_out;
    uint32_t others = inner ? insn->iter_out : insn->iter_in;
    uint32_t dst_step = inner ? insn->dst_factor_in : insn->dst_factor_out;
    uint32_t src_step = inner ? insn->src_factor_in : insn->src_factor_out;
    for (uint32_t i = 0; i < n; i++) { /* the range check has seen the largest of them */
        engine->list_dst[i] = (uint16_t)(i * dst_step);
        engine->list_src[i] = (uint16_t)(i * src_step);
    }
    for (uint32_t other = 0; other < others; other++) {
        uint32_t o = inner ? other : 0, i = inner ? 0 : other;
        uint32_t dst = AT(dst, o, i), src = AT(src, o, i), wgt = AT(wgt, o, i);
        for (uint32_t u = kernel->bgn; u < kernel->end; u++) {
            engine->gemm->same_wgt(&engine->view, dst + engine->uop_dst[u], engine->list_dst,
                                   src + engine->uop_src[u], engine->list_src,
                                   wgt + engine->uop_wgt[u], n);
        }
    }
}

static void multiply_narrow(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel) {
    uint32_t n = kernel->end - kernel->bgn;
    int in_keeps = !insn->wgt_factor_in || insn->iter_in == 1;
    int out_keeps = !insn->wgt_factor_out || insn->iter_out == 1;
    /* A loop with one accumulator would wait for itself: its micro-ops do better. */
    int in_good = in_keeps && insn->dst_factor_in && insn->iter_in >= SHORT_LOOP;
    int out_good = out_keeps && insn->dst_factor_out && insn->iter_out >= SHORT_LOOP;
    int uops_good = n >= SHORT_LOOP && kernel->same_wgt && !kernel->same_dst;
    if (uops_good && (!in_good || n >= insn->iter_in) && (!out_good || n >= insn->iter_out)) {
        run_uops(engine, insn, kernel);
    } else if (in_good && (!out_good || insn->iter_in >= insn->iter_out)) {
        run_loop(engine, insn, kernel, 1);
    } else if (out_good) {
        run_loop(engine, insn, kernel, 0);
    } else {
        run_uops(engine, insn, kernel);
    }
}

/* Sum over k of inp[k] * wgt[k], modulo 2^32, for rows of values wider than 8 bits. */
static uint32_t dot_wide(const int32_t* inp, const int32_t* wgt, uint32_t block) {
    uint32_t sum = 0;
    for (uint32_t k = 0; k < block; k++) sum += (uint32_t)inp[k] * (uint32_t)wgt[k];
    return sum;
}

static void multiply_wide(sim_engine* engine, uint32_t dst, uint32_t src, uint32_t wgt) {
    uint32_t batch = engine->set.batch, block = engine->set.block;
    int32_t* acc = engine->acc + (uint64_t)dst * engine->lanes;
    const int32_t* inp = engine->inp32 + (uint64_t)src * engine->lanes;
    for (uint32_t b = 0; b < batch; b++, inp += block, acc += block) {
        const int32_t* row = engine->wgt32 + (uint64_t)wgt * engine->wgt_values;
        for (uint32_t c = 0; c < block; c++, row += block) {
            acc[c] = (int32_t)((uint32_t)acc[c] + dot_wide(inp, row, block));
        }
    }
}

/* One micro-op by the definition. `reset` is the HLS design's: the sum goes to OUT only. */
static void multiply_one(sim_engine* engine, uint32_t dst, uint32_t src, uint32_t wgt, int reset) {
    static const uint16_t ZERO[1] = {0};
    uint32_t lanes = engine->lanes, width = engine->set.acc_width;
    int32_t *acc = engine->acc + (uint64_t)dst * lanes, *out = engine->out + (uint64_t)dst * lanes;
    if (engine->gemm) {
        engine->gemm->any(&engine->view, dst, ZERO, src, ZERO, wgt, ZERO, 1);
    } else {
        multiply_wide(engine, dst, src, wgt);
    }
    if (width < 32) {
        for (uint32_t l = 0; l < lanes; l++) acc[l] = sign_extend((uint32_t)acc[l], width);
    }
    if (reset) {
        memcpy(out, acc, lanes * sizeof *out);
        memset(acc, 0, lanes * sizeof *acc);
        engine->out_follows[dst] = 0;
    }
}

typedef void (*uop_visitor)(sim_engine* engine, uint32_t dst, uint32_t src, uint32_t wgt,
                            int reset);

/* Every micro-op in the order of the instruction set. */
static void visit(sim_engine* engine, const loop_insn* insn, uop_visitor visitor) {
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            for (uint32_t u = insn->uop_bgn; u < insn->uop_end; u++) {
                visitor(engine, AT(dst, o, i) + engine->uop_dst[u],
                        AT(src, o, i) + engine->uop_src[u], AT(wgt, o, i) + engine->uop_wgt[u],
                        (int)insn->reset);
            }
        }
    }
}

static void wrap_one(sim_engine* engine, uint32_t dst, uint32_t src, uint32_t wgt, int reset) {
    (void)src, (void)wgt, (void)reset;
    int32_t* acc = engine->acc + (uint64_t)dst * engine->lanes;
    for (uint32_t l = 0; l < engine->lanes; l++) {
        acc[l] = sign_extend((uint32_t)acc[l], engine->set.acc_width);
    }
}

static void reset_accumulators(sim_engine* engine, const loop_insn* insn,
                               const uop_kernel* kernel) {
    uint32_t n = kernel->end - kernel->bgn;
    uint64_t lanes = engine->lanes;
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            uint32_t dst = AT(dst, o, i);
            if (kernel->dense_dst) {
                sram_zero(engine, VTA_MEM_ACC, dst + engine->uop_dst[kernel->bgn], n);
                continue;
            }
            for (uint32_t u = kernel->bgn; u < kernel->end; u++) {
                uint32_t at = dst + engine->uop_dst[u];
                sram_part_out(engine, at, 1);
                memset(engine->acc + at * lanes, 0, lanes * sizeof *engine->acc);
            }
        }
    }
}

static int check_indices(sim_run_state* run, const loop_insn* insn, const uop_kernel* kernel) {
    sim_engine* engine = run->engine;
    uint64_t dst = largest_index(insn, kernel->max_dst, insn->dst_factor_out, insn->dst_factor_in);
    uint64_t src = largest_index(insn, kernel->max_src, insn->src_factor_out, insn->src_factor_in);
    uint64_t wgt = largest_index(insn, kernel->max_wgt, insn->wgt_factor_out, insn->wgt_factor_in);
    int reads = !insn->reset || engine->set.hls || engine->set.strict;
    if (dst >= engine->set.acc_depth) {
        return run_fault(run, SIM_INDEX_RANGE, VTA_MEM_ACC, (int64_t)dst, engine->set.acc_depth, 0);
    }
    if (reads && src >= engine->set.inp_depth) {
        return run_fault(run, SIM_INDEX_RANGE, VTA_MEM_INP, (int64_t)src, engine->set.inp_depth, 1);
    }
    if (reads && wgt >= engine->set.wgt_depth) {
        return run_fault(run, SIM_INDEX_RANGE, VTA_MEM_WGT, (int64_t)wgt, engine->set.wgt_depth, 2);
    }
    return SIM_OK;
}

int execute_gemm(sim_run_state* run, const loop_insn* insn) {
    sim_engine* engine = run->engine;
    if (insn->uop_bgn >= insn->uop_end || !insn->iter_out || !insn->iter_in) {
        return engine->set.strict ? strict_loop(run, insn) : SIM_OK;
    }
    if (insn->uop_end > engine->set.uop_depth) {
        return run_fault(run, SIM_UOP_RANGE, insn->uop_end, engine->set.uop_depth, 0, 0);
    }
    uint64_t uops = (uint64_t)insn->iter_out * insn->iter_in * (insn->uop_end - insn->uop_bgn);
    const uop_kernel* kernel = uop_kernel_of(engine, insn->uop_bgn, insn->uop_end);
    int kind = check_indices(run, insn, kernel);
    if (!kind) kind = run_spend(run, uops * (insn->reset ? engine->alu_work : engine->gemm_work));
    if (!kind && engine->set.strict) kind = strict_loop(run, insn);
    if (kind) return kind;
    if (insn->reset) {
        run->counters->gemm_reset_uops += uops;
        if (engine->set.hls) {
            visit(engine, insn, multiply_one);
        } else {
            reset_accumulators(engine, insn, kernel);
        }
        return SIM_OK;
    }
    run->counters->gemm_uops += uops;
    run->counters->gemm_macs += uops * engine->lanes * engine->set.block;
    if (engine->gemm) {
        multiply_narrow(engine, insn, kernel);
        if (engine->set.acc_width < 32) visit(engine, insn, wrap_one);
    } else {
        visit(engine, insn, multiply_one);
    }
    if (engine_tracks_out(engine)) follow_dst(engine, insn, kernel);
    return SIM_OK;
}
