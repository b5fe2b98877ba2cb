/* What differs between the dispatch paths: the inner loops of GEMM, ALU and
 * REQUANT. */
#ifndef VTA_SIM_KERNELS_H
#define VTA_SIM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* The operands of GEMM, values of at most 8 bits. Element e of `inp` is batch rows of block
 * values, of `wgt` block rows (output channels) of block values, of `acc` batch rows of block
 * accumulators. `inp_laid` and `wgt_laid` hold the same in the layout of the path. */
typedef struct {
    int32_t* acc;
    int8_t *inp, *wgt;
    void *inp_laid, *wgt_laid;
    uint32_t batch, block;
} gemm_view;

/* GEMM inner loops: n micro-ops, whose indices are a first index plus a list's entries. Sums are
 * modulo 2^32, so the order of the micro-ops is free. */
typedef struct {
    int zero_stays_zero; /* elements of zeros are zeros in the path's layout, too */
    /* Bytes of an element in the path's layout; 0: it reads the plain one. */
    size_t (*inp_laid_bytes)(uint32_t batch, uint32_t block);
    size_t (*wgt_laid_bytes)(uint32_t block);
    /* Lay out `count` elements from `first` on. */
    void (*lay_inp)(const gemm_view* view, uint32_t first, uint32_t count);
    void (*lay_wgt)(const gemm_view* view, uint32_t first, uint32_t count);
    void (*any)(const gemm_view* view, uint32_t dst, const uint16_t* dsts, uint32_t src,
                const uint16_t* srcs, uint32_t wgt, const uint16_t* wgts, uint32_t n);
    void (*same_wgt)(const gemm_view* view, uint32_t dst, const uint16_t* dsts, uint32_t src,
                     const uint16_t* srcs, uint32_t wgt, uint32_t n);
    void (*same_dst)(const gemm_view* view, uint32_t dst, uint32_t src, const uint16_t* srcs,
                     uint32_t wgt, const uint16_t* wgts, uint32_t n);
} gemm_kernels;

/* One ALU operation on whole elements. */
typedef struct {
    int32_t* acc;
    uint32_t lanes;
    uint32_t width;      /* of an accumulator */
    uint32_t shift_bits; /* of a shift amount that count; 0: all of them */
    uint32_t opcode;
    uint32_t use_imm;
    int32_t imm;
} alu_op;

typedef void (*alu_kernel)(const alu_op* op, uint32_t dst, const uint16_t* dsts, uint32_t src,
                           const uint16_t* srcs, uint32_t n);
/* acc[dst .. dst + n): one immediate operation on contiguous elements. */
typedef void (*alu_dense_kernel)(const alu_op* op, uint32_t dst, uint32_t n);

/* REQUANT on whole elements. */
typedef struct {
    int32_t* acc;
    uint32_t lanes;
    uint32_t width; /* of an accumulator */
    uint32_t wrap;  /* the depth less one: the multiplier after the last element is the first */
    uint32_t use_bias, use_mul, shift;
    int32_t clip_lo, clip_hi;
} requant_op;

typedef void (*requant_kernel)(const requant_op* op, uint32_t dst, const uint16_t* dsts,
                               uint32_t src, const uint16_t* srcs, uint32_t n);

typedef struct {
    const char* name;
    int (*available)(void);
    const gemm_kernels* tiles; /* blocks that are a multiple of 16; NULL: use rows */
    const gemm_kernels* rows;  /* any block */
    alu_kernel alu;
    alu_dense_kernel alu_dense;
    requant_kernel requant;
} sim_path;

extern const sim_path sim_path_portable;
extern const sim_path sim_path_avx2;
extern const sim_path sim_path_avx512vnni;
extern const sim_path sim_path_neon;

#endif
