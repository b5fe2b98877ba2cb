/* Construction, inspection and clearing of an engine. */
#include "engine.h"

static const sim_path* const PATHS[] = {
    &sim_path_portable,
#if HAVE_X86_PATHS
    &sim_path_avx2,
    &sim_path_avx512vnni,
#endif
#if HAVE_NEON_PATH
    &sim_path_neon,
#endif
};
#define PATH_COUNT ((int)(sizeof PATHS / sizeof *PATHS))

const char* sim_path_name(int path) {
    return path >= 0 && path < PATH_COUNT ? PATHS[path]->name : NULL;
}

int sim_path_available(int path) {
    return path >= 0 && path < PATH_COUNT && PATHS[path]->available();
}

sim_engine* sim_new(const sim_settings* settings, const sim_slots* slots, int path) {
    sim_engine* engine = sim_path_available(path) ? calloc(1, sizeof *engine) : NULL;
    if (!engine) return NULL;
    engine->set = *settings;
    memcpy(engine->layout.mem, slots->mem, sizeof engine->layout.mem);
    memcpy(engine->layout.gemm, slots->gemm, sizeof engine->layout.gemm);
    memcpy(engine->layout.alu, slots->alu, sizeof engine->layout.alu);
    memcpy(engine->layout.requant, slots->requant, sizeof engine->layout.requant);
    memcpy(engine->layout.uop, slots->uop, sizeof engine->layout.uop);
    engine->path = PATHS[path];
    engine->lanes = settings->batch * settings->block;
    engine->wgt_values = settings->block * settings->block;
    /* A unit of work is a few nanoseconds on a fast path. */
    engine->gemm_work = 1 + (uint64_t)engine->lanes * settings->block / 256;
    engine->alu_work = 1 + engine->lanes / 64;
    if (sram_allocate(engine) || (settings->strict && strict_allocate(engine))) {
        sim_free(engine);
        return NULL;
    }
    /* New memory is zero already, and large buffers cost nothing until they are touched. */
    engine->uop_version = 1;
    if (engine->gemm && !engine->gemm->zero_stays_zero) {
        engine->gemm->lay_inp(&engine->view, 0, settings->inp_depth);
        engine->gemm->lay_wgt(&engine->view, 0, settings->wgt_depth);
    }
    return engine;
}

void sim_free(sim_engine* engine) {
    if (!engine) return;
    strict_free(engine); /* its state is one of the blocks */
    for (int i = 0; i < engine->block_count; i++) free(engine->blocks[i]);
    free(engine);
}

void sim_reset(sim_engine* engine) {
    static const int TYPES[] = {VTA_MEM_UOP, VTA_MEM_WGT, VTA_MEM_INP, VTA_MEM_ACC};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        sram_zero(engine, TYPES[i], 0, sram_depth(engine, TYPES[i]));
    }
    memset(engine->out, 0, (size_t)engine->set.acc_depth * engine->lanes * sizeof *engine->out);
    memset(engine->out_follows, 0, engine->set.acc_depth);
    memset(engine->tokens, 0, sizeof engine->tokens);
    if (engine->set.strict) strict_reset(engine);
}

/* splitmix64: one well-mixed number per state. */
static uint64_t next_random(uint64_t* state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_poison(sim_engine* engine, uint64_t seed) {
    static const int TYPES[] = {VTA_MEM_UOP, VTA_MEM_WGT, VTA_MEM_INP, VTA_MEM_ACC};
    const sim_settings* set = &engine->set;
    for (size_t t = 0; t < sizeof TYPES / sizeof *TYPES; t++) {
        uint32_t bytes = set->elem_bytes[TYPES[t]];
        uint8_t* element = malloc(bytes + sizeof(uint64_t));
        for (uint32_t i = 0; element && i < sram_depth(engine, TYPES[t]); i++) {
            for (uint32_t at = 0; at < bytes; at += sizeof(uint64_t)) {
                uint64_t garbage = next_random(&seed);
                memcpy(element + at, &garbage, sizeof garbage);
            }
            sram_put(engine, TYPES[t], i, element, 1);
        }
        free(element);
    }
    for (uint64_t i = 0; i < (uint64_t)set->acc_depth * engine->lanes; i++) {
        engine->out[i] = sign_extend((uint32_t)next_random(&seed), set->out_width);
    }
    memset(engine->out_follows, 0, set->acc_depth);
    if (set->strict) strict_reset(engine);
}

void sim_get_tokens(const sim_engine* engine, uint32_t* tokens) {
    memcpy(tokens, engine->tokens, sizeof engine->tokens);
}

void sim_set_tokens(sim_engine* engine, const uint32_t* tokens) {
    memcpy(engine->tokens, tokens, sizeof engine->tokens);
}

uint64_t sim_sram_values(const sim_engine* engine, int memory_type) {
    uint64_t depth = sram_depth(engine, memory_type);
    if (memory_type == VTA_MEM_UOP) return depth;
    return depth * (memory_type == VTA_MEM_WGT ? engine->wgt_values : engine->lanes);
}

void sim_read_sram(const sim_engine* engine, int memory_type, int32_t* values) {
    uint64_t count = sim_sram_values(engine, memory_type);
    const int8_t* narrow = memory_type == VTA_MEM_INP ? engine->view.inp : engine->view.wgt;
    const int32_t* wide = memory_type == VTA_MEM_INP ? engine->inp32 : engine->wgt32;
    switch (memory_type) {
        case VTA_MEM_UOP:
            memcpy(values, engine->uop, count * sizeof *values);
            break;
        case VTA_MEM_WGT:
        case VTA_MEM_INP:
            for (uint64_t i = 0; i < count; i++) values[i] = engine->gemm ? narrow[i] : wide[i];
            break;
        case VTA_MEM_OUT:
            for (uint64_t i = 0; i < count; i++) {
                int follows = !engine->set.hls || engine->out_follows[i / engine->lanes];
                uint32_t value = (uint32_t)(follows ? engine->acc[i] : engine->out[i]);
                values[i] = sign_extend(value, engine->set.out_width);
            }
            break;
        default:
            memcpy(values, engine->acc, count * sizeof *values);
    }
}
