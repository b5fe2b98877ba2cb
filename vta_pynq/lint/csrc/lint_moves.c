/* The SRAM and DRAM ranges of LOAD and STORE. */
#include "lint.h"

#define DRAM_BYTES ((uint64_t)1 << 32)

bool is_load_known(const lint_run* run, uint8_t memory_type) {
    return memory_type != MEM_OUT && run->facts->elem_bytes[memory_type & 7];
}

static move padded(const lint_insn* insn) {
    move result = {.width = (uint32_t)insn->x_pad_0 + insn->x_size + insn->x_pad_1};
    uint32_t rows = (uint32_t)insn->y_pad_0 + insn->y_size + insn->y_pad_1;
    result.rows = insn->x_size ? insn->y_size : 0;
    result.left = insn->x_pad_0;
    result.top = result.width * insn->y_pad_0;
    result.total = (uint64_t)result.width * rows;
    return result;
}

static move plain(uint32_t rows, uint32_t width) {
    return (move){.rows = rows, .width = width, .total = (uint64_t)rows * width};
}

move move_of(const lint_run* run, const lint_insn* insn) {
    const lint_facts* facts = run->facts;
    move result = {0};
    uint8_t type = insn->memory_type;
    if (insn->opcode == OP_STORE) {
        result = plain(insn->y_size, insn->x_size);
        type = MEM_OUT;
    } else if (insn->opcode != OP_LOAD || !is_load_known(run, type)) {
        return result;
    } else if (type == MEM_UOP && !facts->loads_uop_rows) {
        result = plain(insn->x_size ? 1 : 0, insn->x_size);
    } else if (type == MEM_WGT && !facts->pads_weights) {
        result = plain(insn->y_size, insn->x_size);
    } else if (insn->x_size || (facts->empty_load_writes_pads && type != MEM_UOP)) {
        result = padded(insn);
    }
    result.moves = result.total > 0;
    result.row_bytes = insn->x_size * facts->elem_bytes[type];
    return result;
}

uint64_t row_address(const lint_run* run, const lint_insn* insn, uint32_t row) {
    uint8_t type = insn->opcode == OP_STORE ? MEM_OUT : insn->memory_type;
    uint64_t element = insn->dram_base + (uint64_t)row * insn->x_stride;
    return element * run->facts->elem_bytes[type];
}

static bool is_covered(const lint_run* run, uint64_t begin, uint64_t end) {
    uint32_t low = 0, high = run->coverage_count; /* the last range that begins at or before */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run->coverage[2 * middle] <= begin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low && end <= run->coverage[2 * low - 1];
}

static void check_coverage(lint_run* run, uint32_t i, const move* m, uint64_t begin, uint64_t end) {
    if (!run->coverage_count || is_covered(run, begin, end)) {
        return;
    }
    const lint_insn* insn = &run->insns[i];
    for (uint32_t row = 0; row < m->rows && spend(run, 1); row++) {
        uint64_t address = row_address(run, insn, row);
        if (!is_covered(run, address, address + m->row_bytes)) {
            report(run, LINT_DRAM_OUTSIDE, i, (int64_t)address, (int64_t)(address + m->row_bytes),
                   0, 0);
            return;
        }
    }
}

static void check_code(lint_run* run, uint32_t i, const move* m, uint64_t begin, uint64_t end) {
    for (uint32_t s = 0; s < run->segment_count; s++) {
        const lint_segment* segment = &run->segments[s];
        if (!segment->code || begin >= segment->end || end <= segment->begin) {
            continue;
        }
        for (uint32_t row = 0; row < m->rows && spend(run, 1); row++) {
            uint64_t address = row_address(run, &run->insns[i], row);
            if (address < segment->end && address + m->row_bytes > segment->begin) {
                uint64_t hit = address > segment->begin ? address : segment->begin;
                report(run, LINT_STORE_CODE, i, (int64_t)hit, s, 0, 0);
                return;
            }
        }
    }
}

void move_check(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    move m = move_of(run, insn);
    if (!m.moves) {
        return;
    }
    uint8_t type = insn->opcode == OP_STORE ? MEM_OUT : insn->memory_type;
    uint64_t sram_end = insn->sram_base + m.total;
    if (sram_end > run->facts->depth[type]) {
        report(run, LINT_SRAM_RANGE, i, type, insn->sram_base, (int64_t)sram_end,
               run->facts->depth[type]);
    }
    if (!m.rows) {
        return;
    }
    uint64_t begin = row_address(run, insn, 0);
    uint64_t end = row_address(run, insn, m.rows - 1) + m.row_bytes;
    if (end > DRAM_BYTES) {
        report(run, LINT_DRAM_LIMIT, i, (int64_t)begin, (int64_t)end, 0, 0);
        return;
    }
    if (begin < run->facts->null_page_bytes) {
        report(run, LINT_DRAM_PAGE_ZERO, i, (int64_t)begin, 0, 0, 0);
        return;
    }
    check_coverage(run, i, &m, begin, end);
    if (insn->opcode == OP_STORE) {
        check_code(run, i, &m, begin, end);
    }
}
