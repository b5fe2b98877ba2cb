/* The SRAMs: allocation, contents, and the layouts that the GEMM kernels read. */
#include "engine.h"

#define ALIGNMENT 64 /* of a cache line and of the widest vector */

void* engine_allocate(sim_engine* engine, uint64_t count, uint64_t size) {
    if (size && count > (SIZE_MAX - ALIGNMENT) / size) return NULL;
    if (engine->block_count == SIM_BLOCKS) return NULL;
    void* block = calloc(1, (size_t)(count * size) + ALIGNMENT);
    if (!block) return NULL;
    engine->blocks[engine->block_count++] = block;
    uintptr_t address = ((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return (void*)address;
}

/* SIM_OK, or SIM_OUT_OF_MEMORY. */
int sram_allocate(sim_engine* engine) {
    const sim_settings* set = &engine->set;
    int narrow = set->inp_width <= 8 && set->wgt_width <= 8;
    int complete = 1;
#define ALLOCATE(pointer, count) \
    complete &= ((pointer) = engine_allocate(engine, (count), sizeof *(pointer))) != NULL
    ALLOCATE(engine->uop, set->uop_depth);
    ALLOCATE(engine->uop_dst, set->uop_depth);
    ALLOCATE(engine->uop_src, set->uop_depth);
    ALLOCATE(engine->uop_wgt, set->uop_depth);
    ALLOCATE(engine->acc, (uint64_t)set->acc_depth * engine->lanes);
    ALLOCATE(engine->out, (uint64_t)set->acc_depth * engine->lanes);
    ALLOCATE(engine->out_follows, set->acc_depth);
    ALLOCATE(engine->list_dst, (uint64_t)engine->layout.gemm[GEMM_iter_in].mask + 1);
    ALLOCATE(engine->list_src, (uint64_t)engine->layout.gemm[GEMM_iter_in].mask + 1);
    if (narrow) {
        ALLOCATE(engine->view.inp, (uint64_t)set->inp_depth * engine->lanes);
        ALLOCATE(engine->view.wgt, (uint64_t)set->wgt_depth * engine->wgt_values);
        engine->gemm =
            engine->path->tiles && set->block % 16 == 0 ? engine->path->tiles : engine->path->rows;
        size_t inp_bytes = engine->gemm->inp_laid_bytes(set->batch, set->block);
        size_t wgt_bytes = engine->gemm->wgt_laid_bytes(set->block);
        engine->view.inp_laid = engine_allocate(engine, set->inp_depth, inp_bytes);
        engine->view.wgt_laid = engine_allocate(engine, set->wgt_depth, wgt_bytes);
        complete &= engine->view.inp_laid && engine->view.wgt_laid;
    } else {
        ALLOCATE(engine->inp32, (uint64_t)set->inp_depth * engine->lanes);
        ALLOCATE(engine->wgt32, (uint64_t)set->wgt_depth * engine->wgt_values);
    }
#undef ALLOCATE
    engine->view.acc = engine->acc;
    engine->view.batch = set->batch;
    engine->view.block = set->block;
    return complete ? SIM_OK : SIM_OUT_OF_MEMORY;
}

uint32_t sram_depth(const sim_engine* engine, int memory_type) {
    switch (memory_type) {
        case VTA_MEM_UOP:
            return engine->set.uop_depth;
        case VTA_MEM_WGT:
            return engine->set.wgt_depth;
        case VTA_MEM_INP:
            return engine->set.inp_depth;
        default:
            return engine->set.acc_depth;
    }
}

static void decode_uops(sim_engine* engine, uint32_t first, uint64_t count) {
    const sim_slot* slots = engine->layout.uop;
    const uint32_t* from = engine->uop + first;
    uint16_t* lists[UOP_FIELDS] = {engine->uop_dst, engine->uop_src, engine->uop_wgt};
    for (int field = 0; field < UOP_FIELDS; field++) {
        uint16_t* to = lists[field] + first;
        uint32_t shift = slots[field].shift, mask = (uint32_t)slots[field].mask;
        for (uint64_t i = 0; i < count; i++) to[i] = (uint16_t)((from[i] >> shift) & mask);
    }
    engine->uop_version++;
}

static void lay_out(sim_engine* engine, int memory_type, uint32_t first, uint64_t count) {
    if (!engine->gemm) return;
    if (memory_type == VTA_MEM_INP) {
        engine->gemm->lay_inp(&engine->view, first, (uint32_t)count);
    } else if (memory_type == VTA_MEM_WGT) {
        engine->gemm->lay_wgt(&engine->view, first, (uint32_t)count);
    }
}

void sram_part_out(sim_engine* engine, uint32_t first, uint64_t count) {
    if (!engine_tracks_out(engine)) return;
    uint32_t lanes = engine->lanes;
    for (uint64_t i = first; i < first + count; i++) {
        if (!engine->out_follows[i]) continue;
        memcpy(engine->out + i * lanes, engine->acc + i * lanes, lanes * sizeof *engine->out);
        engine->out_follows[i] = 0;
    }
}

void sram_zero(sim_engine* engine, int memory_type, uint32_t first, uint64_t count) {
    uint64_t lanes = engine->lanes, values = engine->wgt_values;
    if (!count) return;
    switch (memory_type) {
        case VTA_MEM_UOP:
            memset(engine->uop + first, 0, count * sizeof *engine->uop);
            decode_uops(engine, first, count);
            break;
        case VTA_MEM_WGT:
            if (engine->gemm) {
                memset(engine->view.wgt + first * values, 0, count * values);
            } else {
                memset(engine->wgt32 + first * values, 0, count * values * sizeof(int32_t));
            }
            break;
        case VTA_MEM_INP:
            if (engine->gemm) {
                memset(engine->view.inp + first * lanes, 0, count * lanes);
            } else {
                memset(engine->inp32 + first * lanes, 0, count * lanes * sizeof(int32_t));
            }
            break;
        default:
            sram_part_out(engine, first, count);
            memset(engine->acc + first * lanes, 0, count * lanes * sizeof(int32_t));
    }
    lay_out(engine, memory_type, first, count);
}

void sram_put(sim_engine* engine, int memory_type, uint32_t first, const uint8_t* data,
              uint64_t count) {
    const sim_settings* set = &engine->set;
    uint64_t lanes = engine->lanes, values = engine->wgt_values;
    switch (memory_type) {
        case VTA_MEM_UOP:
            memcpy(engine->uop + first, data, count * sizeof *engine->uop);
            decode_uops(engine, first, count);
            break;
        case VTA_MEM_WGT:
            if (engine->gemm) {
                unpack_values8(engine->view.wgt + first * values, data, count * values,
                               set->wgt_width);
            } else {
                unpack_values32(engine->wgt32 + first * values, data, count * values,
                                set->wgt_width);
            }
            break;
        case VTA_MEM_INP:
            if (engine->gemm) {
                unpack_values8(engine->view.inp + first * lanes, data, count * lanes,
                               set->inp_width);
            } else {
                unpack_values32(engine->inp32 + first * lanes, data, count * lanes, set->inp_width);
            }
            break;
        default:
            sram_part_out(engine, first, count);
            unpack_values32(engine->acc + first * lanes, data, count * lanes,
                            memory_type == VTA_MEM_ACC ? set->acc_width : set->inp_width);
    }
    lay_out(engine, memory_type, first, count);
}
