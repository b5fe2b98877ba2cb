/* Inner declarations of the checker. One run owns all memory; nothing here is global, so several
 * runs may go on at the same time. */
#ifndef VTA_LINT_H
#define VTA_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lint_api.h"

/* OP_*, MEM_* and ALU_* come from vta_pynq.isa.table by way of build_lint.py. */

enum { LOAD_M, COMPUTE_M, STORE_M, MODULES };
enum { TOKEN_COUNT = 4 };

/* Steps of the analysis (an SRAM element, a fraction of a micro-op or of a row) that one run takes
 * before it gives up: far beyond any real stream (a whole ResNet-50 takes about 1e8). */
#define WORK_LIMIT ((uint64_t)4000000000)
/* Pages of stored-to DRAM that one run tracks. */
#define PAGE_LIMIT 32768
#define PAGE_GRANULES 256

/* How many instructions of each module have finished, at least. */
typedef struct {
    uint32_t at[MODULES];
} clock_vec;

/* A set of SRAM indices. */
typedef struct {
    uint64_t* words;
    uint32_t word_count;
} bitset;

/* Last accesses to one page of DRAM, by granule: sequence numbers within the module. */
typedef struct {
    uint32_t page;
    uint32_t stored[PAGE_GRANULES];
    uint32_t read[2][PAGE_GRANULES]; /* by LOAD_M and COMPUTE_M */
} dram_page;

struct lint_run {
    const lint_insn* insns;
    uint32_t count;
    const lint_facts* facts;
    const lint_segment* segments;
    uint32_t segment_count;
    const uint64_t* coverage;
    uint32_t coverage_count;

    lint_finding* findings;
    uint32_t finding_count, finding_room, keep;
    uint64_t totals[LINT_CODES];
    bool out_of_memory;
    uint64_t work;

    /* Modules and order (lint_tokens.c). */
    uint8_t* module;          /* by instruction */
    uint32_t* seq;            /* by instruction: 1, 2, … within its module */
    uint32_t* queue[MODULES]; /* instruction by sequence number - 1 */
    uint32_t queue_len[MODULES];
    uint32_t* order; /* a legal order of execution */
    uint32_t order_len;
    clock_vec* before; /* by instruction: what tokens order before it */

    /* SRAM (lint_sram.c): sequence numbers of the last accesses; 0 none. */
    uint32_t *inp_written, *inp_read, *wgt_written, *wgt_read;
    uint32_t* uop_word;
    uint8_t* uop_state;
    uint32_t *acc_written, *out_written, *out_read;
    uint8_t* acc_writer;
    uint64_t* acc_source; /* DRAM byte address that an element was loaded from, or a mark */
    uint8_t* out_good;

    /* Scratch of lint_loops.c. */
    bitset dst_set, src_set, wgt_set, shift_set;
    uint32_t* uops; /* dst, src, wgt by micro-op of the instruction at hand */

    /* DRAM (lint_dram.c): open hashing from page number to page. */
    dram_page** pages;
    uint32_t page_count, page_slots;
};

/* lint_run.c */
void report(lint_run* run, lint_code code, int64_t insn, int64_t a, int64_t b, int64_t c,
            int64_t d);
/* Counts `amount` steps; false once the run has done enough. */
bool spend(lint_run* run, uint64_t amount);
void* take(lint_run* run, size_t count, size_t size);

/* lint_tokens.c */
bool tokens_order(lint_run* run);

/* lint_fields.c */
void fields_check(lint_run* run, uint32_t i);

/* lint_moves.c: the SRAM and DRAM ranges of LOAD and STORE. */
typedef struct {
    bool moves;         /* anything at all, padding included */
    uint32_t rows;      /* rows copied from or to DRAM */
    uint32_t width;     /* SRAM elements of one row, padding included */
    uint32_t left;      /* zero elements before a row's data */
    uint32_t top;       /* zero elements before the first row */
    uint64_t total;     /* SRAM elements in all */
    uint32_t row_bytes; /* DRAM bytes of one row */
} move;
move move_of(const lint_run* run, const lint_insn* insn);
bool is_load_known(const lint_run* run, uint8_t memory_type);
void move_check(lint_run* run, uint32_t i);
/* The DRAM address of a row's first byte. */
uint64_t row_address(const lint_run* run, const lint_insn* insn, uint32_t row);

/* lint_dram.c */
bool dram_prepare(lint_run* run);
void dram_access(lint_run* run, uint32_t i);
/* Whether this stream stores to the pages of an address. */
bool dram_is_stored(const lint_run* run, uint64_t address, uint32_t bytes);
/* The bytes at an address if they are known and inside one segment, else NULL. Bytes past the
 * data read as zero: `*zero` is set and the result is meaningless. */
const uint8_t* dram_bytes(const lint_run* run, uint64_t address, uint32_t bytes, bool* zero);

/* lint_sram.c */
bool sram_prepare(lint_run* run);
void sram_execute(lint_run* run, uint32_t i);
/* Marks the accumulator elements of `set` as written by instruction `i`. */
void sram_write_acc(lint_run* run, uint32_t i, const bitset* set, lint_writer writer);
void sram_read_acc(lint_run* run, uint32_t i, const bitset* set);
void sram_read_operand(lint_run* run, uint32_t i, const bitset* set, uint32_t memory_type);

/* lint_loops.c */
bool loops_prepare(lint_run* run);
void loops_execute(lint_run* run, uint32_t i);

/* lint_hazards.c: `uops` are dst, src, wgt triples. */
typedef struct {
    uint32_t column; /* 0 dst, 1 src */
    int64_t factor_out, factor_in;
    int64_t offset; /* of the element from the index */
} operand;
void hazards_check(lint_run* run, uint32_t i, const uint32_t* uops, uint32_t uop_count,
                   operand read, uint32_t least, lint_role role);

/* lint_shifts.c */
void shifts_check(lint_run* run, uint32_t i, const bitset* sources);

#define SOURCE_UNKNOWN UINT64_MAX
#define SOURCE_ZERO (UINT64_MAX - 1)

enum { UOP_UNWRITTEN, UOP_KNOWN, UOP_OPAQUE };

static inline bool bit_get(const bitset* set, uint32_t index) {
    return set->words[index / 64] >> (index % 64) & 1;
}

/* Calls BODY with `e` running over the members of SET in rising order. */
#define FOR_EACH(SET, BODY)                                                     \
    for (uint32_t word_ = 0; word_ < (SET)->word_count; word_++) {              \
        for (uint64_t bits_ = (SET)->words[word_]; bits_; bits_ &= bits_ - 1) { \
            uint32_t e = word_ * 64 + (uint32_t)__builtin_ctzll(bits_);         \
            BODY                                                                \
        }                                                                       \
    }

#endif
