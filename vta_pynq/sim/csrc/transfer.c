/* LOAD and STORE. */
#include "engine.h"

/* A LOAD as this semantics carries it out. */
typedef struct {
    int type;
    uint64_t x_size, y_size, x_stride;
    uint64_t left, right, top, bottom; /* padding, in elements and rows */
} load_shape;

static load_shape shape_of(const sim_engine* engine, const mem_insn* insn) {
    load_shape shape = {(int)insn->memory_type, insn->x_size,  insn->y_size,  insn->x_stride,
                        insn->x_pad_0,          insn->x_pad_1, insn->y_pad_0, insn->y_pad_1};
    /* The HLS design ignores the padding of weights, and loads one row of micro-ops. */
    int plain = insn->memory_type == VTA_MEM_WGT || insn->memory_type == VTA_MEM_UOP;
    if (engine->set.hls && plain) {
        shape.left = shape.right = shape.top = shape.bottom = 0;
        if (insn->memory_type == VTA_MEM_UOP) shape.y_size = 1;
    }
    return shape;
}

static int load_rows(sim_run_state* run, const mem_insn* insn, load_shape shape) {
    sim_engine* engine = run->engine;
    uint32_t at = insn->sram_base;
    uint64_t width = shape.left + shape.x_size + shape.right;
    uint64_t elem_bytes = engine->set.elem_bytes[shape.type];
    uint64_t phys = run->job->base[shape.type] + insn->dram_base * elem_bytes;
    if (shape.x_stride == shape.x_size && width == shape.x_size) { /* rows without gaps */
        shape.x_size *= shape.y_size;
        shape.y_size = shape.y_size ? 1 : 0;
        width = shape.x_size;
    }
    sram_zero(engine, shape.type, at, shape.top * (shape.left + insn->x_size + shape.right));
    at += (uint32_t)(shape.top * (shape.left + insn->x_size + shape.right));
    for (uint64_t y = 0; y < shape.y_size; y++) {
        sram_zero(engine, shape.type, at, shape.left);
        if (shape.x_size) {
            const uint8_t* data = dram_read(run, shape.type, phys, shape.x_size * elem_bytes);
            if (!data) return run->fault->kind;
            sram_put(engine, shape.type, at + (uint32_t)shape.left, data, shape.x_size);
        }
        sram_zero(engine, shape.type, at + (uint32_t)(shape.left + shape.x_size), shape.right);
        at += (uint32_t)width;
        phys += shape.x_stride * elem_bytes;
    }
    sram_zero(engine, shape.type, at, shape.bottom * (shape.left + insn->x_size + shape.right));
    return SIM_OK;
}

int execute_load(sim_run_state* run, const mem_insn* insn) {
    sim_engine* engine = run->engine;
    const sim_settings* set = &engine->set;
    load_shape shape = shape_of(engine, insn);
    uint64_t width = shape.left + shape.x_size + shape.right;
    uint64_t total = width * (shape.top + shape.y_size + shape.bottom);
    if (set->strict) {
        int kind = strict_load(run, insn, total);
        if (kind) return kind;
    }
    /* Without elements there is nothing to pad, except in the HLS design. */
    if (!total || (!shape.x_size && !set->hls)) {
        run->counters->nops++;
        return SIM_OK;
    }
    if (shape.type == VTA_MEM_OUT || shape.type > VTA_MEM_ACC_8BIT) {
        return run_fault(run, SIM_MEMORY_TYPE, shape.type, 0, 0, 0);
    }
    if (shape.type == VTA_MEM_ACC_8BIT && set->hls && !set->load_acc8) return SIM_OK;
    uint32_t depth = sram_depth(engine, shape.type);
    if (insn->sram_base + total > depth) {
        return run_fault(run, SIM_SRAM_RANGE, shape.type, insn->sram_base, (int64_t)total, depth);
    }
    uint64_t data = shape.x_size * shape.y_size;
    int kind = run_spend(run, total * set->elem_bytes[shape.type] / 64);
    if (!kind) kind = load_rows(run, insn, shape);
    if (kind) return kind;
    sim_counters* counters = run->counters;
    counters->read_bytes[shape.type] += data * set->elem_bytes[shape.type];
    counters->moved_elems[shape.type] += data;
    counters->padding_elems[shape.type] += total - data;
    return SIM_OK;
}

/* OUT elements as they are: where they follow the accumulator, the accumulator. */
static void pack_out(const sim_engine* engine, uint8_t* to, uint64_t first, uint64_t count) {
    uint64_t lanes = engine->lanes, bytes = engine->set.elem_bytes[VTA_MEM_OUT];
    uint32_t width = engine->set.out_width;
    if (!engine->set.hls) {
        pack_values(to, engine->acc + first * lanes, count * lanes, width);
        return;
    }
    for (uint64_t i = first; i < first + count; i++, to += bytes) {
        const int32_t* from = engine->out_follows[i] ? engine->acc : engine->out;
        pack_values(to, from + i * lanes, lanes, width);
    }
}

int execute_store(sim_run_state* run, const mem_insn* insn) {
    sim_engine* engine = run->engine;
    uint64_t x_size = insn->x_size, y_size = insn->y_size, total = x_size * y_size;
    if (engine->set.strict) {
        int kind = strict_store(run, insn, total);
        if (kind) return kind;
    }
    if (!total) {
        run->counters->nops++;
        return SIM_OK;
    }
    if (insn->memory_type != VTA_MEM_OUT) {
        return run_fault(run, SIM_MEMORY_TYPE, insn->memory_type, 0, 0, 0);
    }
    if (insn->sram_base + total > engine->set.acc_depth) {
        return run_fault(run, SIM_SRAM_RANGE, VTA_MEM_OUT, insn->sram_base, (int64_t)total,
                         engine->set.acc_depth);
    }
    uint64_t elem_bytes = engine->set.elem_bytes[VTA_MEM_OUT];
    int kind = run_spend(run, total * elem_bytes / 64);
    if (kind) return kind;
    uint64_t at = insn->sram_base;
    uint64_t phys = run->job->base[VTA_MEM_OUT] + insn->dram_base * elem_bytes;
    if (insn->x_stride == x_size) { /* rows without gaps */
        x_size = total;
        y_size = 1;
    }
    for (uint64_t y = 0; y < y_size; y++) {
        uint8_t* to = dram_span(run, VTA_MEM_OUT, phys, x_size * elem_bytes, 1);
        if (to) {
            pack_out(engine, to, at, x_size);
        } else {
            uint8_t* bounce = run_bounce(run, x_size * elem_bytes);
            if (!bounce) return SIM_OUT_OF_MEMORY;
            pack_out(engine, bounce, at, x_size);
            kind = dram_write(run, VTA_MEM_OUT, phys, bounce, x_size * elem_bytes);
            if (kind) return kind;
        }
        at += x_size;
        phys += insn->x_stride * elem_bytes;
    }
    run->counters->written_bytes += total * elem_bytes;
    run->counters->moved_elems[VTA_MEM_OUT] += total;
    return SIM_OK;
}
