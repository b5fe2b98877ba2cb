/* One run's queues, shared by fetch and schedule. */
#ifndef VTA_SIM_SCHEDULE_H
#define VTA_SIM_SCHEDULE_H

#include "engine.h"

typedef struct {
    uint64_t words[2];
    uint64_t insn;
    uint8_t opcode, module, pops, pushes;
    uint8_t foreign_flags; /* set flags without a partner */
} queued;

typedef struct {
    queued* items;
    uint64_t head, tail, size; /* items[head .. tail) wait */
    uint8_t pushing;           /* tokens that the module's last instruction could not push yet */
} queue;

typedef struct {
    sim_run_state run;
    queue queues[SIM_MODULES];
    const uint8_t* insns; /* the stream, where one segment holds all of it */
    uint64_t fetched, waiting, executed;
    int fetched_finish, finished;
    queued held; /* what fetch has in hand */
    int stalled; /* its queue is full */
    uint64_t random;
} schedule;

/* Reads and sorts the next instruction; a sim_kind. */
int fetch_insn(schedule* plan, queued* item);
/* Appends to the queue of the instruction's module; a sim_kind. */
int enqueue_insn(schedule* plan, const queued* item);

#endif
