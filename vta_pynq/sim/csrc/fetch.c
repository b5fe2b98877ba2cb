/* Fetch: reads instructions, finds their module and tokens, and fills the queues. */
#include "schedule.h"

#define FLAG_pop_prev 0
#define FLAG_pop_next 1
#define FLAG_push_prev 0
#define FLAG_push_next 1
#define TOKEN_NUMBER(name, producer, push, consumer, pop) TOKEN_##name,
enum { VTA_TOKENS(TOKEN_NUMBER) };

/* The token that a module's flag (prev, next) pops or pushes, as a bit; 0: it has no partner. */
#define POP_ENTRY(name, producer, push, consumer, pop) \
    [consumer][FLAG_##pop] = (uint8_t)(1 << TOKEN_##name),
#define PUSH_ENTRY(name, producer, push, consumer, pop) \
    [producer][FLAG_##push] = (uint8_t)(1 << TOKEN_##name),
static const uint8_t POPS[SIM_MODULES][2] = {VTA_TOKENS(POP_ENTRY)};
static const uint8_t PUSHES[SIM_MODULES][2] = {VTA_TOKENS(PUSH_ENTRY)};

static int module_of(const sim_settings* set, uint32_t opcode, uint32_t memory_type) {
    switch (opcode) {
        case VTA_OPCODE_STORE:
            return VTA_MODULE_STORE;
        case VTA_OPCODE_LOAD:
            return memory_type == VTA_MEM_INP || memory_type == VTA_MEM_WGT ? VTA_MODULE_LOAD
                                                                            : VTA_MODULE_COMPUTE;
        case VTA_OPCODE_GEMM:
        case VTA_OPCODE_ALU:
        case VTA_OPCODE_FINISH:
            return VTA_MODULE_COMPUTE;
        case VTA_OPCODE_REQUANT:
            return set->alu_requant ? VTA_MODULE_COMPUTE : VTA_MODULE_FETCH;
        default:
            return VTA_MODULE_FETCH;
    }
}

int fetch_insn(schedule* plan, queued* item) {
    sim_run_state* run = &plan->run;
    run->insn = plan->fetched;
    run->module = VTA_MODULE_FETCH;
    if (plan->insns) {
        memcpy(item->words, plan->insns + plan->fetched * VTA_INSN_BYTES, VTA_INSN_BYTES);
    } else {
        uint64_t phys = run->job->insn_phys + plan->fetched * VTA_INSN_BYTES;
        const uint8_t* bytes = dram_read(run, DRAM_SLOT_INSN, phys, VTA_INSN_BYTES);
        if (!bytes) return run->fault->kind;
        memcpy(item->words, bytes, VTA_INSN_BYTES);
    }
    if (plan->fetched_finish) return run_fault(run, SIM_AFTER_FINISH, 0, 0, 0, 0);
    const sim_slot* slots = run->engine->layout.mem;
    uint32_t opcode = field_of(item->words, &slots[MEM_opcode]);
    uint32_t memory_type = field_of(item->words, &slots[MEM_memory_type]);
    int module = module_of(&run->engine->set, opcode, memory_type);
    if (module == VTA_MODULE_FETCH) return run_fault(run, SIM_OPCODE, opcode, 0, 0, 0);
    const int pop[2] = {(int)field_of(item->words, &slots[MEM_pop_prev]),
                        (int)field_of(item->words, &slots[MEM_pop_next])};
    const int push[2] = {(int)field_of(item->words, &slots[MEM_push_prev]),
                         (int)field_of(item->words, &slots[MEM_push_next])};
    item->insn = plan->fetched++;
    item->opcode = (uint8_t)opcode;
    item->module = (uint8_t)module;
    item->pops = item->pushes = item->foreign_flags = 0;
    for (int flag = 0; flag < 2; flag++) {
        if (pop[flag]) item->pops |= POPS[module][flag];
        if (push[flag]) item->pushes |= PUSHES[module][flag];
        item->foreign_flags |= (uint8_t)((pop[flag] && !POPS[module][flag]) |
                                         ((push[flag] && !PUSHES[module][flag]) << 1));
    }
    plan->fetched_finish = opcode == VTA_OPCODE_FINISH;
    run->counters->insns[VTA_MODULE_FETCH]++;
    run->counters->insn_bytes += VTA_INSN_BYTES;
    return SIM_OK;
}

int enqueue_insn(schedule* plan, const queued* item) {
    queue* to = &plan->queues[item->module];
    if (to->head == to->tail) to->head = to->tail = 0;
    if (to->tail == to->size && to->head >= to->size / 2 && to->head) {
        memmove(to->items, to->items + to->head, (to->tail - to->head) * sizeof *to->items);
        to->tail -= to->head;
        to->head = 0;
    }
    if (to->tail == to->size) {
        uint64_t size = to->size ? 2 * to->size : 64;
        queued* grown =
            size > SIZE_MAX / sizeof *grown ? NULL : realloc(to->items, size * sizeof *grown);
        if (!grown) {
            return run_fault(&plan->run, SIM_OUT_OF_MEMORY, (int64_t)(size * sizeof *grown), 0, 0,
                             0);
        }
        to->items = grown;
        to->size = size;
    }
    to->items[to->tail++] = *item;
    plan->waiting++;
    return SIM_OK;
}
