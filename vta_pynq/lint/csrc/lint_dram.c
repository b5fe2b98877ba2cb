/* Order of DRAM accesses: STORE against the reads of LOAD and COMPUTE.
 *
 * Only DRAM that this stream stores to can race, so pages exist for that alone. A granule is one
 * output element: stores cover whole granules, so a read overlaps a store exactly if it touches
 * one of its granules. */
#include "lint.h"

#define DRAM_BYTES ((uint64_t)1 << 32)

static uint32_t slot_of(const lint_run* run, uint32_t page) {
    uint32_t slot = (page * 2654435761u) & (run->page_slots - 1);
    while (run->pages[slot] && run->pages[slot]->page != page) {
        slot = (slot + 1) & (run->page_slots - 1);
    }
    return slot;
}

/* Whether the accesses of LOAD or STORE `i` are tracked: in range, so that they are few. */
static bool is_tracked(const lint_run* run, uint32_t i, move* m) {
    const lint_insn* insn = &run->insns[i];
    *m = move_of(run, insn);
    if (!m->moves || !m->rows) {
        return false;
    }
    uint8_t type = insn->opcode == OP_STORE ? MEM_OUT : insn->memory_type;
    return insn->sram_base + m->total <= run->facts->depth[type] &&
           row_address(run, insn, m->rows - 1) + m->row_bytes <= DRAM_BYTES;
}

static bool add_pages(lint_run* run, uint64_t first, uint64_t last) {
    for (uint64_t page = first / PAGE_GRANULES; page <= last / PAGE_GRANULES; page++) {
        uint32_t slot = slot_of(run, (uint32_t)page);
        if (run->pages[slot]) {
            continue;
        }
        if (run->page_count == PAGE_LIMIT) {
            return false;
        }
        run->pages[slot] = take(run, 1, sizeof **run->pages);
        if (!run->pages[slot]) {
            return false;
        }
        run->pages[slot]->page = (uint32_t)page;
        run->page_count++;
    }
    return true;
}

/* At least as many pages as the stores can touch, or PAGE_LIMIT. */
static uint32_t page_bound(const lint_run* run) {
    const uint64_t page_bytes = (uint64_t)PAGE_GRANULES * run->facts->granule_bytes;
    uint64_t bound = 0;
    for (uint32_t k = 0; k < run->queue_len[STORE_M] && bound < PAGE_LIMIT; k++) {
        move m;
        if (is_tracked(run, run->queue[STORE_M][k], &m)) {
            bound += m.rows * (m.row_bytes / page_bytes + 2);
        }
    }
    return bound < PAGE_LIMIT ? (uint32_t)bound : PAGE_LIMIT;
}

bool dram_prepare(lint_run* run) {
    uint32_t slots = 4; /* at most a quarter full, so probing ends soon */
    for (const uint32_t least = 4 * page_bound(run); slots < least;) {
        slots *= 2;
    }
    run->pages = take(run, slots, sizeof *run->pages);
    if (!run->pages) {
        return false;
    }
    run->page_slots = slots;
    for (uint32_t k = 0; k < run->queue_len[STORE_M]; k++) {
        uint32_t i = run->queue[STORE_M][k];
        move m;
        if (!is_tracked(run, i, &m)) {
            continue;
        }
        for (uint32_t row = 0; row < m.rows && spend(run, 1); row++) {
            uint64_t begin = row_address(run, &run->insns[i], row);
            uint32_t granule = run->facts->granule_bytes;
            if (!add_pages(run, begin / granule, (begin + m.row_bytes - 1) / granule)) {
                if (!run->out_of_memory) {
                    report(run, LINT_LIMIT, i, 1, 0, 0, 0);
                }
                return !run->out_of_memory;
            }
        }
    }
    return true;
}

typedef struct {
    lint_run* run;
    uint32_t insn;
    bool raced[MODULES]; /* reported: one finding per instruction and opposite module */
} access;

static void race(access* by, int other, uint32_t seq, uint64_t granule) {
    lint_run* run = by->run;
    if (seq > run->before[by->insn].at[other] && !by->raced[other]) {
        by->raced[other] = true;
        report(run, LINT_RACE_DRAM, by->insn, (int64_t)(granule * run->facts->granule_bytes), 0, 0,
               run->queue[other][seq - 1]);
    }
}

static void touch(access* by, uint64_t granule, dram_page* page) {
    uint32_t at = granule % PAGE_GRANULES;
    uint32_t seq = by->run->seq[by->insn];
    int m = by->run->module[by->insn];
    if (m == STORE_M) {
        race(by, LOAD_M, page->read[LOAD_M][at], granule);
        race(by, COMPUTE_M, page->read[COMPUTE_M][at], granule);
        page->stored[at] = seq;
    } else {
        race(by, STORE_M, page->stored[at], granule);
        page->read[m][at] = seq;
    }
}

void dram_access(lint_run* run, uint32_t i) {
    move m;
    if (!run->page_count || !is_tracked(run, i, &m)) {
        return;
    }
    access by = {.run = run, .insn = i};
    uint32_t granule_bytes = run->facts->granule_bytes;
    for (uint32_t row = 0; row < m.rows; row++) {
        uint64_t begin = row_address(run, &run->insns[i], row);
        uint64_t granule = begin / granule_bytes;
        uint64_t last = (begin + m.row_bytes - 1) / granule_bytes;
        while (granule <= last) {
            uint64_t number = granule / PAGE_GRANULES;
            uint64_t stop = (number + 1) * PAGE_GRANULES - 1;
            dram_page* page = run->pages[slot_of(run, (uint32_t)number)];
            stop = stop < last ? stop : last;
            if (!spend(run, 8 + (page ? stop - granule : 0))) {
                return;
            }
            for (uint64_t at = granule; page && at <= stop; at++) {
                touch(&by, at, page);
            }
            granule = stop + 1;
        }
    }
}

bool dram_is_stored(const lint_run* run, uint64_t address, uint32_t bytes) {
    uint64_t page_bytes = (uint64_t)PAGE_GRANULES * run->facts->granule_bytes;
    for (uint64_t page = address / page_bytes; page <= (address + bytes - 1) / page_bytes; page++) {
        if (run->pages[slot_of(run, (uint32_t)page)]) {
            return true;
        }
    }
    return false;
}

const uint8_t* dram_bytes(const lint_run* run, uint64_t address, uint32_t bytes, bool* zero) {
    *zero = false;
    for (uint32_t s = run->segment_count; s-- > 0;) {
        const lint_segment* segment = &run->segments[s];
        if (address < segment->begin || address + bytes > segment->end) {
            continue;
        }
        if (!segment->data) {
            return NULL;
        }
        uint64_t offset = address - segment->begin;
        if (offset >= segment->data_bytes) {
            *zero = true;
            return segment->data;
        }
        return offset + bytes <= segment->data_bytes ? segment->data + offset : NULL;
    }
    return NULL;
}
