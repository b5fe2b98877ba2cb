/* Strict mode: what is undefined, or what hardware does otherwise, is an error.
 *
 * Ordering between modules is tracked with vector clocks: a module's clock tells how many
 * instructions of each module are known to be done before its current one. Tokens carry the clock
 * of the instruction that pushed them. An SRAM element remembers who wrote and read it last; an
 * access that is not ordered after a conflicting one is a race. */
#include "strict.h"

static int shadow_allocate(sim_engine* engine, shadow* of, uint32_t depth, int writer, int reader) {
    of->written = engine_allocate(engine, depth, sizeof *of->written);
    of->read = engine_allocate(engine, depth, sizeof *of->read);
    of->depth = depth;
    of->writer = writer;
    of->reader = reader;
    return of->written && of->read;
}

int strict_allocate(sim_engine* engine) {
    const sim_settings* set = &engine->set;
    strict_state* state = engine_allocate(engine, 1, sizeof *state);
    engine->strict = state;
    if (!state) return SIM_OUT_OF_MEMORY;
    int complete = shadow_allocate(engine, &state->uop, set->uop_depth, VTA_MODULE_COMPUTE,
                                   VTA_MODULE_COMPUTE);
    complete &=
        shadow_allocate(engine, &state->inp, set->inp_depth, VTA_MODULE_LOAD, VTA_MODULE_COMPUTE);
    complete &=
        shadow_allocate(engine, &state->wgt, set->wgt_depth, VTA_MODULE_LOAD, VTA_MODULE_COMPUTE);
    complete &=
        shadow_allocate(engine, &state->acc, set->acc_depth, VTA_MODULE_COMPUTE, VTA_MODULE_STORE);
    state->uop_position = engine_allocate(engine, set->acc_depth, sizeof *state->uop_position);
    state->uop_epoch = engine_allocate(engine, set->acc_depth, sizeof *state->uop_epoch);
    complete &= state->uop_position && state->uop_epoch;
    return complete ? SIM_OK : SIM_OUT_OF_MEMORY;
}

void strict_free(sim_engine* engine) {
    for (int token = 0; engine->strict && token < VTA_TOKEN_COUNT; token++) {
        free(engine->strict->tokens[token].items);
    }
}

void strict_reset(sim_engine* engine) {
    strict_state* state = engine->strict;
    shadow* shadows[] = {&state->uop, &state->inp, &state->wgt, &state->acc};
    for (size_t i = 0; i < sizeof shadows / sizeof *shadows; i++) {
        memset(shadows[i]->written, 0, shadows[i]->depth * sizeof *shadows[i]->written);
        memset(shadows[i]->read, 0, shadows[i]->depth * sizeof *shadows[i]->read);
    }
    memset(state->uop_epoch, 0, state->acc.depth * sizeof *state->uop_epoch);
    memset(state->number, 0, sizeof state->number);
    state->epoch = 0;
}

/* A run begins after everything that earlier runs did. */
void strict_begin(sim_run_state* run) {
    strict_state* state = run->engine->strict;
    for (int module = 0; module < SIM_MODULES; module++) {
        memcpy(state->clocks[module].at, state->number, sizeof state->number);
    }
    for (int token = 0; token < VTA_TOKEN_COUNT; token++) {
        state->tokens[token].head = state->tokens[token].tail = 0;
        state->tokens[token].older = run->engine->tokens[token];
    }
    state->last[VTA_MODULE_LOAD].number = state->last[VTA_MODULE_STORE].number = 0;
}

int strict_head(sim_run_state* run, int module, uint32_t foreign_flags) {
    strict_state* state = run->engine->strict;
    state->clocks[module].at[module] = ++state->number[module];
    if (foreign_flags) return run_fault(run, SIM_STRICT_FLAG, foreign_flags, 0, 0, 0);
    return SIM_OK;
}

void strict_pop(sim_engine* engine, int module, int token) {
    clock_queue* from = &engine->strict->tokens[token];
    if (from->older) { /* everything before this run is ordered anyway */
        from->older--;
        return;
    }
    const clock_vector* pushed = &from->items[from->head++];
    uint32_t* at = engine->strict->clocks[module].at;
    for (int m = 0; m < SIM_MODULES; m++) at[m] = pushed->at[m] > at[m] ? pushed->at[m] : at[m];
}

int strict_push(sim_engine* engine, int module, int token) {
    clock_queue* to = &engine->strict->tokens[token];
    if (to->head == to->tail) to->head = to->tail = 0;
    if (to->tail == to->size) {
        uint64_t size = to->size ? 2 * to->size : 64;
        clock_vector* grown = realloc(to->items, size * sizeof *grown);
        if (!grown) return SIM_OUT_OF_MEMORY;
        to->items = grown;
        to->size = size;
    }
    to->items[to->tail++] = engine->strict->clocks[module];
    return SIM_OK;
}

int strict_write(sim_run_state* run, shadow* of, int memory_type, uint32_t element) {
    strict_state* state = run->engine->strict;
    if (of->read[element] > state->clocks[of->writer].at[of->reader]) {
        return run_fault(run, SIM_STRICT_RACE, memory_type, element, of->reader, 1);
    }
    of->written[element] = state->number[of->writer];
    return SIM_OK;
}

int strict_read(sim_run_state* run, shadow* of, int memory_type, uint32_t element, int reader) {
    strict_state* state = run->engine->strict;
    if (!of->written[element]) {
        return run_fault(run, SIM_STRICT_UNDEFINED, memory_type, element, 0, 0);
    }
    if (of->written[element] > state->clocks[reader].at[of->writer]) {
        return run_fault(run, SIM_STRICT_RACE, memory_type, element, of->writer, 0);
    }
    if (reader == of->reader) of->read[element] = state->number[reader];
    return SIM_OK;
}

static int is_padded(const mem_insn* insn) {
    return insn->x_pad_0 || insn->x_pad_1 || insn->y_pad_0 || insn->y_pad_1;
}

int strict_load(sim_run_state* run, const mem_insn* insn, uint64_t count) {
    sim_engine* engine = run->engine;
    strict_state* state = engine->strict;
    uint32_t type = insn->memory_type;
    if (!insn->x_size && is_padded(insn)) return run_fault(run, SIM_STRICT_PAD, type, 0, 0, 0);
    if (!insn->x_size) return SIM_OK;
    if (!insn->y_size) return run_fault(run, SIM_STRICT_ZERO_SIZE, insn->x_size, 0, 0, 0);
    if (type == VTA_MEM_OUT || type > VTA_MEM_ACC_8BIT) return SIM_OK; /* refused anyway */
    if (is_padded(insn) && (type == VTA_MEM_WGT || type == VTA_MEM_UOP)) {
        return run_fault(run, SIM_STRICT_PAD, type, 1, 0, 0);
    }
    if (type == VTA_MEM_UOP && insn->y_size > 1) {
        return run_fault(run, SIM_STRICT_UOP_2D, insn->y_size, 0, 0, 0);
    }
    if (type == VTA_MEM_ACC_8BIT && !engine->set.load_acc8) {
        return run_fault(run, SIM_STRICT_CAPABILITY, 0, 0, 0, 0);
    }
    if (insn->sram_base + count > sram_depth(engine, (int)type)) return SIM_OK; /* refused */
    if (type == VTA_MEM_UOP && insn->sram_base + count > engine->set.uop_depth_limit) {
        int64_t end = (int64_t)(insn->sram_base + count);
        return run_fault(run, SIM_STRICT_UOP_DEPTH, end, engine->set.uop_depth_limit, 0, 0);
    }
    shadow* of = type == VTA_MEM_UOP   ? &state->uop
                 : type == VTA_MEM_WGT ? &state->wgt
                 : type == VTA_MEM_INP ? &state->inp
                                       : &state->acc;
    for (uint32_t i = insn->sram_base; i < insn->sram_base + count; i++) {
        int kind = strict_write(run, of, (int)type, i);
        if (kind) return kind;
    }
    if (run->module == VTA_MODULE_LOAD) {
        state->last[VTA_MODULE_LOAD].number = state->number[VTA_MODULE_LOAD];
        state->last[VTA_MODULE_LOAD].insn = run->insn;
    }
    return SIM_OK;
}

int strict_store(sim_run_state* run, const mem_insn* insn, uint64_t count) {
    sim_engine* engine = run->engine;
    strict_state* state = engine->strict;
    if (is_padded(insn)) return run_fault(run, SIM_STRICT_PAD, VTA_MEM_OUT, 2, 0, 0);
    if (!insn->x_size) return SIM_OK;
    if (!insn->y_size) return run_fault(run, SIM_STRICT_ZERO_SIZE, insn->x_size, 0, 0, 0);
    if (insn->memory_type != VTA_MEM_OUT || insn->sram_base + count > engine->set.acc_depth) {
        return SIM_OK; /* refused anyway */
    }
    for (uint32_t i = insn->sram_base; i < insn->sram_base + count; i++) {
        int kind = strict_read(run, &state->acc, VTA_MEM_OUT, i, VTA_MODULE_STORE);
        if (kind) return kind;
        if (!engine->out_follows[i]) return run_fault(run, SIM_STRICT_OUT, i, 0, 0, 0);
    }
    state->last[VTA_MODULE_STORE].number = state->number[VTA_MODULE_STORE];
    state->last[VTA_MODULE_STORE].insn = run->insn;
    return SIM_OK;
}

void strict_finish(sim_engine* engine) {
    engine->strict->at_finish = engine->strict->clocks[VTA_MODULE_COMPUTE];
}

int strict_end(sim_run_state* run) {
    strict_state* state = run->engine->strict;
    static const int OTHERS[] = {VTA_MODULE_STORE, VTA_MODULE_LOAD};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        int module = OTHERS[i];
        if (state->last[module].number <= state->at_finish.at[module]) continue;
        run->insn = state->last[module].insn;
        run->module = module;
        return run_fault(run, SIM_STRICT_FINISH, 0, 0, 0, 0);
    }
    return SIM_OK;
}
