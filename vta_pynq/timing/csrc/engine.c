#include "engine.h"

#include <stddef.h>
#include <string.h>

enum { NEVER = -1 };

enum phase { IDLE, BUSY, PUSHING };

// Each token is pushed and popped by one module only: push times form a queue.
typedef struct {
    int64_t* visible;  // ring of times from which a token may be used
    int64_t head;
    int64_t count;
} token_queue;

typedef struct {
    enum phase phase;
    int64_t next;  // instruction that runs, or the next of this module in the stream
    int64_t held;  // instructions in the queue, with the one that runs
    int64_t free;  // since when the module is idle
} module_state;

typedef struct {
    const timing_setup* setup;
    const timing_insn* insns;
    int64_t count;
    timing_times* times;
    timing_result* result;
    token_queue tokens[TIMING_TOKENS];
    int64_t ring_size;
    module_state modules[TIMING_MODULES];
    int64_t port_free[TIMING_PORTS];
    int64_t fetched;      // instructions handed out
    int64_t fetch_ready;  // earliest hand-out of the next one
    int64_t chunk_end;    // first instruction that has not been read yet
    int fetch_reading;    // fetch_ready is the time of the next chunk's request
    int64_t turn_free;    // serial: since when no module executes
} engine;

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t next_of_module(const engine* e, int64_t from, int module) {
    while (from < e->count && e->insns[from].module != module) from++;
    return from;
}

// First-come first-served; returns how long the transfer is late because of other clients.
static int64_t take_port(engine* e, int port, int64_t first_beat, int64_t beats) {
    if (port < 0 || beats == 0) return 0;
    int64_t wait = max64(0, e->port_free[port] - first_beat);
    e->port_free[port] = first_beat + wait + beats;
    e->result->port_cycles[port] += beats;
    return wait;
}

static void request_chunk(engine* e) {
    const timing_setup* s = e->setup;
    int64_t left = e->count - e->fetched;
    int64_t size = left < s->fetch_chunk ? left : s->fetch_chunk;
    int64_t now = e->fetch_ready;
    int64_t beats = size * s->fetch_read_cycles;
    int64_t wait = take_port(e, s->fetch_port, now + s->fetch_first_beat, beats);
    e->fetch_ready = now + s->fetch_first + beats + wait;
    e->chunk_end = e->fetched + size;
    e->fetch_reading = 0;
}

static void hand_out(engine* e) {
    const timing_setup* s = e->setup;
    int64_t now = e->fetch_ready, i = e->fetched++;
    e->modules[e->insns[i].module].held++;
    e->times[i].issue = now;
    e->fetch_reading = s->fetch_chunk > 0 && e->fetched == e->chunk_end;
    e->fetch_ready = e->fetch_reading ? now : now + s->fetch_interval;
}

static int64_t fetch_time(const engine* e) {
    if (e->fetched == e->count) return NEVER;
    if (e->fetch_reading) return e->fetch_ready;
    int module = e->insns[e->fetched].module;
    return e->modules[module].held < e->setup->queue_capacity[module] ? e->fetch_ready : NEVER;
}

static int64_t start_time(const engine* e, int m, int8_t* last_token) {
    const module_state* module = &e->modules[m];
    *last_token = -1;
    if (module->phase != IDLE || module->next >= e->fetched) return NEVER;
    int64_t time = max64(e->times[module->next].issue, module->free);
    int64_t latest = NEVER;
    for (int k = 0; k < TIMING_TOKENS; k++) {
        if (!(e->insns[module->next].pops >> k & 1)) continue;
        const token_queue* queue = &e->tokens[k];
        if (queue->count == 0) return NEVER;
        int64_t visible = queue->visible[queue->head];
        if (visible > latest) {
            latest = visible;
            *last_token = (int8_t)k;
        }
    }
    return max64(time, latest);
}

// Serial: of the modules that could start, the one with the earliest instruction in the stream has
// its turn. A module that waits to push does not keep the others from theirs.
static int has_turn(const engine* e, int m) {
    int8_t token;
    for (int other = 0; other < TIMING_MODULES; other++) {
        if (e->modules[other].phase == BUSY) return 0;
        if (e->modules[other].next < e->modules[m].next && start_time(e, other, &token) != NEVER)
            return 0;
    }
    return 1;
}

static void start(engine* e, int m, int64_t now) {
    int8_t last_token;
    int64_t able = start_time(e, m, &last_token);  // were it not for the turn
    module_state* module = &e->modules[m];
    const timing_insn* insn = &e->insns[module->next];
    timing_times* times = &e->times[module->next];
    for (int k = 0; k < TIMING_TOKENS; k++) {
        if (!(insn->pops >> k & 1)) continue;
        e->tokens[k].head = (e->tokens[k].head + 1) % e->ring_size;
        e->tokens[k].count--;
    }
    int64_t* stalls = e->result->stalls[m];
    int64_t ready = max64(times->issue, module->free);
    stalls[TIMING_FETCH] += ready - module->free;
    times->turn_wait = now - able;
    stalls[TIMING_TURN] += times->turn_wait;
    if (last_token >= 0) stalls[TIMING_TOKEN + last_token] += able - ready;
    times->start = now;
    times->last_token = last_token;
    times->port_wait = take_port(e, insn->port, now + insn->first_beat, insn->beats);
    times->push_wait = 0;
    times->end = now + insn->cycles + times->port_wait;
    stalls[TIMING_PORT] += times->port_wait;
    e->result->busy[m] += insn->cycles;
    module->phase = BUSY;
}

static uint8_t full_tokens(const engine* e, int m) {
    uint8_t full = 0;
    if (e->setup->tokens_saturate) return 0;
    for (int k = 0; k < TIMING_TOKENS; k++)
        if (e->insns[e->modules[m].next].pushes >> k & 1 &&
            e->tokens[k].count >= e->setup->token_capacity)
            full |= (uint8_t)(1 << k);
    return full;
}

static void push(engine* e, int k, int64_t now) {
    token_queue* queue = &e->tokens[k];
    if (queue->count >= e->setup->token_capacity) {
        e->result->lost[k]++;
        return;
    }
    int64_t slot = (queue->head + queue->count) % e->ring_size;
    queue->visible[slot] = now + e->setup->token_latency;
    queue->count++;
}

static void finish(engine* e, int m, int64_t now) {
    module_state* module = &e->modules[m];
    int64_t i = module->next;
    e->turn_free = now;
    if (full_tokens(e, m)) {
        module->phase = PUSHING;
        return;
    }
    e->times[i].push_wait = now - e->times[i].end;
    e->result->stalls[m][TIMING_PUSH] += e->times[i].push_wait;
    e->result->ended[m]++;
    e->result->last_end[m] = now;
    e->times[i].end = now;
    for (int k = 0; k < TIMING_TOKENS; k++)
        if (e->insns[i].pushes >> k & 1) push(e, k, now);
    // The entry that this instruction held is what a stalled fetch waits for.
    if (module->held == e->setup->queue_capacity[m]) e->fetch_ready = max64(e->fetch_ready, now);
    module->held--;
    module->free = now;
    module->phase = IDLE;
    module->next = next_of_module(e, i + 1, m);
    e->result->done++;
}

// A module that waits to push goes on as soon as the consumer has made room.
static void retry_pushes(engine* e, int64_t now) {
    for (int m = 0; m < TIMING_MODULES; m++)
        if (e->modules[m].phase == PUSHING && !full_tokens(e, m)) finish(e, m, now);
}

// One event: the earliest; ends before fetch before starts, so that what ends frees what starts.
static int step(engine* e) {
    enum { END, FETCH, START } kind = END;
    int64_t best = NEVER;
    int who = 0;
    for (int m = 0; m < TIMING_MODULES; m++) {
        const module_state* module = &e->modules[m];
        int64_t time = module->phase == BUSY ? e->times[module->next].end : NEVER;
        if (time != NEVER && (best == NEVER || time < best)) best = time, who = m;
    }
    int64_t time = fetch_time(e);
    if (time != NEVER && (best == NEVER || time < best)) best = time, kind = FETCH;
    for (int m = 0; m < TIMING_MODULES; m++) {
        int8_t last_token;
        time = start_time(e, m, &last_token);
        if (time != NEVER && e->setup->serial)
            time = has_turn(e, m) ? max64(time, e->turn_free) : NEVER;
        if (time != NEVER && (best == NEVER || time < best)) best = time, kind = START, who = m;
    }
    if (best == NEVER) return 0;
    if (kind == END) {
        finish(e, who, best);
    } else if (kind == START) {
        start(e, who, best);
        retry_pushes(e, best);
    } else if (e->fetch_reading) {
        request_chunk(e);
    } else {
        hand_out(e);
    }
    return 1;
}

static void report(const engine* e) {
    timing_result* result = e->result;
    result->fetched = e->fetched;
    for (int k = 0; k < TIMING_TOKENS; k++) result->tokens[k] = e->tokens[k].count;
    for (int m = 0; m < TIMING_MODULES; m++) {
        const module_state* module = &e->modules[m];
        if (module->next >= e->fetched) continue;
        result->head[m] = module->next;
        if (module->phase == PUSHING) {
            result->full[m] = full_tokens(e, m);
            continue;
        }
        for (int k = 0; k < TIMING_TOKENS; k++)
            if (e->insns[module->next].pops >> k & 1 && e->tokens[k].count == 0)
                result->missing[m] |= (uint8_t)(1 << k);
    }
}

static int valid(const timing_setup* setup, int64_t count, const timing_insn* insns,
                 int64_t ring_size) {
    if (count < 0 || setup->token_capacity < 1 || setup->token_capacity > ring_size) return 0;
    if (setup->fetch_port >= TIMING_PORTS || setup->fetch_chunk < 0) return 0;
    for (int m = 0; m < TIMING_MODULES; m++)
        if (setup->queue_capacity[m] < 1) return 0;
    for (int k = 0; k < TIMING_TOKENS; k++)
        if (setup->tokens_in[k] < 0 || setup->tokens_in[k] > ring_size) return 0;
    for (int64_t i = 0; i < count; i++)
        if (insns[i].module >= TIMING_MODULES || insns[i].port >= TIMING_PORTS ||
            insns[i].cycles < 0 || insns[i].beats < 0 || insns[i].first_beat < 0)
            return 0;
    return 1;
}

int timing_run(const timing_setup* setup, int64_t count, const timing_insn* insns, int64_t* ring,
               int64_t ring_size, timing_times* times, timing_result* result) {
    memset(result, 0, sizeof *result);
    for (int m = 0; m < TIMING_MODULES; m++) result->head[m] = -1;
    if (!valid(setup, count, insns, ring_size)) return TIMING_BAD_INPUT;
    engine e;
    memset(&e, 0, sizeof e);
    e.setup = setup;
    e.insns = insns;
    e.count = count;
    e.times = times;
    e.result = result;
    e.ring_size = ring_size;
    e.fetch_reading = setup->fetch_chunk > 0;
    e.fetch_ready = e.fetch_reading ? 0 : setup->fetch_first;
    for (int k = 0; k < TIMING_TOKENS; k++) {
        e.tokens[k].visible = ring + k * ring_size;
        e.tokens[k].count = setup->tokens_in[k];
        for (int64_t i = 0; i < setup->tokens_in[k]; i++) e.tokens[k].visible[i] = 0;
    }
    for (int m = 0; m < TIMING_MODULES; m++) e.modules[m].next = next_of_module(&e, 0, m);
    while (step(&e)) continue;
    report(&e);
    return result->done == count ? TIMING_DONE : TIMING_DEADLOCK;
}
