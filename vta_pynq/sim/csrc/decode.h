/* Decoded instructions, and where their fields lie. */
#ifndef VTA_SIM_DECODE_H
#define VTA_SIM_DECODE_H

#include <stdint.h>

#include "abi.h"
#include "generated/isa.h"

#define SIM_COUNT_FIELD(name) +1
#define SIM_MEM_POSITION(name) MEM_##name,
#define SIM_GEMM_POSITION(name) GEMM_##name,
#define SIM_ALU_POSITION(name) ALU_##name,
#define SIM_REQUANT_POSITION(name) REQUANT_##name,
#define SIM_UOP_POSITION(name) UOP_##name,
enum { VTA_MEM_FIELDS(SIM_MEM_POSITION) MEM_FIELDS };
enum { VTA_GEMM_FIELDS(SIM_GEMM_POSITION) GEMM_FIELDS };
enum { VTA_ALU_FIELDS(SIM_ALU_POSITION) ALU_FIELDS };
enum { VTA_REQUANT_FIELDS(SIM_REQUANT_POSITION) REQUANT_FIELDS };
enum { VTA_UOP_FIELDS(SIM_UOP_POSITION) UOP_FIELDS };

typedef struct {
    sim_slot mem[MEM_FIELDS];
    sim_slot gemm[GEMM_FIELDS];
    sim_slot alu[ALU_FIELDS];
    sim_slot requant[REQUANT_FIELDS];
    sim_slot uop[UOP_FIELDS];
} insn_layout;

#define SIM_UNSIGNED_FIELD(name) uint32_t name;
typedef struct {
    VTA_MEM_FIELDS(SIM_UNSIGNED_FIELD)
} mem_insn;

/* GEMM, ALU and REQUANT; the fields that a format lacks are zero. */
typedef struct {
    uint8_t is_gemm, is_requant;
    uint32_t reset, uop_bgn, uop_end, iter_out, iter_in;
    uint32_t dst_factor_out, dst_factor_in, src_factor_out, src_factor_in;
    uint32_t wgt_factor_out, wgt_factor_in;
    uint32_t alu_opcode, use_imm;
    int32_t imm;
    uint32_t use_bias, use_mul, shift;
    int32_t clip_lo, clip_hi;
} loop_insn;

static inline uint32_t field_of(const uint64_t words[2], const sim_slot* slot) {
    return (uint32_t)((words[slot->word] >> slot->shift) & slot->mask);
}

/* Sign extension of the low `width` bits, 1 to 32. */
static inline int32_t sign_extend(uint32_t value, uint32_t width) {
    uint32_t sign = 1u << (width - 1);
    uint32_t low = width == 32 ? value : value & ((sign << 1) - 1);
    return (int32_t)((low ^ sign) - sign);
}

static inline void decode_mem(const insn_layout* layout, const uint64_t words[2], mem_insn* insn) {
#define DECODE(name) insn->name = field_of(words, &layout->mem[MEM_##name]);
    VTA_MEM_FIELDS(DECODE)
#undef DECODE
}

#define DECODE_LOOP(format, slots, name) \
    insn->name = field_of(words, &layout->slots[format##_##name]);
#define DECODE_LOOPS(format, slots)            \
    DECODE_LOOP(format, slots, uop_bgn)        \
    DECODE_LOOP(format, slots, uop_end)        \
    DECODE_LOOP(format, slots, iter_out)       \
    DECODE_LOOP(format, slots, iter_in)        \
    DECODE_LOOP(format, slots, dst_factor_out) \
    DECODE_LOOP(format, slots, dst_factor_in)  \
    DECODE_LOOP(format, slots, src_factor_out) \
    DECODE_LOOP(format, slots, src_factor_in)

static inline void decode_gemm(const insn_layout* layout, const uint64_t words[2],
                               loop_insn* insn) {
    *insn = (loop_insn){.is_gemm = 1};
    DECODE_LOOPS(GEMM, gemm)
    DECODE_LOOP(GEMM, gemm, reset)
    DECODE_LOOP(GEMM, gemm, wgt_factor_out)
    DECODE_LOOP(GEMM, gemm, wgt_factor_in)
}

/* `reset` means nothing to the ALU. */
static inline void decode_alu(const insn_layout* layout, const uint64_t words[2], loop_insn* insn) {
    *insn = (loop_insn){0};
    DECODE_LOOPS(ALU, alu)
    DECODE_LOOP(ALU, alu, alu_opcode)
    DECODE_LOOP(ALU, alu, use_imm)
    const sim_slot* imm = &layout->alu[ALU_imm];
    insn->imm = sign_extend(field_of(words, imm), imm->width);
}

static inline void decode_requant(const insn_layout* layout, const uint64_t words[2],
                                  loop_insn* insn) {
    *insn = (loop_insn){.is_requant = 1};
    DECODE_LOOPS(REQUANT, requant)
    DECODE_LOOP(REQUANT, requant, use_bias)
    DECODE_LOOP(REQUANT, requant, use_mul)
    DECODE_LOOP(REQUANT, requant, shift)
    const sim_slot* low = &layout->requant[REQUANT_clip_lo];
    insn->clip_lo = sign_extend(field_of(words, low), low->width);
    insn->clip_hi = (int32_t)field_of(words, &layout->requant[REQUANT_clip_hi]);
}

#endif
