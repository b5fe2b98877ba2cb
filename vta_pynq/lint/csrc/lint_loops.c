/* GEMM, ALU and REQUANT: which SRAM elements the loop nest touches.
 *
 * The indices of one operand are micro-op index + o * factor_out + i * factor_in. The set of them
 * is built by doubling (the union of a set with itself shifted), so the cost does not depend on
 * the loop counts, and indices past the buffer fall off the end of the set. */
#include <string.h>

#include "lint.h"

static bool take_set(lint_run* run, bitset* set, uint32_t depth) {
    set->word_count = (depth + 63) / 64;
    set->words = take(run, set->word_count, sizeof *set->words);
    return set->words != NULL;
}

bool loops_prepare(lint_run* run) {
    const uint32_t* depth = run->facts->depth;
    run->uops = take(run, 3 * (size_t)depth[MEM_UOP], sizeof *run->uops);
    return take_set(run, &run->dst_set, depth[MEM_ACC]) &&
           take_set(run, &run->src_set, depth[MEM_INP]) &&
           take_set(run, &run->wgt_set, depth[MEM_WGT]) &&
           take_set(run, &run->shift_set, depth[MEM_ACC]) && run->uops;
}

/* set |= set << by, dropping what leaves the set. */
static void merge_shifted(bitset* set, uint64_t by) {
    uint64_t words = by / 64;
    unsigned bits = (unsigned)(by % 64);
    for (uint64_t to = set->word_count; to-- > words;) {
        uint64_t value = set->words[to - words] << bits;
        if (bits && to > words) {
            value |= set->words[to - words - 1] >> (64 - bits);
        }
        set->words[to] |= value;
    }
}

/* The union of `count` copies of `set`, each `factor` further. */
static void repeat(bitset* set, uint64_t count, uint64_t factor) {
    if (!factor) {
        return;
    }
    for (uint64_t have = 1; have < count;) {
        uint64_t step = have < count - have ? have : count - have;
        if (step * factor >= (uint64_t)set->word_count * 64) {
            break; /* this copy and all later ones lie past the end */
        }
        merge_shifted(set, step * factor);
        have += step;
    }
}

typedef struct {
    lint_run* run;
    uint32_t i, count;
    const lint_insn* insn;
} loop_nest;

/* Fills `set` with the indices that one operand takes below `depth`; reports larger ones. */
static void collect(const loop_nest* nest, bitset* set, uint32_t column, uint32_t factor_out,
                    uint32_t factor_in, uint32_t memory_type) {
    lint_run* run = nest->run;
    const uint32_t depth = run->facts->depth[memory_type];
    const uint32_t iter_out = nest->insn->iter_out, iter_in = nest->insn->iter_in;
    uint64_t largest = 0;
    memset(set->words, 0, set->word_count * sizeof *set->words);
    for (uint32_t k = 0; k < nest->count; k++) {
        uint32_t index = run->uops[3 * k + column];
        largest = index > largest ? index : largest;
        if (index < depth) {
            set->words[index / 64] |= (uint64_t)1 << (index % 64);
        }
    }
    repeat(set, iter_in, factor_in);
    repeat(set, iter_out, factor_out);
    if (depth % 64) {
        set->words[set->word_count - 1] &= ((uint64_t)1 << (depth % 64)) - 1;
    }
    largest += (uint64_t)(iter_out - 1) * factor_out + (uint64_t)(iter_in - 1) * factor_in;
    if (largest >= depth) {
        report(run, LINT_INDEX_RANGE, nest->i, memory_type, (int64_t)largest, depth, 0);
    }
}

/* The contents of micro-op SRAM, unpacked; false where they are not known. */
static bool unpack(loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_facts* facts = run->facts;
    const uint32_t depth = facts->depth[MEM_UOP];
    uint32_t end = nest->insn->uop_end < depth ? nest->insn->uop_end : depth;
    uint32_t unwritten = 0, first = 0;
    int64_t opaque = -1;
    nest->count = 0;
    for (uint32_t u = nest->insn->uop_bgn; u < end; u++) {
        uint32_t word = run->uop_word[u], *uop = &run->uops[3 * nest->count++];
        if (run->uop_state[u] == UOP_UNWRITTEN && !unwritten++) {
            first = u;
        } else if (run->uop_state[u] == UOP_OPAQUE && opaque < 0) {
            opaque = u;
        }
        uop[0] = word & facts->dst_mask;
        uop[1] = (uint32_t)((uint64_t)word >> facts->src_shift) & facts->src_mask;
        uop[2] = (uint32_t)((uint64_t)word >> facts->wgt_shift) & facts->wgt_mask;
    }
    if (unwritten) {
        report(run, LINT_UNWRITTEN, nest->i, MEM_UOP, first, unwritten, 0);
    } else if (opaque >= 0) {
        report(run, LINT_UOP_UNKNOWN, nest->i, opaque, 0, 0, 0);
    }
    return !unwritten && opaque < 0 && nest->count;
}

/* Which elements were touched is not known: take none of them for unwritten from here on. */
static void forget(lint_run* run) {
    memset(run->acc_writer, LINT_BY_OPAQUE, run->facts->depth[MEM_ACC]);
    for (uint32_t e = 0; e < run->facts->depth[MEM_ACC]; e++) {
        run->acc_source[e] = SOURCE_UNKNOWN;
    }
}

static void gemm(loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_insn* insn = nest->insn;
    collect(nest, &run->dst_set, 0, insn->dst_factor_out, insn->dst_factor_in, MEM_ACC);
    if (insn->reset) { /* reads and ignores its operands; a stale sum is replaced all the same */
        sram_write_acc(run, nest->i, &run->dst_set, LINT_BY_RESET);
        return;
    }
    collect(nest, &run->src_set, 1, insn->src_factor_out, insn->src_factor_in, MEM_INP);
    collect(nest, &run->wgt_set, 2, insn->wgt_factor_out, insn->wgt_factor_in, MEM_WGT);
    operand dst = {0, insn->dst_factor_out, insn->dst_factor_in, 0};
    hazards_check(run, nest->i, run->uops, nest->count, dst, run->facts->gemm_distance,
                  LINT_GEMM_DST);
    sram_read_operand(run, nest->i, &run->src_set, MEM_INP);
    sram_read_operand(run, nest->i, &run->wgt_set, MEM_WGT);
    sram_read_acc(run, nest->i, &run->dst_set);
    sram_write_acc(run, nest->i, &run->dst_set, LINT_BY_GEMM);
}

/* Source indices that implementations form differently. */
static void check_source(const loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_facts* facts = run->facts;
    for (uint32_t k = 0; k < nest->count; k++) {
        const uint32_t* uop = &run->uops[3 * k];
        uint32_t number = nest->insn->uop_bgn + k;
        if (facts->alu_src_extends && uop[2]) {
            report(run, LINT_SRC_WGT, nest->i, number, uop[2], 0, 0);
            return;
        }
        if (facts->alu_src_limit && uop[1] >= facts->alu_src_limit &&
            uop[1] < facts->depth[MEM_ACC]) {
            report(run, LINT_SRC_INDEX, nest->i, number, uop[1], facts->alu_src_limit, 0);
            return;
        }
    }
}

/* An immediate operation of hardware that computes from the source index. */
static void check_immediate(const loop_nest* nest) {
    const lint_insn* insn = nest->insn;
    bool drifts = (insn->iter_out > 1 && insn->src_factor_out != insn->dst_factor_out) ||
                  (insn->iter_in > 1 && insn->src_factor_in != insn->dst_factor_in);
    for (uint32_t k = 0; k < nest->count; k++) {
        const uint32_t* uop = &nest->run->uops[3 * k];
        if (drifts || uop[0] != uop[1]) {
            report(nest->run, LINT_IMM_SOURCE, nest->i, insn->uop_bgn + k, uop[1], uop[0], drifts);
            return;
        }
    }
}

static void alu(loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_facts* facts = run->facts;
    const lint_insn* insn = nest->insn;
    operand dst = {0, insn->dst_factor_out, insn->dst_factor_in, 0};
    operand src = {1, insn->src_factor_out, insn->src_factor_in, 0};
    bool imm_from_src = insn->use_imm && facts->alu_imm_reads_src;
    collect(nest, &run->dst_set, 0, insn->dst_factor_out, insn->dst_factor_in, MEM_ACC);
    if (!imm_from_src) {
        sram_read_acc(run, nest->i, &run->dst_set);
    } else {
        check_immediate(nest);
    }
    if (insn->use_imm) {
        hazards_check(run, nest->i, run->uops, nest->count, imm_from_src ? src : dst,
                      facts->alu_imm_distance, LINT_ALU_IMM);
    }
    if (!insn->use_imm || imm_from_src) {
        check_source(nest);
        collect(nest, &run->shift_set, 1, insn->src_factor_out, insn->src_factor_in, MEM_ACC);
        sram_read_acc(run, nest->i, &run->shift_set);
    }
    if (!insn->use_imm) {
        hazards_check(run, nest->i, run->uops, nest->count, dst, facts->alu_dst_distance,
                      LINT_ALU_DST);
        hazards_check(run, nest->i, run->uops, nest->count, src, facts->alu_src_distance,
                      LINT_ALU_SRC);
        if (insn->alu_opcode == ALU_SHR) {
            shifts_check(run, nest->i, &run->shift_set);
        }
    }
    sram_write_acc(run, nest->i, &run->dst_set, LINT_BY_ALU);
}

/* Bias, multiplier or both: accumulator s, the one after it, and how soon they may be read. */
static void requant_sources(loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_insn* insn = nest->insn;
    const uint32_t depth = run->facts->depth[MEM_ACC], least = run->facts->alu_src_distance;
    bitset* set = &run->shift_set;
    operand src = {1, insn->src_factor_out, insn->src_factor_in, 0};
    check_source(nest);
    collect(nest, set, 1, insn->src_factor_out, insn->src_factor_in, MEM_ACC);
    hazards_check(run, nest->i, run->uops, nest->count, src, least, LINT_ALU_SRC);
    if (insn->use_bias && insn->use_mul) {
        src.offset = 1;
        hazards_check(run, nest->i, run->uops, nest->count, src, least, LINT_ALU_SRC);
        bool wraps = bit_get(set, depth - 1);
        merge_shifted(set, 1);
        if (depth % 64) {
            set->words[set->word_count - 1] &= ((uint64_t)1 << (depth % 64)) - 1;
        }
        if (wraps) {
            src.offset = 1 - (int64_t)depth;
            hazards_check(run, nest->i, run->uops, nest->count, src, least, LINT_ALU_SRC);
            set->words[0] |= 1;
        }
    }
    sram_read_acc(run, nest->i, set);
}

static void requant(loop_nest* nest) {
    lint_run* run = nest->run;
    const lint_insn* insn = nest->insn;
    operand dst = {0, insn->dst_factor_out, insn->dst_factor_in, 0};
    collect(nest, &run->dst_set, 0, insn->dst_factor_out, insn->dst_factor_in, MEM_ACC);
    sram_read_acc(run, nest->i, &run->dst_set);
    hazards_check(run, nest->i, run->uops, nest->count, dst, run->facts->alu_dst_distance,
                  LINT_ALU_DST);
    if (insn->use_bias || insn->use_mul) {
        requant_sources(nest);
    }
    sram_write_acc(run, nest->i, &run->dst_set, LINT_BY_ALU);
}

void loops_execute(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    if (!insn->iter_out || !insn->iter_in || insn->uop_bgn >= insn->uop_end) {
        return; /* reported from its fields where it matters */
    }
    loop_nest nest = {.run = run, .i = i, .insn = insn};
    uint32_t sets = run->dst_set.word_count + run->src_set.word_count + run->wgt_set.word_count;
    spend(run, 4 * ((uint64_t)insn->uop_end - insn->uop_bgn) + 32 * (uint64_t)sets);
    if (!unpack(&nest)) {
        forget(run);
    } else if (insn->opcode == OP_GEMM) {
        gemm(&nest);
    } else if (insn->opcode == OP_REQUANT) {
        requant(&nest);
    } else {
        alu(&nest);
    }
}
