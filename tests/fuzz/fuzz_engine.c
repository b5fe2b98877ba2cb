/* Throws random and mutated streams at the engine; meant for a build with sanitizers.
 *
 * Usage: fuzz_engine CORPUS STREAMS SEED. CORPUS is written by `python -m tests.fuzz`: settings
 * of engines and streams for them. Every stream runs on all paths of the machine, which must
 * agree on the fault, on DRAM and on the tokens. DRAM lies in blocks of exactly its size, so that
 * the address sanitizer sees the first byte out of bounds. */
#include <inttypes.h>
#include <stdio.h>

#include "engine.h"

#define MAX_PATHS 4
#define MAX_SEGMENTS 16
#define BUDGET 20000

typedef struct {
    sim_settings settings;
    sim_slot mem[MEM_FIELDS], gemm[GEMM_FIELDS], alu[ALU_FIELDS], requant[REQUANT_FIELDS];
    sim_slot uop[UOP_FIELDS];
} setup;

typedef struct {
    uint64_t phys, size;
    uint8_t* data;
} range;

typedef struct {
    uint64_t setup_number, insn_phys, insn_count, range_count;
    range ranges[MAX_SEGMENTS];
} example;

static uint64_t random_state;

static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1du;
}

static uint64_t below(uint64_t limit) { return limit ? (random_bits() >> 11) % limit : 0; }

static void die(const char* what) {
    fprintf(stderr, "fuzz_engine: %s\n", what);
    abort();
}

static void* take(FILE* file, uint64_t size) {
    void* data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size) die("corpus must be complete");
    return data;
}

static uint64_t take_number(FILE* file) {
    uint64_t *number = take(file, sizeof *number), value = *number;
    free(number);
    return value;
}

static example take_example(FILE* file) {
    example found;
    memset(&found, 0, sizeof found);
    found.setup_number = take_number(file);
    found.insn_phys = take_number(file);
    found.insn_count = take_number(file);
    found.range_count = take_number(file);
    if (found.range_count > MAX_SEGMENTS) die("corpus must have fewer ranges");
    for (uint64_t i = 0; i < found.range_count; i++) {
        found.ranges[i].phys = take_number(file);
        found.ranges[i].size = take_number(file);
        found.ranges[i].data = take(file, found.ranges[i].size);
    }
    return found;
}

/* ---- mutation ------------------------------------------------------------------------------ */

static uint64_t interesting(uint64_t mask) {
    uint64_t any = random_bits(), small = below(8); /* initialisers run in no fixed order */
    const uint64_t values[] = {0, 1, mask, mask - 1, mask / 2, mask / 2 + 1, any, small};
    return values[below(sizeof values / sizeof *values)] & mask;
}

static void set_field(uint64_t* words, const sim_slot* slot) {
    words[slot->word] &= ~(slot->mask << slot->shift);
    words[slot->word] |= interesting(slot->mask) << slot->shift;
}

/* Changes one instruction: a field of its own format, a flag, its opcode, or any bits. */
static void mutate_insn(const setup* with, uint8_t* insn) {
    uint64_t words[2];
    memcpy(words, insn, sizeof words);
    uint64_t choice = below(16), opcode = words[0] & 7;
    if (choice < 10) {
        const sim_slot* slots = opcode == VTA_OPCODE_GEMM      ? with->gemm
                                : opcode == VTA_OPCODE_ALU     ? with->alu
                                : opcode == VTA_OPCODE_REQUANT ? with->requant
                                                               : with->mem;
        uint64_t count = opcode == VTA_OPCODE_GEMM      ? GEMM_FIELDS
                         : opcode == VTA_OPCODE_ALU     ? ALU_FIELDS
                         : opcode == VTA_OPCODE_REQUANT ? REQUANT_FIELDS
                                                        : MEM_FIELDS;
        set_field(words, &slots[1 + below(count - 1)]);
    } else if (choice < 12) {
        set_field(words, &with->mem[MEM_opcode]);
    } else if (choice < 15) {
        uint64_t bit = below(128);
        words[bit / 64] ^= (uint64_t)1 << (bit % 64);
    } else {
        words[0] = random_bits();
        words[1] = random_bits();
    }
    memcpy(insn, words, sizeof words);
}

static void mutate_order(uint8_t* insns, uint64_t count) {
    uint8_t* a = insns + VTA_INSN_BYTES * below(count);
    uint8_t* b = insns + VTA_INSN_BYTES * below(count);
    uint8_t held[VTA_INSN_BYTES];
    memcpy(held, a, sizeof held);
    memmove(a, b, sizeof held);
    if (below(2)) memcpy(b, held, sizeof held);
}

static range* range_at(example* of, uint64_t phys) {
    for (uint64_t i = 0; i < of->range_count; i++) {
        range* at = &of->ranges[i];
        if (phys >= at->phys && phys - at->phys < at->size) return at;
    }
    die("the instructions must lie in a range");
    return NULL;
}

static void mutate(const setup* with, example* stream) {
    range* insns = range_at(stream, stream->insn_phys);
    uint64_t count = stream->insn_count, n = 1 + below(6);
    uint8_t* first = insns->data + (stream->insn_phys - insns->phys);
    if (below(50) == 0) { /* nothing but noise */
        for (uint64_t i = 0; i < count * VTA_INSN_BYTES; i++) first[i] = (uint8_t)random_bits();
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t choice = below(12);
        range* any = &stream->ranges[below(stream->range_count)];
        if (choice < 8) {
            mutate_insn(with, first + VTA_INSN_BYTES * below(count));
        } else if (choice < 10) {
            mutate_order(first, count);
        } else if (choice == 10) {
            uint8_t* byte = any->data + below(any->size);
            *byte = (uint8_t)random_bits();
        } else if (any != insns && any->size > 1) {
            any->size -= below(any->size < 64 ? any->size : 64); /* a shorter buffer */
        }
    }
    if (below(20) == 0) stream->insn_count = below(count + 3);
}

/* ---- running ------------------------------------------------------------------------------- */

typedef struct {
    sim_fault fault;
    sim_counters counters;
    uint32_t tokens[VTA_TOKEN_COUNT];
    range ranges[MAX_SEGMENTS];
} outcome;

static void run_one(sim_engine* engine, const example* stream, const sim_job* job,
                    const uint32_t* tokens, outcome* result) {
    sim_segment segments[MAX_SEGMENTS];
    for (uint64_t i = 0; i < stream->range_count; i++) {
        const range* from = &stream->ranges[i];
        uint8_t* copy = malloc(from->size);
        if (!copy) die("memory must suffice");
        memcpy(copy, from->data, from->size);
        segments[i] = (sim_segment){from->phys, from->size, copy, i % 5 != 4};
        result->ranges[i] = (range){from->phys, from->size, copy};
    }
    sim_set_tokens(engine, tokens);
    sim_run(engine, segments, stream->range_count, job, &result->counters, &result->fault);
    sim_get_tokens(engine, result->tokens);
}

static int same(const outcome* a, const outcome* b, uint64_t ranges) {
    if (a->fault.kind != b->fault.kind || a->fault.insn != b->fault.insn) return 0;
    if (memcmp(a->tokens, b->tokens, sizeof a->tokens)) return 0;
    if (memcmp(&a->counters, &b->counters, sizeof a->counters)) return 0;
    for (uint64_t i = 0; i < ranges; i++) {
        if (memcmp(a->ranges[i].data, b->ranges[i].data, a->ranges[i].size)) return 0;
    }
    return 1;
}

static uint64_t digest = 0xcbf29ce484222325u; /* FNV-1a of all outcomes; the same on any machine */

static void digest_bytes(const void* data, uint64_t size) {
    const uint8_t* bytes = data;
    for (uint64_t i = 0; i < size; i++) digest = (digest ^ bytes[i]) * 0x100000001b3u;
}

static int run_all(sim_engine* const* engines, int paths, const example* stream) {
    outcome results[MAX_PATHS];
    uint32_t tokens[VTA_TOKEN_COUNT] = {0};
    if (below(4) == 0) {
        for (int t = 0; t < VTA_TOKEN_COUNT; t++) tokens[t] = (uint32_t)below(4);
    }
    sim_job job = {stream->insn_phys, stream->insn_count, {0}, BUDGET, 0, 0, NULL};
    if (below(4) == 0) job.order_seed = random_bits() | 1;
    if (below(16) == 0) {
        uint64_t* base = &job.base[below(SIM_MEM_TYPES)];
        *base = below(1u << 31);
    }
    for (int p = 0; p < paths; p++) run_one(engines[p], stream, &job, tokens, &results[p]);
    for (int p = 1; p < paths; p++) {
        if (!same(&results[0], &results[p], stream->range_count)) die("paths must agree");
    }
    digest_bytes(&results[0].fault.kind, sizeof results[0].fault.kind);
    digest_bytes(&results[0].fault.insn, sizeof results[0].fault.insn);
    digest_bytes(results[0].tokens, sizeof results[0].tokens);
    for (uint64_t i = 0; i < stream->range_count; i++) {
        digest_bytes(results[0].ranges[i].data, results[0].ranges[i].size);
    }
    for (int p = 0; p < paths; p++) {
        for (uint64_t i = 0; i < stream->range_count; i++) free(results[p].ranges[i].data);
    }
    return results[0].fault.kind;
}

int main(int argc, char** argv) {
    if (argc != 4) die("usage: fuzz_engine CORPUS STREAMS SEED");
    FILE* file = fopen(argv[1], "rb");
    if (!file) die("corpus must be readable");
    uint64_t streams = strtoull(argv[2], NULL, 10);
    random_state = strtoull(argv[3], NULL, 10) * 2 + 1;
    uint64_t setup_count = take_number(file);
    setup* setups = take(file, setup_count * sizeof *setups);
    uint64_t example_count = take_number(file);
    example* examples = calloc(example_count, sizeof *examples);
    sim_engine*(*engines)[MAX_PATHS] = calloc(setup_count, sizeof *engines);
    if (!examples || !engines || !example_count) die("memory must suffice");
    for (uint64_t i = 0; i < example_count; i++) examples[i] = take_example(file);
    fclose(file);
    int paths = 0;
    for (int path = 0; sim_path_name(path); path++) {
        if (!sim_path_available(path)) continue;
        for (uint64_t i = 0; i < setup_count; i++) {
            const setup* with = &setups[i];
            const sim_slots slots = {with->mem, with->gemm, with->alu, with->requant, with->uop};
            engines[i][paths] = sim_new(&with->settings, &slots, path);
            if (!engines[i][paths]) die("engines must be made");
        }
        paths++;
    }
    uint64_t kinds[SIM_STRICT_FINISH + 1] = {0};
    for (uint64_t number = 0; number < streams; number++) {
        example stream = examples[below(example_count)];
        for (uint64_t i = 0; i < stream.range_count; i++) {
            uint8_t* copy = malloc(stream.ranges[i].size);
            if (!copy) die("memory must suffice");
            memcpy(copy, stream.ranges[i].data, stream.ranges[i].size);
            stream.ranges[i].data = copy;
        }
        if (below(64)) mutate(&setups[stream.setup_number], &stream);
        kinds[run_all(engines[stream.setup_number], paths, &stream)]++;
        for (uint64_t i = 0; i < stream.range_count; i++) free(stream.ranges[i].data);
        if (below(500) == 0) {
            uint64_t seed = random_bits();
            for (int p = 0; p < paths; p++) sim_poison(engines[stream.setup_number][p], seed);
        }
    }
    for (uint64_t i = 0; i < setup_count; i++) {
        for (int p = 0; p < paths; p++) sim_free(engines[i][p]);
    }
    for (uint64_t i = 0; i < example_count; i++) {
        for (uint64_t r = 0; r < examples[i].range_count; r++) free(examples[i].ranges[r].data);
    }
    free(engines), free(examples), free(setups);
    printf("%" PRIu64 " streams on %d paths, digest %016" PRIx64 ":", streams, paths, digest);
    for (int kind = 0; kind <= SIM_STRICT_FINISH; kind++) printf(" %" PRIu64, kinds[kind]);
    printf("\n");
    return 0;
}
