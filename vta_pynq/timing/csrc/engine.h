// Event-driven timing of one instruction stream: fetch, three module queues, token counters,
// shared memory ports. Durations without contention come in; times come out. All in cycles.
#ifndef VTA_TIMING_ENGINE_H
#define VTA_TIMING_ENGINE_H

#include <stdint.h>

enum { TIMING_MODULES = 3, TIMING_TOKENS = 4, TIMING_PORTS = 8, TIMING_REASONS = 9 };

// What a module waits for, in the order of `StallReason`; tokens lie from TIMING_TOKEN onwards.
enum timing_reason {
    TIMING_FETCH = 1,
    TIMING_TOKEN = 2,
    TIMING_PORT = 6,
    TIMING_PUSH = 7,
    TIMING_TURN = 8
};

enum timing_status { TIMING_DONE = 0, TIMING_DEADLOCK = 1, TIMING_BAD_INPUT = 2 };

// One instruction. Bit k of `pops`, `pushes` is token k; `module` is 0 load, 1 compute, 2 store.
typedef struct {
    int64_t cycles;      // start to end when no other client holds the port
    int64_t first_beat;  // start to first beat on the port, likewise
    int64_t beats;       // cycles that it holds the port
    int8_t port;         // shared port, or -1
    uint8_t module;
    uint8_t pops;
    uint8_t pushes;
} timing_insn;

typedef struct {
    int64_t queue_capacity[TIMING_MODULES];
    int64_t token_capacity;
    int64_t token_latency;  // push to first cycle in which the consumer may start
    int64_t tokens_in[TIMING_TOKENS];
    int64_t fetch_first;        // launch, or last hand-out, to first hand-out of a chunk
    int64_t fetch_interval;     // between two hand-outs
    int64_t fetch_chunk;        // instructions that are read before one is handed out; 0: streamed
    int64_t fetch_read_cycles;  // port cycles of one instruction of a chunk
    int64_t fetch_first_beat;   // request of a chunk to its first beat
    int8_t fetch_port;          // shared port, or -1
    uint8_t tokens_saturate;    // a push beyond the capacity is lost; else it blocks
    uint8_t serial;             // one instruction at a time, whatever its module
} timing_setup;

// Per instruction: when it entered its queue, started, ended, waited for the port, waited to
// push, waited for its turn; `last_token` is the token that arrived last (-1: it pops none).
typedef struct {
    int64_t issue, start, end, port_wait, push_wait, turn_wait;
    int8_t last_token;
} timing_times;

// Where everything stands: after a dead-lock the first unfinished instruction of each module
// (-1: none), the tokens that it lacks, or the tokens that it cannot push.
typedef struct {
    int64_t done;                       // instructions that ended
    int64_t fetched;                    // instructions that entered a queue
    int64_t head[TIMING_MODULES];       // in the queue and unfinished, or -1
    uint8_t missing[TIMING_MODULES];    // tokens that it waits for
    uint8_t full[TIMING_MODULES];       // tokens that it cannot push
    int64_t tokens[TIMING_TOKENS];      // counts at the end
    int64_t lost[TIMING_TOKENS];        // pushes that a saturated counter dropped
    int64_t port_cycles[TIMING_PORTS];  // cycles in which a shared port moved data
    int64_t ended[TIMING_MODULES];      // instructions of each module that ended
    int64_t last_end[TIMING_MODULES];   // when the last of them did
    int64_t busy[TIMING_MODULES];       // last_end = busy + all stalls
    int64_t stalls[TIMING_MODULES][TIMING_REASONS];
} timing_result;

// `ring` is scratch for TIMING_TOKENS * ring_size times; ring_size >= every count that can occur.
int timing_run(const timing_setup* setup, int64_t count, const timing_insn* insns, int64_t* ring,
               int64_t ring_size, timing_times* times, timing_result* result);

#endif
