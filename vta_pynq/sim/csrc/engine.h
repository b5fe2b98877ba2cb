/* The engine's state, and the interfaces between its parts. */
#ifndef VTA_SIM_ENGINE_H
#define VTA_SIM_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "decode.h"
#include "kernels.h"

#define SIM_MODULES 4
#define SIM_MEM_TYPES 6 /* memory types that mean something */
#define SIM_KERNELS 256 /* micro-op kernels whose properties are remembered */
#define SIM_BLOCKS 24   /* most allocations of one engine */

/* What is known about the micro-ops `bgn` to `end` as they are in the buffer. */
typedef struct {
    uint32_t bgn, end;
    uint64_t version; /* of the micro-op buffer; 0: empty entry */
    uint32_t max_dst, max_src, max_wgt;
    uint8_t same_dst, same_wgt;   /* all micro-ops name one element */
    uint8_t dense_dst, dense_src; /* element i is the first one's plus i */
    uint8_t dst_is_src;           /* ALU: every micro-op has dst = src */
} uop_kernel;

/* What strict mode remembers about each SRAM element (see strict.c). */
typedef struct strict_state strict_state;

struct sim_engine {
    sim_settings set;
    insn_layout layout;
    const sim_path* path;
    const gemm_kernels* gemm; /* NULL: values wider than 8 bits */
    uint32_t lanes;           /* values of one INP, ACC or OUT element */
    uint32_t wgt_values;      /* values of one WGT element */
    uint64_t gemm_work, alu_work;
    uint32_t tokens[VTA_TOKEN_COUNT];

    uint32_t* uop;
    uint16_t *uop_dst, *uop_src, *uop_wgt; /* decoded micro-op buffer */
    uint64_t uop_version;
    uop_kernel kernels[SIM_KERNELS];
    gemm_view view;                /* int8 values, where input and weights fit */
    int32_t *inp32, *wgt32;        /* otherwise */
    int32_t* acc;                  /* sign-extended from acc_width */
    int32_t* out;                  /* OUT elements that do not follow their accumulator */
    uint8_t* out_follows;          /* OUT[i] is the low bits of ACC[i]; kept for hls and strict */
    uint16_t *list_dst, *list_src; /* indices of an inner loop */
    strict_state* strict;

    void* blocks[SIM_BLOCKS]; /* what to free */
    int block_count;
};

/* One call of sim_run. */
typedef struct {
    sim_engine* engine;
    const sim_segment* segments;
    uint64_t segment_count;
    uint64_t last_segment[SIM_MEM_TYPES + 1]; /* where the last access of its kind was */
    const sim_job* job;
    sim_counters* counters;
    sim_fault* fault;
    uint8_t* bounce; /* a row that spans segments */
    uint64_t bounce_size;
    uint64_t insn; /* index of the instruction that executes */
    int module;
} sim_run_state;

/* Fills in the fault of the instruction that executes; returns `kind`. */
int run_fault(sim_run_state* run, int kind, int64_t a, int64_t b, int64_t c, int64_t d);
/* Spends `work` units of the budget; SIM_OK or SIM_BUDGET. */
int run_spend(sim_run_state* run, uint64_t work);

static inline int engine_tracks_out(const sim_engine* engine) {
    return engine->set.hls || engine->set.strict;
}

/* dram.c. `slot` is the memory type whose last segment is remembered. */
#define DRAM_SLOT_INSN SIM_MEM_TYPES
/* The bytes at `phys` where one segment holds all of them, else NULL. */
uint8_t* dram_span(sim_run_state* run, int slot, uint64_t phys, uint64_t size, int write);
/* As dram_span, or a copy in the bounce buffer; NULL with `fault` set. */
const uint8_t* dram_read(sim_run_state* run, int slot, uint64_t phys, uint64_t size);
/* Copies to DRAM across segments; a sim_kind. */
int dram_write(sim_run_state* run, int slot, uint64_t phys, const uint8_t* data, uint64_t size);
uint8_t* run_bounce(sim_run_state* run, uint64_t size);

/* pack.c: values of `width` bits, first value in the least significant bits. */
void unpack_values8(int8_t* to, const uint8_t* from, uint64_t count, uint32_t width);
void unpack_values32(int32_t* to, const uint8_t* from, uint64_t count, uint32_t width);
void pack_values(uint8_t* to, const int32_t* from, uint64_t count, uint32_t width);

/* sram.c */
int sram_allocate(sim_engine* engine);
void* engine_allocate(sim_engine* engine, uint64_t count, uint64_t size);
uint32_t sram_depth(const sim_engine* engine, int memory_type);
void sram_zero(sim_engine* engine, int memory_type, uint32_t first, uint64_t count);
void sram_put(sim_engine* engine, int memory_type, uint32_t first, const uint8_t* data,
              uint64_t count);
/* Before ACC elements change without OUT: OUT keeps what it has. */
void sram_part_out(sim_engine* engine, uint32_t first, uint64_t count);

/* transfer.c, gemm.c, alu.c, requant.c: execute one instruction; a sim_kind. */
int execute_load(sim_run_state* run, const mem_insn* insn);
int execute_store(sim_run_state* run, const mem_insn* insn);
int execute_gemm(sim_run_state* run, const loop_insn* insn);
int execute_alu(sim_run_state* run, const loop_insn* insn);
int execute_requant(sim_run_state* run, const loop_insn* insn);

/* uops.c */
const uop_kernel* uop_kernel_of(sim_engine* engine, uint32_t bgn, uint32_t end);
/* A loop nest as lists of elements: `rounds` passes of the inner loop, each over `n` entries. A
 * single micro-op gives its place to the inner loop. */
typedef struct {
    const uint16_t *dsts, *srcs;
    uint32_t n, rounds, first_dst, first_src;
    int dense; /* dsts[i] is dsts[0] + i */
} element_lists;
element_lists elements_of(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel);
/* What ALU and REQUANT check before they run: micro-ops, indices, budget, strict mode. `*kernel`
 * is NULL where the loops are empty; a sim_kind. */
int begin_lanes(sim_run_state* run, const loop_insn* insn, int reads_src,
                const uop_kernel** kernel);
/* OUT takes the low bits of every accumulator that the instruction writes. */
void follow_dst(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel);
uint64_t largest_index(const loop_insn* insn, uint32_t most, uint32_t out, uint32_t in);

/* strict.c: all return a sim_kind. */
int strict_allocate(sim_engine* engine);
void strict_reset(sim_engine* engine);
void strict_begin(sim_run_state* run);
int strict_load(sim_run_state* run, const mem_insn* insn, uint64_t count);
int strict_store(sim_run_state* run, const mem_insn* insn, uint64_t count);
int strict_loop(sim_run_state* run, const loop_insn* insn);
int strict_shift(sim_run_state* run, uint32_t src);
int strict_head(sim_run_state* run, int module, uint32_t foreign_flags);
int strict_end(sim_run_state* run);
void strict_pop(sim_engine* engine, int module, int token);
int strict_push(sim_engine* engine, int module, int token);
void strict_finish(sim_engine* engine);
void strict_free(sim_engine* engine);

#endif
