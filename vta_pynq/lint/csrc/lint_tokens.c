/* Dependency tokens: order of execution, deadlock, what tokens order, counter limits.
 *
 * The modules with their queues are a Kahn network (blocking reads, and blocking writes where a
 * FIFO is full), so whether a stream runs to its end does not depend on timing: executing it
 * once, in any legal order, decides. */
#include <stdlib.h>
#include <string.h>

#include "lint.h"

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

enum { PREV, NEXT };

/* The token that instruction `i` pops (or pushes) with one of its flags, or -1. */
static int popped_by(const lint_run* run, uint32_t i, int flag) {
    const lint_insn* insn = &run->insns[i];
    bool set = flag == NEXT ? insn->pop_next : insn->pop_prev;
    return set ? run->facts->pops[run->module[i]][flag] : -1;
}

static int pushed_by(const lint_run* run, uint32_t i, int flag) {
    const lint_insn* insn = &run->insns[i];
    bool set = flag == NEXT ? insn->push_next : insn->push_prev;
    return set ? run->facts->pushes[run->module[i]][flag] : -1;
}

static void join(clock_vec* into, const clock_vec* other) {
    for (int m = 0; m < MODULES; m++) {
        if (other->at[m] > into->at[m]) {
            into->at[m] = other->at[m];
        }
    }
}

/* The clock after instruction `i`: what came before it, and itself. */
static clock_vec after(const lint_run* run, const clock_vec* clocks, uint32_t i) {
    clock_vec result = clocks[i];
    result.at[run->module[i]] = run->seq[i];
    return result;
}

static void fetch(lint_run* run, network* net) {
    while (net->fetched < run->count) {
        uint32_t i = net->fetched;
        int m = run->module[i];
        uint32_t room = net->capacity[0];
        if (room && net->held[m] >= room) {
            return;
        }
        if (net->strict) {
            if (room && run->seq[i] > room) {
                clock_vec freed = after(run, net->strict, run->queue[m][run->seq[i] - room - 1]);
                join(&net->fetch_clock, &freed);
            }
            net->strict[i] = net->fetch_clock;
        }
        net->held[m]++;
        net->fetched++;
    }
}

/* The token that keeps instruction `i` from starting, or -1. */
static int missing_token(const lint_run* run, const network* net, uint32_t i) {
    for (int flag = PREV; flag <= NEXT; flag++) {
        int t = popped_by(run, i, flag);
        if (t >= 0 && !net->tokens[t]) {
            return t;
        }
    }
    return -1;
}

/* The full counter that keeps instruction `i` from pushing, or -1. */
static int full_token(const lint_run* run, const network* net, uint32_t i) {
    for (int flag = PREV; flag <= NEXT; flag++) {
        int t = pushed_by(run, i, flag);
        if (t >= 0 && net->capacity[1] && net->tokens[t] >= net->capacity[1]) {
            return t;
        }
    }
    return -1;
}

static void start(lint_run* run, network* net, uint32_t i) {
    int m = run->module[i];
    clock_vec* clocks[2] = {run->before, net->strict};
    for (int which = 0; which < 2 && clocks[which]; which++) {
        clock_vec* mine = &clocks[which][i];
        if (run->seq[i] > 1) {
            clock_vec previous = after(run, clocks[which], run->queue[m][run->seq[i] - 2]);
            join(mine, &previous);
        }
        for (int flag = PREV; flag <= NEXT; flag++) {
            int t = popped_by(run, i, flag);
            if (t >= 0 && net->popped[t] >= run->facts->tokens_in[t]) {
                uint32_t push = net->popped[t] - run->facts->tokens_in[t];
                clock_vec pusher = after(run, clocks[which], net->pusher[t][push]);
                join(mine, &pusher);
            }
        }
    }
    for (int flag = PREV; flag <= NEXT; flag++) {
        int t = popped_by(run, i, flag);
        if (t >= 0) {
            net->tokens[t]--;
            net->popped[t]++;
        }
    }
    run->order[run->order_len++] = i;
    net->pushing[m] = true;
}

static void finish(lint_run* run, network* net, uint32_t i) {
    int m = run->module[i];
    for (int flag = PREV; flag <= NEXT; flag++) {
        int t = pushed_by(run, i, flag);
        if (t >= 0) {
            net->tokens[t]++;
            net->pusher[t][net->pushed[t]++] = i;
        }
    }
    net->pushing[m] = false;
    net->done[m]++;
    net->held[m]--;
}

/* One step of the module whose next instruction comes first in the stream; false if none can. */
static bool step(lint_run* run, network* net) {
    int chosen = -1;
    uint32_t first = UINT32_MAX;
    for (int m = 0; m < MODULES; m++) {
        if (net->done[m] == run->queue_len[m]) {
            continue;
        }
        uint32_t i = run->queue[m][net->done[m]];
        bool ready = net->pushing[m] ? full_token(run, net, i) < 0
                                     : i < net->fetched && missing_token(run, net, i) < 0;
        if (ready && i < first) {
            chosen = m;
            first = i;
        }
    }
    if (chosen < 0) {
        return false;
    }
    if (!net->pushing[chosen]) {
        start(run, net, first);
    }
    if (full_token(run, net, first) < 0) {
        finish(run, net, first);
    }
    return true;
}

/* Executes the stream until its end (true) or until nothing can go on. */
static bool simulate(lint_run* run, network* net, uint32_t queue_room, uint32_t token_room) {
    uint32_t** pusher = net->pusher;
    clock_vec* strict = net->strict;
    network fresh = {.capacity = {queue_room, token_room}, .strict = strict};
    memcpy(fresh.pusher, pusher, sizeof fresh.pusher);
    memcpy(fresh.tokens, run->facts->tokens_in, sizeof fresh.tokens);
    *net = fresh;
    memset(run->before, 0, run->count * sizeof *run->before);
    run->order_len = 0;
    do {
        fetch(run, net);
    } while (step(run, net));
    return run->order_len == run->count && !net->pushing[LOAD_M] && !net->pushing[COMPUTE_M] &&
           !net->pushing[STORE_M];
}

/* Reports why nothing goes on. `room`: the deadlock is one of finite queues and counters. */
static void report_deadlock(lint_run* run, const network* net, bool room) {
    for (int m = 0; m < MODULES; m++) {
        if (net->done[m] == run->queue_len[m]) {
            continue;
        }
        uint32_t i = run->queue[m][net->done[m]];
        int full = net->pushing[m] ? full_token(run, net, i) : -1;
        int missing = !net->pushing[m] && i < net->fetched ? missing_token(run, net, i) : -1;
        if (full >= 0) {
            report(run, LINT_FIFO_DEADLOCK, i, full, net->capacity[1], 0, 0);
        } else if (missing >= 0 && room && net->fetched < run->count) {
            report(run, LINT_QUEUE_DEADLOCK, i, missing, net->fetched, run->module[net->fetched],
                   net->capacity[0]);
        } else if (missing >= 0) {
            report(run, LINT_TOKEN_DEADLOCK, i, missing,
                   (int64_t)run->facts->tokens_in[missing] + net->pushed[missing], 0, 0);
        }
    }
}

/* The most tokens that a saturating counter may have to hold: all pushes up to here less the
 * pops of instructions that must have finished before. */
static bool check_overflow(lint_run* run, const network* net) {
    const lint_facts* facts = run->facts;
    for (int m = 0; m < MODULES; m++) {
        for (int flag = PREV; flag <= NEXT; flag++) {
            int t = facts->pushes[m][flag];
            int consumer = -1;
            for (int other = 0; other < MODULES && t >= 0; other++) {
                if (facts->pops[other][0] == t || facts->pops[other][1] == t) {
                    consumer = other;
                }
            }
            if (consumer < 0) {
                continue;
            }
            uint64_t outstanding = facts->tokens_in[t];
            uint32_t passed = 0; /* instructions of the consumer whose pops are certain */
            for (uint32_t k = 0; k < run->queue_len[m]; k++) {
                uint32_t i = run->queue[m][k];
                if (pushed_by(run, i, flag) < 0) {
                    continue;
                }
                for (; passed < net->strict[i].at[consumer]; passed++) {
                    uint32_t popper = run->queue[consumer][passed];
                    outstanding -=
                        popped_by(run, popper, PREV) == t || popped_by(run, popper, NEXT) == t;
                }
                if (++outstanding > facts->tokens_tolerated) {
                    report(run, LINT_TOKEN_OVERFLOW, i, t, (int64_t)outstanding, 0, 0);
                    break; /* the rest of this counter follows from the first loss */
                }
            }
        }
    }
    return true;
}

static int module_of(const lint_insn* insn) {
    if (insn->opcode == OP_STORE) {
        return STORE_M;
    }
    bool load =
        insn->opcode == OP_LOAD && (insn->memory_type == MEM_INP || insn->memory_type == MEM_WGT);
    return load ? LOAD_M : COMPUTE_M;
}

static bool sort_into_queues(lint_run* run) {
    run->module = take(run, run->count, sizeof *run->module);
    run->seq = take(run, run->count, sizeof *run->seq);
    run->order = take(run, run->count, sizeof *run->order);
    run->before = take(run, run->count, sizeof *run->before);
    for (int m = 0; m < MODULES; m++) {
        run->queue[m] = take(run, run->count, sizeof *run->queue[m]);
    }
    if (run->out_of_memory) {
        return false;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        int m = module_of(&run->insns[i]);
        run->module[i] = (uint8_t)m;
        run->queue[m][run->queue_len[m]++] = i;
        run->seq[i] = run->queue_len[m];
    }
    return true;
}

static void judge(lint_run* run, network* net) {
    const lint_facts* facts = run->facts;
    bool bounded = facts->queue_capacity || facts->token_capacity;
    bool ends = simulate(run, net, facts->queue_capacity, facts->token_capacity);
    if (!ends && bounded) {
        /* Tell a lack of tokens from a lack of room; go on with the order that tokens give. */
        network limited = *net;
        uint32_t stuck_at = run->order_len;
        net->strict = NULL;
        ends = simulate(run, net, 0, 0);
        if (run->order_len > stuck_at || ends) {
            report_deadlock(run, &limited, true);
        }
    } else if (net->strict) {
        check_overflow(run, net);
    }
    if (!ends) {
        report_deadlock(run, net, false);
        return;
    }
    for (int t = 0; t < TOKEN_COUNT; t++) {
        if (net->tokens[t] != facts->tokens_in[t]) {
            report(run, LINT_TOKEN_LEFTOVER, -1, t, facts->tokens_in[t], net->tokens[t], 0);
        }
    }
}

bool tokens_order(lint_run* run) {
    if (!sort_into_queues(run)) {
        return false;
    }
    network net = {.strict = NULL};
    for (int t = 0; t < TOKEN_COUNT; t++) {
        net.pusher[t] = take(run, run->count, sizeof *net.pusher[t]);
    }
    clock_vec* strict = NULL;
    if (run->facts->tokens_tolerated) {
        strict = net.strict = take(run, run->count, sizeof *strict);
    }
    if (!run->out_of_memory) {
        judge(run, &net);
    }
    for (int t = 0; t < TOKEN_COUNT; t++) {
        free(net.pusher[t]);
    }
    free(strict);
    return !run->out_of_memory;
}
