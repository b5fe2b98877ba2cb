/* The modules with their queues and token counters, executed (lint_network.c) and judged
 * (lint_tokens.c). */
#ifndef VTA_LINT_NETWORK_H
#define VTA_LINT_NETWORK_H

#include "lint.h"

enum { PREV, NEXT };

/* The token that instruction `i` pops (or pushes) with one of its flags, or -1. */
static inline int popped_by(const lint_run* run, uint32_t i, int flag) {
    const lint_insn* insn = &run->insns[i];
    bool set = flag == NEXT ? insn->pop_next : insn->pop_prev;
    return set ? run->facts->pops[run->module[i]][flag] : -1;
}

static inline int pushed_by(const lint_run* run, uint32_t i, int flag) {
    const lint_insn* insn = &run->insns[i];
    bool set = flag == NEXT ? insn->push_next : insn->push_prev;
    return set ? run->facts->pushes[run->module[i]][flag] : -1;
}

typedef struct {
    uint32_t capacity[2];          /* of instruction queues, of token counters; 0 none */
    uint32_t tokens[TOKEN_COUNT];  /* available now */
    uint32_t pushed[TOKEN_COUNT];  /* so far */
    uint32_t popped[TOKEN_COUNT];  /* so far */
    uint32_t done[MODULES];        /* instructions finished */
    uint32_t held[MODULES];        /* fetched and not finished */
    bool pushing[MODULES];         /* executed, its push is waiting for room */
    uint32_t fetched;              /* instructions, in stream order */
    uint32_t* pusher[TOKEN_COUNT]; /* instruction of the k-th push */
    clock_vec fetch_clock;         /* what finite queues order before the next fetch */
    clock_vec* strict;             /* like run->before, finite queues included; or NULL */
} network;

/* The token that keeps instruction `i` from starting, or -1. */
int missing_token(const lint_run* run, const network* net, uint32_t i);
/* The full counter that keeps instruction `i` from pushing, or -1. */
int full_token(const lint_run* run, const network* net, uint32_t i);
/* Executes the stream until its end (true) or until nothing can go on. Writes the order of
 * execution and the clocks of `run`, and those of `net` where it has room for them. */
bool simulate(lint_run* run, network* net, uint32_t queue_room, uint32_t token_room);

#endif
