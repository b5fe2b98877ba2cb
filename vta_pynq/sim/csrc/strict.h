/* What strict mode remembers, shared by its two files. */
#ifndef VTA_SIM_STRICT_H
#define VTA_SIM_STRICT_H

#include "engine.h"

typedef struct {
    uint32_t at[SIM_MODULES];
} clock_vector;

typedef struct {
    clock_vector* items;
    uint64_t head, tail, size;
    uint64_t older; /* tokens from earlier runs, which are popped first */
} clock_queue;

/* One SRAM (OUT counts as ACC). Numbers count the instructions of a module from 1. */
typedef struct {
    uint32_t* written; /* by element: the writer's number; 0: never written */
    uint32_t* read;    /* by element: the reader's number */
    uint32_t depth;
    int writer, reader; /* modules */
} shadow;

struct strict_state {
    shadow uop, inp, wgt, acc;
    uint32_t number[SIM_MODULES]; /* instructions that each module has executed */
    clock_vector clocks[SIM_MODULES], at_finish;
    clock_queue tokens[VTA_TOKEN_COUNT];
    struct {
        uint32_t number;
        uint64_t insn;
    } last[SIM_MODULES]; /* the last LOAD and STORE that moved data */
    /* By accumulator: the micro-op of the current instruction (epoch) that wrote it last. */
    uint64_t* uop_position;
    uint32_t* uop_epoch;
    uint32_t epoch;
};

int strict_write(sim_run_state* run, shadow* of, int memory_type, uint32_t element);
int strict_read(sim_run_state* run, shadow* of, int memory_type, uint32_t element, int reader);

#endif
