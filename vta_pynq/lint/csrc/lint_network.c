/* The execution of a stream by the three modules.
 *
 * The modules with their queues are a Kahn network (blocking reads, and blocking writes where a
 * FIFO is full), so whether a stream runs to its end does not depend on timing: executing it
 * once, in any legal order, decides. */
#include "lint_network.h"

#include <string.h>

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

int missing_token(const lint_run* run, const network* net, uint32_t i) {
    for (int flag = PREV; flag <= NEXT; flag++) {
        int t = popped_by(run, i, flag);
        if (t >= 0 && !net->tokens[t]) {
            return t;
        }
    }
    return -1;
}

int full_token(const lint_run* run, const network* net, uint32_t i) {
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

bool simulate(lint_run* run, network* net, uint32_t queue_room, uint32_t token_room) {
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
