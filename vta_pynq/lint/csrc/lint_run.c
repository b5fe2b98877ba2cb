/* One run of the checker: memory, findings, and the passes in their order. */
#include <stdlib.h>
#include <string.h>

#include "lint.h"

void* take(lint_run* run, size_t count, size_t size) {
    void* memory = calloc(count ? count : 1, size);
    if (!memory) {
        run->out_of_memory = true;
    }
    return memory;
}

static bool grow_findings(lint_run* run) {
    uint32_t room = run->finding_room ? run->finding_room * 2 : 64;
    lint_finding* bigger = realloc(run->findings, room * sizeof *bigger);
    if (!bigger) {
        run->out_of_memory = true;
        return false;
    }
    run->findings = bigger;
    run->finding_room = room;
    return true;
}

void report(lint_run* run, lint_code code, int64_t insn, int64_t a, int64_t b, int64_t c,
            int64_t d) {
    if (run->totals[code]++ >= run->keep) {
        return;
    }
    if (run->finding_count == run->finding_room && !grow_findings(run)) {
        return;
    }
    run->findings[run->finding_count++] = (lint_finding){code, (int32_t)insn, a, b, c, d};
}

bool spend(lint_run* run, uint64_t amount) {
    run->work += amount;
    return run->work <= WORK_LIMIT;
}

/* What follows from all instructions together once their order is known. */
static void check_finish(lint_run* run) {
    int64_t finish = -1;
    for (uint32_t i = 0; i < run->count && finish < 0; i++) {
        if (run->insns[i].opcode == OP_FINISH) {
            finish = i;
        }
    }
    if (finish < 0) {
        report(run, LINT_FINISH_MISSING, -1, 0, 0, 0, 0);
        return;
    }
    uint32_t seq = run->seq[finish];
    if (seq < run->queue_len[COMPUTE_M]) {
        report(run, LINT_FINISH_LAST, finish, run->queue[COMPUTE_M][seq], 0, 0, 0);
    }
    bool ran = false;
    for (uint32_t k = run->order_len; k-- > 0 && !ran;) {
        ran = run->order[k] == (uint32_t)finish;
    }
    if (!ran) {
        return; /* the deadlock is reported; what FINISH waits for cannot be told */
    }
    static const int modules[2] = {STORE_M, LOAD_M};
    for (int which = 0; which < 2; which++) {
        int m = modules[which];
        for (uint32_t k = run->before[finish].at[m]; k < run->queue_len[m]; k++) {
            uint32_t i = run->queue[m][k];
            if (move_of(run, &run->insns[i]).moves) {
                report(run, m == STORE_M ? LINT_FINISH_STORE : LINT_FINISH_LOAD, finish, i, 0, 0,
                       0);
                break;
            }
        }
    }
}

static void execute(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    switch (insn->opcode) {
        case OP_LOAD:
        case OP_STORE:
            sram_execute(run, i);
            dram_access(run, i);
            break;
        case OP_GEMM:
        case OP_ALU:
            loops_execute(run, i);
            break;
        case OP_REQUANT:
            if (run->facts->requant_known) {
                loops_execute(run, i);
            }
            break;
        default:
            break;
    }
}

static bool check(lint_run* run) {
    if (!tokens_order(run) || !sram_prepare(run) || !loops_prepare(run) || !dram_prepare(run)) {
        return false;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        fields_check(run, i);
        uint8_t opcode = run->insns[i].opcode;
        if (opcode == OP_LOAD || opcode == OP_STORE) {
            move_check(run, i);
        }
    }
    check_finish(run);
    for (uint32_t k = 0; k < run->order_len && !run->out_of_memory; k++) {
        if (!spend(run, 1)) {
            report(run, LINT_LIMIT, run->order[k], 0, 0, 0, 0);
            break;
        }
        execute(run, run->order[k]);
    }
    return !run->out_of_memory;
}

lint_run* lint_check(const lint_insn* insns, uint32_t count, const lint_facts* facts,
                     const lint_segment* segments, uint32_t segment_count, const uint64_t* coverage,
                     uint32_t coverage_count, uint32_t keep) {
    lint_run* run = calloc(1, sizeof *run);
    if (!run) {
        return NULL;
    }
    run->insns = insns;
    run->count = count;
    run->facts = facts;
    run->segments = segments;
    run->segment_count = segment_count;
    run->coverage = coverage;
    run->coverage_count = coverage_count;
    run->keep = keep;
    if (!check(run)) {
        lint_free(run);
        return NULL;
    }
    return run;
}

uint32_t lint_finding_count(const lint_run* run) { return run->finding_count; }

const lint_finding* lint_findings(const lint_run* run) { return run->findings; }

uint64_t lint_total(const lint_run* run, int32_t code) {
    return code >= 0 && code < LINT_CODES ? run->totals[code] : 0;
}

void lint_free(lint_run* run) {
    if (!run) {
        return;
    }
    void* owned[] = {
        run->findings,       run->module,        run->seq,           run->queue[0],
        run->queue[1],       run->queue[2],      run->order,         run->before,
        run->inp_written,    run->inp_read,      run->wgt_written,   run->wgt_read,
        run->uop_word,       run->uop_state,     run->acc_written,   run->out_written,
        run->out_read,       run->acc_writer,    run->acc_source,    run->out_good,
        run->uops,           run->dst_set.words, run->src_set.words, run->wgt_set.words,
        run->shift_set.words};
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) {
        free(owned[k]);
    }
    for (uint32_t slot = 0; slot < run->page_slots; slot++) {
        free(run->pages[slot]);
    }
    free(run->pages);
    free(run);
}
