/* What Python sees of the checker's C core; build_lint.py hands this file to cffi as it is, so it
 * holds declarations only: no preprocessor lines. */

/* One decoded instruction: the layout of vta_pynq.isa.encode.INSN_DTYPE, checked at import. */
typedef struct {
    uint8_t opcode, pop_prev, pop_next, push_prev, push_next, memory_type;
    uint8_t y_pad_0, y_pad_1, x_pad_0, x_pad_1, reset, alu_opcode, use_imm;
    uint8_t use_bias, use_mul, shift;
    int8_t clip_lo;
    uint8_t clip_hi;
    int16_t imm;
    uint16_t sram_base, y_size, x_size, x_stride, uop_bgn, uop_end, iter_out, iter_in;
    uint16_t dst_factor_out, dst_factor_in, src_factor_out, src_factor_in;
    uint16_t wgt_factor_out, wgt_factor_in;
    uint32_t dram_base;
} lint_insn;

/* What was found. Each comment names the arguments a, b, c, d in order; vta_pynq/lint/rules.py
 * turns them into messages. */
typedef enum {
    LINT_TOKEN_DEADLOCK,    /* token, tokens that ever arrive */
    LINT_QUEUE_DEADLOCK,    /* token, stalled instruction, full module, capacity */
    LINT_FIFO_DEADLOCK,     /* token, capacity */
    LINT_TOKEN_OVERFLOW,    /* token, tokens outstanding */
    LINT_TOKEN_LEFTOVER,    /* token, count at the start, count at the end */
    LINT_TOKEN_PARTNER,     /* flag: pop_prev, pop_next, push_prev, push_next */
    LINT_OPCODE,            /* opcode */
    LINT_LOAD_TYPE,         /* memory type */
    LINT_STORE_TYPE,        /* memory type */
    LINT_ALU_OPCODE,        /* operation */
    LINT_BATCH,             /* - */
    LINT_SRAM_RANGE,        /* memory type, first, end, depth */
    LINT_INDEX_RANGE,       /* memory type, largest index, depth */
    LINT_UOP_RANGE,         /* end, depth */
    LINT_DRAM_LIMIT,        /* first byte, end */
    LINT_DRAM_PAGE_ZERO,    /* first byte */
    LINT_DRAM_OUTSIDE,      /* first byte of the row, end */
    LINT_STORE_CODE,        /* byte address, segment */
    LINT_UNWRITTEN,         /* memory type, first element, elements */
    LINT_UOP_UNKNOWN,       /* micro-op */
    LINT_DISTANCE,          /* accumulator, distance, least distance, role */
    LINT_DISTANCE_HARMLESS, /* the same */
    LINT_STORE_SOURCE,      /* first element, elements, kind of writer, writing instruction */
    LINT_FINISH_MISSING,    /* - */
    LINT_FINISH_LAST,       /* later instruction of compute */
    LINT_FINISH_STORE,      /* store */
    LINT_FINISH_LOAD,       /* load */
    LINT_SHIFT_IMM,         /* amount */
    LINT_SHIFT_REG,         /* amount, accumulator */
    LINT_SHIFT_UNKNOWN,     /* accumulator */
    LINT_LOOP_EMPTY,        /* loop: iter_out, iter_in, micro-op range */
    LINT_PAD_WGT,           /* - */
    LINT_PAD_STORE,         /* - */
    LINT_PAD_UOP,           /* - */
    LINT_PAD_EMPTY,         /* - */
    LINT_ROWS_ZERO,         /* x_size */
    LINT_UOP_ROWS,          /* y_size */
    LINT_IMM_SOURCE,        /* micro-op, source index, destination index */
    LINT_SRC_INDEX,         /* micro-op, source index, limit */
    LINT_SRC_WGT,           /* micro-op, wgt_idx */
    LINT_RACE_SRAM,         /* memory type, first element, elements, other instruction */
    LINT_RACE_DRAM,         /* byte address, -, -, other instruction */
    LINT_LIMIT,             /* 0: steps, 1: pages */
    LINT_CODES              /* number of codes */
} lint_code;

/* Who wrote an accumulator element last. */
typedef enum {
    LINT_BY_NONE,
    LINT_BY_LOAD,
    LINT_BY_RESET,
    LINT_BY_GEMM,
    LINT_BY_ALU,
    LINT_BY_OPAQUE
} lint_writer;

/* Which read of an accumulator comes too early. */
typedef enum { LINT_GEMM_DST, LINT_ALU_DST, LINT_ALU_IMM, LINT_ALU_SRC } lint_role;

typedef struct {
    int32_t code;
    int32_t insn; /* -1: the stream as a whole */
    int64_t a, b, c, d;
} lint_finding;

/* A range of DRAM. `data` holds its first `data_bytes` bytes; NULL where the contents are not
 * known. `code` marks instructions and micro-ops. */
typedef struct {
    uint64_t begin, end;
    const uint8_t* data;
    uint64_t data_bytes;
    int32_t code;
} lint_segment;

/* Facts of the configuration and the profile. Limits of 0 mean none. */
typedef struct {
    uint32_t depth[8];      /* by memory type, as the hardware has it */
    uint32_t elem_bytes[8]; /* by memory type; 0 where LOAD does not know it */
    int32_t pops[3][2];     /* token by module and flag (prev, next); -1 none */
    int32_t pushes[3][2];
    uint32_t tokens_in[4];
    uint32_t queue_capacity, token_capacity, tokens_tolerated;
    uint32_t dst_mask, src_shift, src_mask, wgt_shift, wgt_mask;
    uint32_t gemm_distance, alu_dst_distance, alu_imm_distance, alu_src_distance;
    uint32_t alu_src_limit, acc_bytes_per_value;
    int32_t shift_imm_low, shift_imm_high, shift_reg_low, shift_reg_high;
    uint8_t store_reads_acc, reset_writes_out, pads_weights, loads_uop_rows;
    uint8_t empty_load_writes_pads, zero_rows_wrap, alu_imm_reads_src, alu_src_extends;
    uint8_t mul_known, requant_known, unknown_hangs, batch_exceeded;
    uint32_t null_page_bytes, granule_bytes;
} lint_facts;

typedef struct lint_run lint_run;

/* Check `count` instructions. `coverage` is the union of `segments`: sorted, disjoint, maximal
 * pairs of begin and end. At most `keep` findings of each code are stored. NULL: out of memory. */
lint_run* lint_check(const lint_insn* insns, uint32_t count, const lint_facts* facts,
                     const lint_segment* segments, uint32_t segment_count, const uint64_t* coverage,
                     uint32_t coverage_count, uint32_t keep);
uint32_t lint_finding_count(const lint_run* run);
const lint_finding* lint_findings(const lint_run* run);
/* Findings of a code that were made, stored or not. */
uint64_t lint_total(const lint_run* run, int32_t code);
void lint_free(lint_run* run);
