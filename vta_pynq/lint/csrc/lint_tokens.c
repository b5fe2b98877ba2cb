/* Dependency tokens: order of execution, deadlock, counter limits, balance. */
#include <stdlib.h>

#include "lint_network.h"

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

static int consumer_of(const lint_facts* facts, int token) {
    for (int m = 0; m < MODULES; m++) {
        if (facts->pops[m][PREV] == token || facts->pops[m][NEXT] == token) {
            return m;
        }
    }
    return -1;
}

/* The most tokens that one saturating counter, which module `m` pushes with `flag`, may have to
 * hold: all pushes up to here less the pops of instructions that must have finished before. */
static void check_overflow(lint_run* run, const network* net, int m, int flag) {
    const lint_facts* facts = run->facts;
    const int token = facts->pushes[m][flag];
    const int consumer = token < 0 ? -1 : consumer_of(facts, token);
    if (consumer < 0) {
        return;
    }
    uint64_t outstanding = facts->tokens_in[token];
    uint32_t passed = 0; /* instructions of the consumer whose pops are certain */
    for (uint32_t k = 0; k < run->queue_len[m]; k++) {
        uint32_t i = run->queue[m][k];
        if (pushed_by(run, i, flag) < 0) {
            continue;
        }
        for (; passed < net->strict[i].at[consumer]; passed++) {
            uint32_t popper = run->queue[consumer][passed];
            outstanding -=
                popped_by(run, popper, PREV) == token || popped_by(run, popper, NEXT) == token;
        }
        if (++outstanding > facts->tokens_tolerated) {
            report(run, LINT_TOKEN_OVERFLOW, i, token, (int64_t)outstanding, 0, 0);
            return; /* the rest of this counter follows from the first loss */
        }
    }
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
        for (int m = 0; m < MODULES; m++) {
            check_overflow(run, net, m, PREV);
            check_overflow(run, net, m, NEXT);
        }
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
