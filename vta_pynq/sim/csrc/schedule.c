/* The three queues and the tokens between the modules: which instruction runs next.
 *
 * By default the oldest instruction whose tokens are there runs next, and fetch moves on when
 * there is none: a stream that can run in program order does so. */
#include "schedule.h"

int run_fault(sim_run_state* run, int kind, int64_t a, int64_t b, int64_t c, int64_t d) {
    sim_fault* fault = run->fault;
    fault->kind = kind;
    fault->insn = (int64_t)run->insn;
    fault->module = run->module;
    fault->detail[0] = a;
    fault->detail[1] = b;
    fault->detail[2] = c;
    fault->detail[3] = d;
    return kind;
}

int run_spend(sim_run_state* run, uint64_t work) {
    uint64_t left = run->job->budget - run->counters->work;
    if (work > left) {
        return run_fault(run, SIM_BUDGET, (int64_t)run->job->budget, (int64_t)run->counters->work,
                         (int64_t)work, 0);
    }
    run->counters->work += work;
    return SIM_OK;
}

/* The tokens of `pops` that are not there, as bits. */
static uint32_t missing_tokens(const sim_engine* engine, uint32_t pops) {
    uint32_t missing = 0;
    for (uint32_t token = 0; token < VTA_TOKEN_COUNT; token++) {
        if (pops >> token & 1 && !engine->tokens[token]) missing |= 1u << token;
    }
    return missing;
}

/* Pushes what there is room for; whether all of it went. */
static int push_tokens(schedule* plan, int module, int* kind) {
    sim_run_state* run = &plan->run;
    sim_engine* engine = run->engine;
    queue* of = &plan->queues[module];
    for (int token = 0; token < VTA_TOKEN_COUNT; token++) {
        if (!(of->pushing >> token & 1)) continue;
        if (engine->tokens[token] >= engine->set.token_capacity) {
            if (engine->set.tokens_saturate) {
                *kind = run_fault(run, SIM_STRICT_TOKENS, token, engine->set.token_capacity, 0, 0);
            }
            continue;
        }
        if (engine->set.strict && strict_push(engine, module, token)) {
            *kind = run_fault(run, SIM_OUT_OF_MEMORY, 0, 0, 0, 0);
        }
        engine->tokens[token]++;
        of->pushing &= (uint8_t)~(1u << token);
    }
    return !of->pushing;
}

static int perform(schedule* plan, const queued* item) {
    sim_run_state* run = &plan->run;
    const insn_layout* layout = &run->engine->layout;
    mem_insn move;
    loop_insn loop;
    switch (item->opcode) {
        case VTA_OPCODE_LOAD:
            decode_mem(layout, item->words, &move);
            return execute_load(run, &move);
        case VTA_OPCODE_STORE:
            decode_mem(layout, item->words, &move);
            return execute_store(run, &move);
        case VTA_OPCODE_GEMM:
            decode_gemm(layout, item->words, &loop);
            return execute_gemm(run, &loop);
        case VTA_OPCODE_ALU:
            decode_alu(layout, item->words, &loop);
            return execute_alu(run, &loop);
        case VTA_OPCODE_REQUANT:
            decode_requant(layout, item->words, &loop);
            return execute_requant(run, &loop);
        default:
            plan->finished = 1;
            if (run->engine->set.strict) strict_finish(run->engine);
            return SIM_OK;
    }
}

static int execute(schedule* plan, const queued* item) {
    sim_run_state* run = &plan->run;
    sim_engine* engine = run->engine;
    run->insn = item->insn;
    run->module = item->module;
    for (int token = 0; token < VTA_TOKEN_COUNT; token++) {
        if (!(item->pops >> token & 1)) continue;
        engine->tokens[token]--;
        if (engine->set.strict) strict_pop(engine, item->module, token);
    }
    int kind = run_spend(run, 1);
    if (!kind && engine->set.strict) kind = strict_head(run, item->module, item->foreign_flags);
    if (!kind) kind = perform(plan, item);
    if (kind) return kind;
    if (plan->executed < run->job->trace_size) {
        run->job->trace[plan->executed] = (uint32_t)item->insn;
    }
    plan->executed++;
    run->counters->insns[item->module]++;
    plan->queues[item->module].pushing = item->pushes;
    if (item->pushes) push_tokens(plan, item->module, &kind);
    return kind;
}

static int is_ready(const schedule* plan, const queued* item) {
    return !plan->queues[item->module].pushing && !missing_tokens(plan->run.engine, item->pops);
}

/* Pushes that had no room get another chance. */
static int retry_pushes(schedule* plan) {
    int kind = SIM_OK;
    for (int module = VTA_MODULE_LOAD; module < SIM_MODULES; module++) {
        if (plan->queues[module].pushing) push_tokens(plan, module, &kind);
    }
    return kind;
}

static uint64_t next_random(schedule* plan) {
    plan->random ^= plan->random << 13; /* xorshift64 */
    plan->random ^= plan->random >> 7;
    plan->random ^= plan->random << 17;
    return plan->random;
}

/* The module whose turn it is, VTA_MODULE_FETCH where fetch should go on first. */
static int next_module(schedule* plan) {
    int ready[SIM_MODULES], count = 0, oldest = VTA_MODULE_FETCH;
    for (int module = VTA_MODULE_LOAD; module < SIM_MODULES; module++) {
        queue* of = &plan->queues[module];
        if (of->head == of->tail || !is_ready(plan, &of->items[of->head])) continue;
        ready[count++] = module;
        if (oldest == VTA_MODULE_FETCH ||
            of->items[of->head].insn < plan->queues[oldest].items[plan->queues[oldest].head].insn) {
            oldest = module;
        }
    }
    if (!plan->run.job->order_seed || !count) return oldest;
    if (!plan->stalled && plan->fetched < plan->run.job->insn_count) {
        ready[count++] = VTA_MODULE_FETCH;
    }
    return ready[next_random(plan) % (uint64_t)count];
}

static int deadlock(schedule* plan) {
    sim_run_state* run = &plan->run;
    sim_fault* fault = run->fault;
    run_fault(run, SIM_DEADLOCK, 0, 0, 0, 0);
    fault->insn = -1;
    fault->fetched = (int64_t)plan->fetched;
    for (int module = VTA_MODULE_LOAD; module < SIM_MODULES; module++) {
        const queue* of = &plan->queues[module];
        fault->pushes[module] = of->pushing;
        fault->queued[module] = (int64_t)(of->tail - of->head);
        fault->head[module] = -1;
        if (of->head == of->tail) continue;
        const queued* item = &of->items[of->head];
        fault->head[module] = (int64_t)item->insn;
        fault->waits[module] = missing_tokens(run->engine, item->pops);
        if (fault->insn < 0 || fault->head[module] < fault->insn) {
            fault->insn = fault->head[module];
            fault->module = module;
        }
    }
    return SIM_DEADLOCK;
}

/* One turn of fetch: SIM_OK with `*done` set at the end of the stream. */
static int fetch_next(schedule* plan, int* done) {
    if (plan->stalled) return deadlock(plan); /* nobody else can go on either */
    *done = plan->fetched == plan->run.job->insn_count;
    if (*done) return SIM_OK;
    int kind = fetch_insn(plan, &plan->held);
    if (kind) return kind;
    if (!plan->waiting && !plan->run.job->order_seed && is_ready(plan, &plan->held)) {
        return execute(plan, &plan->held);
    }
    const queue* to = &plan->queues[plan->held.module];
    plan->stalled = to->tail - to->head >= plan->run.engine->set.insn_queue_depth;
    return plan->stalled ? SIM_OK : enqueue_insn(plan, &plan->held);
}

static int execute_head(schedule* plan, int module) {
    queue* of = &plan->queues[module];
    queued item = of->items[of->head++];
    plan->waiting--;
    int kind = execute(plan, &item);
    if (!kind && plan->stalled && plan->held.module == module) {
        plan->stalled = 0;
        kind = enqueue_insn(plan, &plan->held);
    }
    return kind;
}

static int run_plan(schedule* plan) {
    for (int done = 0; !done;) {
        int kind = retry_pushes(plan);
        if (kind) return kind;
        int module = plan->waiting ? next_module(plan) : VTA_MODULE_FETCH;
        kind = module == VTA_MODULE_FETCH ? fetch_next(plan, &done) : execute_head(plan, module);
        if (kind) return kind;
    }
    int pushing = 0;
    for (int module = VTA_MODULE_LOAD; module < SIM_MODULES; module++) {
        pushing |= plan->queues[module].pushing;
    }
    return plan->waiting || pushing ? deadlock(plan) : SIM_OK;
}

int sim_run(sim_engine* engine, const sim_segment* segments, uint64_t segment_count,
            const sim_job* job, sim_counters* counters, sim_fault* fault) {
    schedule plan;
    memset(&plan, 0, sizeof plan);
    memset(counters, 0, sizeof *counters);
    memset(fault, 0, sizeof *fault);
    sim_run_state* run = &plan.run;
    run->engine = engine;
    run->segments = segments;
    run->segment_count = segment_count;
    run->job = job;
    run->counters = counters;
    run->fault = fault;
    plan.random = job->order_seed;
    uint64_t insn_bytes = job->insn_count * VTA_INSN_BYTES; /* below 2^36 */
    plan.insns = dram_span(run, DRAM_SLOT_INSN, job->insn_phys, insn_bytes, 0);
    if (engine->set.strict) strict_begin(run);
    int kind = run_plan(&plan);
    run->insn = plan.fetched;
    run->module = VTA_MODULE_COMPUTE;
    if (!kind && !plan.finished) kind = run_fault(run, SIM_NO_FINISH, 0, 0, 0, 0);
    if (!kind && engine->set.strict) kind = strict_end(run);
    for (int module = 0; module < SIM_MODULES; module++) free(plan.queues[module].items);
    free(run->bounce);
    return kind;
}
