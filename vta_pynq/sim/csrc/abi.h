/* The engine's interface: what Python (through cffi) and the fuzz driver call. cffi reads this very
 * file, so it holds declarations only; lines that begin with # are left out there. */

#ifndef VTA_SIM_ABI_H
#define VTA_SIM_ABI_H

#include <stdint.h>

/* Where a field of an instruction lies: `(words[word] >> shift) & mask`. */
typedef struct {
    uint64_t mask;
    uint8_t word;
    uint8_t shift;
    uint8_t width;
    uint8_t is_signed;
} sim_slot;

/* One hardware configuration, how strict to be, and the limits that `strict` checks. */
typedef struct {
    uint32_t inp_width, wgt_width, acc_width, out_width; /* bits of one value */
    uint32_t batch, block;
    uint32_t uop_depth, inp_depth, wgt_depth, acc_depth;
    uint32_t elem_bytes[6]; /* by memory type: bytes of one element in DRAM */
    uint32_t shift_bits;    /* hls: bits of the shift amount that count */
    uint8_t hls;            /* semantics of the published HLS design, else functional */
    uint8_t alu_mul, alu_requant, load_acc8;
    uint8_t strict;
    /* Limits of the profile that `strict` checks. */
    uint32_t insn_queue_depth;
    uint32_t token_capacity;
    uint8_t tokens_saturate;
    uint8_t alu_imm_reads_src;
    uint8_t alu_src_limit;
    uint32_t gemm_acc_distance, alu_dst_distance, alu_imm_distance, alu_src_distance;
    uint32_t uop_depth_limit;
    int32_t shift_imm_min, shift_imm_max, shift_reg_min, shift_reg_max;
} sim_settings;

/* A range of DRAM. Sorted by address and disjoint in the array given to `sim_run`. */
typedef struct {
    uint64_t phys;
    uint64_t size;
    uint8_t* data;
    int32_t writable;
} sim_segment;

/* What one run did. */
typedef struct {
    uint64_t insns[4];         /* by module; fetch counts all of them */
    uint64_t nops;             /* loads and stores that move nothing and pad nothing */
    uint64_t insn_bytes;       /* instructions read */
    uint64_t read_bytes[6];    /* by memory type */
    uint64_t written_bytes;    /* by STORE */
    uint64_t moved_elems[6];   /* by memory type: elements loaded, OUT: stored */
    uint64_t padding_elems[6]; /* by memory type: zeros written by padding */
    uint64_t gemm_uops;        /* micro-op executions that multiply */
    uint64_t gemm_reset_uops;  /* micro-op executions that reset */
    uint64_t gemm_macs;        /* multiply-accumulates: gemm_uops x batch x block x block */
    uint64_t alu_uops;         /* micro-op executions of the ALU, REQUANT included */
    uint64_t alu_ops;          /* lane operations: alu_uops x batch x block */
    uint64_t work;             /* units spent of the budget */
} sim_counters;

enum sim_kind {
    SIM_OK = 0,
    SIM_OPCODE,
    SIM_MEMORY_TYPE,
    SIM_ALU_OPCODE,
    SIM_SRAM_RANGE,
    SIM_UOP_RANGE,
    SIM_INDEX_RANGE,
    SIM_DRAM_RANGE,
    SIM_DRAM_READONLY,
    SIM_INSN_RANGE,
    SIM_DEADLOCK,
    SIM_NO_FINISH,
    SIM_AFTER_FINISH,
    SIM_BUDGET,
    SIM_OUT_OF_MEMORY,
    /* Only in strict mode. */
    SIM_STRICT_ZERO_ITER,
    SIM_STRICT_ZERO_SIZE,
    SIM_STRICT_PAD,
    SIM_STRICT_UOP_2D,
    SIM_STRICT_CAPABILITY,
    SIM_STRICT_SHIFT,
    SIM_STRICT_DISTANCE,
    SIM_STRICT_OUT,
    SIM_STRICT_UNDEFINED,
    SIM_STRICT_FLAG,
    SIM_STRICT_TOKENS,
    SIM_STRICT_UOP_DEPTH,
    SIM_STRICT_IMM_SRC,
    SIM_STRICT_SRC_WIDTH,
    SIM_STRICT_RACE,
    SIM_STRICT_FINISH
};

/* Why a run ended early. `insn` is the index in the stream; details depend on the kind. */
typedef struct {
    int32_t kind;
    int32_t module;
    int64_t insn;
    int64_t detail[4];
    /* For a deadlock, by module: the instruction at the head of its queue (-1: none), the bits of
     * the tokens that it waits for, those that it cannot push, and the queue's length. */
    int64_t head[4];
    uint32_t waits[4];
    uint32_t pushes[4];
    int64_t queued[4];
    int64_t fetched;
} sim_fault;

typedef struct {
    uint64_t insn_phys;
    uint64_t insn_count;
    uint64_t base[6]; /* by memory type, bytes added to every address */
    uint64_t budget;
    uint64_t order_seed; /* 0: program order, else a pseudo-random order of ready modules */
    uint64_t trace_size; /* entries of `trace` */
    uint32_t* trace;     /* may be NULL: instruction indices in the order of execution */
} sim_job;

typedef struct sim_engine sim_engine;

/* Paths that this build and this machine have, by number; NULL past the last. The last is best. */
const char* sim_path_name(int path);
int sim_path_available(int path);

/* Where the fields of each format lie: slots in the order of the generated field lists. */
typedef struct {
    const sim_slot *mem, *gemm, *alu, *requant, *uop;
} sim_slots;

/* NULL: no memory. */
sim_engine* sim_new(const sim_settings* settings, const sim_slots* slots, int path);
void sim_free(sim_engine* engine);
void sim_reset(sim_engine* engine);
void sim_poison(sim_engine* engine, uint64_t seed);
void sim_get_tokens(const sim_engine* engine, uint32_t* tokens);
void sim_set_tokens(sim_engine* engine, const uint32_t* tokens);
/* Values of one SRAM, sign-extended, `sim_sram_values` of them. UOP gives raw micro-ops. */
uint64_t sim_sram_values(const sim_engine* engine, int memory_type);
void sim_read_sram(const sim_engine* engine, int memory_type, int32_t* values);
/* Returns a sim_kind, also left in `fault`. `counters` is complete in both cases. */
int sim_run(sim_engine* engine, const sim_segment* segments, uint64_t segment_count,
            const sim_job* job, sim_counters* counters, sim_fault* fault);

#endif
