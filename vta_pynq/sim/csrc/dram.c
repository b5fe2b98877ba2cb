/* Access to the simulated DRAM: every byte is looked up before it is touched. */
#include "engine.h"

static int holds(const sim_segment* segment, uint64_t phys) {
    return phys >= segment->phys && phys - segment->phys < segment->size;
}

/* Number of the segment that holds `phys`, or segment_count. */
static uint64_t find_segment(sim_run_state* run, int slot, uint64_t phys) {
    uint64_t last = run->last_segment[slot];
    if (last < run->segment_count && holds(&run->segments[last], phys)) return last;
    uint64_t low = 0, high = run->segment_count; /* the first segment that begins after phys */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (run->segments[middle].phys <= phys) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (!low || !holds(&run->segments[low - 1], phys)) return run->segment_count;
    run->last_segment[slot] = low - 1;
    return low - 1;
}

uint8_t* dram_span(sim_run_state* run, int slot, uint64_t phys, uint64_t size, int write) {
    uint64_t number = find_segment(run, slot, phys);
    if (number == run->segment_count) return NULL;
    const sim_segment* segment = &run->segments[number];
    uint64_t offset = phys - segment->phys;
    if (size > segment->size - offset || (write && !segment->writable)) return NULL;
    return segment->data + offset;
}

/* The bytes from `phys` on that one segment holds, at most `size`; 0 with the fault set. */
static uint64_t piece_at(sim_run_state* run, int slot, uint64_t phys, uint64_t size, int write,
                         uint8_t** data) {
    uint64_t number = find_segment(run, slot, phys);
    int64_t first_missing = (int64_t)phys;
    if (number == run->segment_count) {
        int kind = slot == DRAM_SLOT_INSN ? SIM_INSN_RANGE : SIM_DRAM_RANGE;
        run_fault(run, kind, first_missing, slot, 0, write);
        return 0;
    }
    const sim_segment* segment = &run->segments[number];
    if (write && !segment->writable) {
        run_fault(run, SIM_DRAM_READONLY, first_missing, slot, 0, 1);
        return 0;
    }
    uint64_t offset = phys - segment->phys;
    *data = segment->data + offset;
    return size < segment->size - offset ? size : segment->size - offset;
}

/* Whether segments hold all of a range; the fault names the first byte that is missing. */
static int check_range(sim_run_state* run, int slot, uint64_t phys, uint64_t size, int write) {
    for (uint64_t done = 0; done < size;) {
        uint8_t* data;
        uint64_t piece = piece_at(run, slot, phys + done, size - done, write, &data);
        if (!piece) {
            run->fault->detail[2] = (int64_t)size;
            run->fault->detail[3] = (int64_t)phys;
            return run->fault->kind;
        }
        done += piece;
    }
    return SIM_OK;
}

uint8_t* run_bounce(sim_run_state* run, uint64_t size) {
    if (size > run->bounce_size) {
        uint8_t* grown = size > SIZE_MAX ? NULL : realloc(run->bounce, (size_t)size);
        if (!grown) {
            run_fault(run, SIM_OUT_OF_MEMORY, (int64_t)size, 0, 0, 0);
            return NULL;
        }
        run->bounce = grown;
        run->bounce_size = size;
    }
    return run->bounce;
}

const uint8_t* dram_read(sim_run_state* run, int slot, uint64_t phys, uint64_t size) {
    uint8_t* span = dram_span(run, slot, phys, size, 0);
    if (span) return span;
    if (check_range(run, slot, phys, size, 0)) return NULL;
    uint8_t* bounce = run_bounce(run, size);
    for (uint64_t done = 0; bounce && done < size;) {
        uint8_t* data = NULL;
        uint64_t piece = piece_at(run, slot, phys + done, size - done, 0, &data);
        memcpy(bounce + done, data, piece);
        done += piece;
    }
    return bounce;
}

int dram_write(sim_run_state* run, int slot, uint64_t phys, const uint8_t* from, uint64_t size) {
    int kind = check_range(run, slot, phys, size, 1);
    for (uint64_t done = 0; !kind && done < size;) {
        uint8_t* data = NULL;
        uint64_t piece = piece_at(run, slot, phys + done, size - done, 1, &data);
        memcpy(data, from + done, piece);
        done += piece;
    }
    return kind;
}
