/* What each SRAM element holds, and who touched it last.
 *
 * Accesses within a module are ordered by its queue, so the last access of each module to an
 * element stands for all earlier ones: if that one is ordered against an access of another
 * module, the earlier ones are too. */
#include <string.h>

#include "lint.h"

bool sram_prepare(lint_run* run) {
    const uint32_t* depth = run->facts->depth;
    run->inp_written = take(run, depth[MEM_INP], sizeof *run->inp_written);
    run->inp_read = take(run, depth[MEM_INP], sizeof *run->inp_read);
    run->wgt_written = take(run, depth[MEM_WGT], sizeof *run->wgt_written);
    run->wgt_read = take(run, depth[MEM_WGT], sizeof *run->wgt_read);
    run->uop_word = take(run, depth[MEM_UOP], sizeof *run->uop_word);
    run->uop_state = take(run, depth[MEM_UOP], sizeof *run->uop_state);
    run->acc_written = take(run, depth[MEM_ACC], sizeof *run->acc_written);
    run->acc_writer = take(run, depth[MEM_ACC], sizeof *run->acc_writer);
    run->acc_source = take(run, depth[MEM_ACC], sizeof *run->acc_source);
    run->out_written = take(run, depth[MEM_ACC], sizeof *run->out_written);
    run->out_read = take(run, depth[MEM_ACC], sizeof *run->out_read);
    run->out_good = take(run, depth[MEM_ACC], sizeof *run->out_good);
    return !run->out_of_memory;
}

/* The first element, the number of them and an example of what went wrong in one instruction. */
typedef struct {
    uint32_t first, count, other;
} trouble;

static void note(trouble* t, uint32_t element, uint32_t other) {
    if (!t->count++) {
        t->first = element;
        t->other = other;
    }
}

static void report_race(lint_run* run, uint32_t i, uint32_t type, const trouble* t, int module) {
    if (t->count) {
        report(run, LINT_RACE_SRAM, i, type, t->first, t->count, run->queue[module][t->other - 1]);
    }
}

static void write_operand(lint_run* run, uint32_t i, uint32_t begin, uint32_t end) {
    bool inp = run->insns[i].memory_type == MEM_INP;
    uint32_t* written = inp ? run->inp_written : run->wgt_written;
    const uint32_t* read = inp ? run->inp_read : run->wgt_read;
    uint32_t passed = run->before[i].at[COMPUTE_M], seq = run->seq[i];
    trouble pending = {0};
    for (uint32_t e = begin; e < end; e++) {
        if (read[e] > passed) {
            note(&pending, e, read[e]);
        }
        written[e] = seq;
    }
    report_race(run, i, run->insns[i].memory_type, &pending, COMPUTE_M);
}

/* A write of element `e` by compute that STORE can see. */
static void write_out(lint_run* run, uint32_t i, uint32_t e, bool good, trouble* pending) {
    if (run->out_read[e] > run->before[i].at[STORE_M]) {
        note(pending, e, run->out_read[e]);
    }
    run->out_written[e] = run->seq[i];
    run->out_good[e] = good;
}

/* The SRAM element where a row's data begin. */
static uint64_t row_start(uint32_t begin, const move* m, uint32_t row) {
    return (uint64_t)begin + m->top + (uint64_t)row * m->width + m->left;
}

static void load_acc(lint_run* run, uint32_t i, const move* m, uint32_t begin, uint32_t end) {
    const lint_insn* insn = &run->insns[i];
    const uint32_t size = run->facts->elem_bytes[MEM_ACC];
    trouble pending = {0};
    for (uint32_t e = begin; e < end; e++) {
        run->acc_written[e] = run->seq[i];
        run->acc_writer[e] = LINT_BY_LOAD;
        run->acc_source[e] = SOURCE_ZERO; /* padding; rows follow */
        if (run->facts->store_reads_acc) {
            write_out(run, i, e, true, &pending);
        }
    }
    report_race(run, i, MEM_ACC, &pending, STORE_M);
    for (uint32_t row = 0; row < m->rows; row++) {
        uint64_t first = row_start(begin, m, row), source = row_address(run, insn, row);
        for (uint32_t k = 0; k < insn->x_size && first + k < end; k++) {
            bool wide = insn->memory_type == MEM_ACC;
            run->acc_source[first + k] = wide ? source + (uint64_t)k * size : SOURCE_UNKNOWN;
        }
        if (first >= end) {
            break;
        }
    }
}

static void load_uop_row(lint_run* run, uint64_t address, uint32_t first, uint32_t count) {
    bool zero = false;
    const uint32_t size = run->facts->elem_bytes[MEM_UOP];
    const uint8_t* row = dram_bytes(run, address, count * size, &zero);
    for (uint32_t k = 0; k < count; k++) {
        const uint8_t* bytes =
            row ? row + (zero ? 0 : k * size) : dram_bytes(run, address + k * size, size, &zero);
        uint32_t word = 0;
        if (bytes && !zero) {
            word = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                   (uint32_t)bytes[3] << 24;
        }
        run->uop_word[first + k] = word;
        run->uop_state[first + k] = bytes ? UOP_KNOWN : UOP_OPAQUE;
    }
}

static void load_uops(lint_run* run, uint32_t i, const move* m, uint32_t begin, uint32_t end) {
    const lint_insn* insn = &run->insns[i];
    memset(run->uop_word + begin, 0, (end - begin) * sizeof *run->uop_word);
    memset(run->uop_state + begin, UOP_KNOWN, end - begin); /* padding; rows follow */
    for (uint32_t row = 0; row < m->rows; row++) {
        uint64_t first = row_start(begin, m, row);
        if (first >= end) {
            break;
        }
        uint32_t room = end - (uint32_t)first;
        uint32_t count = insn->x_size < room ? insn->x_size : room;
        load_uop_row(run, row_address(run, insn, row), (uint32_t)first, count);
    }
}

static void store(lint_run* run, uint32_t i, uint32_t begin, uint32_t end) {
    uint32_t passed = run->before[i].at[COMPUTE_M];
    trouble unwritten = {0}, foreign = {0}, early = {0};
    uint8_t writer = 0;
    for (uint32_t e = begin; e < end; e++) {
        bool keeps_out = run->acc_writer[e] == LINT_BY_LOAD || run->acc_writer[e] == LINT_BY_RESET;
        run->out_read[e] = run->seq[i];
        if (run->acc_writer[e] == LINT_BY_OPAQUE) {
            continue;
        }
        if (!run->facts->store_reads_acc && keeps_out && run->acc_written[e] <= passed) {
            writer = foreign.count ? writer : run->acc_writer[e];
            note(&foreign, e, run->acc_written[e]);
        } else if (!run->out_written[e]) {
            note(&unwritten, e, 0);
        } else if (run->out_written[e] > passed) {
            note(&early, e, run->out_written[e]);
        } else if (!run->out_good[e]) {
            writer = foreign.count ? writer : LINT_BY_RESET;
            note(&foreign, e, run->out_written[e]);
        }
    }
    if (unwritten.count) {
        report(run, LINT_UNWRITTEN, i, MEM_OUT, unwritten.first, unwritten.count, 0);
    }
    if (foreign.count) {
        report(run, LINT_STORE_SOURCE, i, foreign.first, foreign.count, writer,
               run->queue[COMPUTE_M][foreign.other - 1]);
    }
    report_race(run, i, MEM_OUT, &early, COMPUTE_M);
}

void sram_execute(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    move m = move_of(run, insn);
    uint8_t type = insn->opcode == OP_STORE ? MEM_OUT : insn->memory_type;
    uint32_t depth = run->facts->depth[type];
    if (!m.moves || insn->sram_base >= depth) {
        return;
    }
    uint32_t begin = insn->sram_base;
    uint32_t end = m.total < depth - begin ? begin + (uint32_t)m.total : depth;
    uint32_t rows = m.rows < end - begin ? m.rows : end - begin;
    spend(run, end - begin + 4 * (uint64_t)rows);
    if (type == MEM_OUT) {
        store(run, i, begin, end);
    } else if (type == MEM_UOP) {
        load_uops(run, i, &m, begin, end);
    } else if (type == MEM_INP || type == MEM_WGT) {
        write_operand(run, i, begin, end);
    } else {
        load_acc(run, i, &m, begin, end);
    }
}

void sram_write_acc(lint_run* run, uint32_t i, const bitset* set, lint_writer writer) {
    bool good = writer == LINT_BY_GEMM || writer == LINT_BY_ALU || run->facts->store_reads_acc;
    bool visible = good || run->facts->reset_writes_out;
    trouble pending = {0};
    FOR_EACH(set, {
        run->acc_written[e] = run->seq[i];
        run->acc_writer[e] = (uint8_t)writer;
        run->acc_source[e] = writer == LINT_BY_RESET ? SOURCE_ZERO : SOURCE_UNKNOWN;
        if (visible) {
            write_out(run, i, e, good, &pending);
        }
    })
    report_race(run, i, MEM_OUT, &pending, STORE_M);
}

void sram_read_acc(lint_run* run, uint32_t i, const bitset* set) {
    trouble unwritten = {0};
    FOR_EACH(set, {
        if (run->acc_writer[e] == LINT_BY_NONE) {
            note(&unwritten, e, 0);
        }
    })
    if (unwritten.count) {
        report(run, LINT_UNWRITTEN, i, MEM_ACC, unwritten.first, unwritten.count, 0);
    }
}

void sram_read_operand(lint_run* run, uint32_t i, const bitset* set, uint32_t memory_type) {
    bool inp = memory_type == MEM_INP;
    const uint32_t* written = inp ? run->inp_written : run->wgt_written;
    uint32_t* read = inp ? run->inp_read : run->wgt_read;
    uint32_t passed = run->before[i].at[LOAD_M];
    trouble unwritten = {0}, early = {0};
    FOR_EACH(set, {
        if (!written[e]) {
            note(&unwritten, e, 0);
        } else if (written[e] > passed) {
            note(&early, e, written[e]);
        }
        read[e] = run->seq[i];
    })
    if (unwritten.count) {
        report(run, LINT_UNWRITTEN, i, memory_type, unwritten.first, unwritten.count, 0);
    }
    report_race(run, i, memory_type, &early, LOAD_M);
}
