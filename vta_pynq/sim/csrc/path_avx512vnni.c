/* x86-64 with AVX-512 and its dot-product instructions.
 *
 * vpdpbusd multiplies unsigned by signed bytes and adds without saturation. Weights are laid out
 * with 128 added, which makes them unsigned; the 128 x sum(inputs) that this adds to every lane
 * is taken off again with a number that is kept for each row of inputs. */
#include "kernels.h"

#if HAVE_X86_PATHS
#include <immintrin.h>
#include <string.h>

#include "generated/isa.h"

#define SIM_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define SIM_PATH(name) avx512vnni_##name

#include "alu_lanes.h"
#include "gemm_rows.h"
#include "requant_lanes.h"

#define LANES 16 /* output channels of one register */
#define QUAD 4   /* input channels of one dot product */
#define OFFSET 128

/* Register j of a group of 16 output channels: lane c holds wgt[c][4j .. 4j+3] + 128. */
static size_t tiles_wgt_bytes(uint32_t block) { return (size_t)block * block; }

/* One int32 a row: -128 x the sum of its inputs. */
static size_t tiles_inp_bytes(uint32_t batch, uint32_t block) {
    (void)block;
    return batch * sizeof(int32_t);
}

static void tiles_lay_inp(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t block = view->block;
    int32_t* fix = (int32_t*)view->inp_laid;
    size_t end = ((size_t)first + count) * view->batch;
    for (size_t row = (size_t)first * view->batch; row < end; row++) {
        int32_t sum = 0;
        for (size_t k = 0; k < block; k++) sum += view->inp[row * block + k];
        fix[row] = -OFFSET * sum;
    }
}

/* 16 rows of 16 bytes: four registers of four rows each, transposed by groups of four bytes. */
static inline SIM_TARGET void lay_tile16(uint8_t* to, const int8_t* from) {
    const __m512i low = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    const __m512i high =
        _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
    const __m512i offset = _mm512_set1_epi8((char)OFFSET);
    __m512i rows[QUAD];
    for (int i = 0; i < QUAD; i++) {
        rows[i] = _mm512_xor_si512(_mm512_loadu_si512(from + 64 * i), offset);
    }
    __m512i upper01 = _mm512_permutex2var_epi32(rows[0], low, rows[1]);
    __m512i upper23 = _mm512_permutex2var_epi32(rows[0], high, rows[1]);
    __m512i lower01 = _mm512_permutex2var_epi32(rows[2], low, rows[3]);
    __m512i lower23 = _mm512_permutex2var_epi32(rows[2], high, rows[3]);
    _mm512_store_si512(to, _mm512_shuffle_i64x2(upper01, lower01, 0x44));
    _mm512_store_si512(to + 64, _mm512_shuffle_i64x2(upper01, lower01, 0xee));
    _mm512_store_si512(to + 128, _mm512_shuffle_i64x2(upper23, lower23, 0x44));
    _mm512_store_si512(to + 192, _mm512_shuffle_i64x2(upper23, lower23, 0xee));
}

static SIM_TARGET void tiles_lay_wgt(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t block = view->block, size = block * block;
    for (size_t tile = first; tile < (size_t)first + count; tile++) {
        const int8_t* from = view->wgt + tile * size;
        uint8_t* to = (uint8_t*)view->wgt_laid + tile * size;
        if (block == LANES) {
            lay_tile16(to, from);
            continue;
        }
        for (size_t group = 0; group < block; group += LANES) {
            for (size_t k = 0; k < block; k += QUAD) {
                for (size_t c = group; c < group + LANES; c++) {
                    for (size_t q = 0; q < QUAD; q++) {
                        *to++ = (uint8_t)(from[c * block + k + q] + OFFSET);
                    }
                }
            }
        }
    }
}

static inline SIM_TARGET __m512i quad(const int8_t* inp, size_t j) {
    int32_t four;
    memcpy(&four, inp + QUAD * j, sizeof four);
    return _mm512_set1_epi32(four);
}

/* acc[0..15] += the rows of one group of output channels x inp, `quads` registers of them. */
static inline SIM_TARGET void dot_group(int32_t* acc, const uint8_t* wgt, const int8_t* inp,
                                        int32_t fix, size_t quads) {
    __m512i sum = _mm512_set1_epi32(fix);
    for (size_t j = 0; j < quads; j++) {
        sum = _mm512_dpbusd_epi32(sum, _mm512_load_si512(wgt + 64 * j), quad(inp, j));
    }
    _mm512_storeu_si512(acc, _mm512_add_epi32(sum, _mm512_loadu_si512(acc)));
}

static inline SIM_TARGET void dot_element(const gemm_view* view, size_t dst, size_t src, size_t wgt,
                                          size_t batch, size_t block) {
    const uint8_t* tile = (const uint8_t*)view->wgt_laid + wgt * block * block;
    const int32_t* fix = (const int32_t*)view->inp_laid + src * batch;
    for (size_t b = 0; b < batch; b++) {
        const int8_t* inp = view->inp + (src * batch + b) * block;
        int32_t* acc = view->acc + (dst * batch + b) * block;
        for (size_t group = 0; group < block; group += LANES) {
            dot_group(acc + group, tile + group * block, inp, fix[b], block / QUAD);
        }
    }
}

/* A 16 x 16 tile in registers. */
typedef struct {
    __m512i quads[LANES / QUAD];
} tile16;

static inline SIM_TARGET tile16 load_tile16(const gemm_view* view, size_t wgt) {
    const uint8_t* from = (const uint8_t*)view->wgt_laid + wgt * LANES * LANES;
    tile16 tile = {{_mm512_load_si512(from), _mm512_load_si512(from + 64),
                    _mm512_load_si512(from + 128), _mm512_load_si512(from + 192)}};
    return tile;
}

/* One micro-op. The sum does not wait for the accumulator, which the one before may write. */
static inline SIM_TARGET void dot_tile16(const gemm_view* view, size_t dst, size_t src,
                                         const tile16* tile, size_t batch) {
    const int32_t* fix = (const int32_t*)view->inp_laid;
    for (size_t b = 0; b < batch; b++) {
        size_t row = src * batch + b;
        const int8_t* inp = view->inp + row * LANES;
        int32_t* acc = view->acc + (dst * batch + b) * LANES;
        __m512i sum =
            _mm512_dpbusd_epi32(_mm512_set1_epi32(fix[row]), tile->quads[0], quad(inp, 0));
        sum = _mm512_dpbusd_epi32(sum, tile->quads[1], quad(inp, 1));
        sum = _mm512_dpbusd_epi32(sum, tile->quads[2], quad(inp, 2));
        sum = _mm512_dpbusd_epi32(sum, tile->quads[3], quad(inp, 3));
        _mm512_storeu_si512(acc, _mm512_add_epi32(sum, _mm512_loadu_si512(acc)));
    }
}

/* Block 16: the tile is loaded when it changes; kernels have runs of micro-ops with one weight. */
static inline SIM_TARGET void any_tile16(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                         uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                         const uint16_t* wgts, uint32_t n, size_t batch) {
    uint32_t loaded = wgts[0];
    tile16 tile = load_tile16(view, (size_t)wgt + loaded);
    for (uint32_t i = 0; i < n; i++) {
        if (wgts[i] != loaded) {
            loaded = wgts[i];
            tile = load_tile16(view, (size_t)wgt + loaded);
        }
        dot_tile16(view, (size_t)dst + dsts[i], (size_t)src + srcs[i], &tile, batch);
    }
}

static SIM_TARGET void tiles_any(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                 uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                 const uint16_t* wgts, uint32_t n) {
    if (view->block == LANES && view->batch == 1) {
        any_tile16(view, dst, dsts, src, srcs, wgt, wgts, n, 1);
    } else if (view->block == LANES) {
        any_tile16(view, dst, dsts, src, srcs, wgt, wgts, n, view->batch);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst + dsts[i], src + srcs[i], wgt + wgts[i], view->batch,
                        view->block);
        }
    }
}

/* Block 16: the tile stays in its four registers. */
static inline SIM_TARGET void keep_wgt(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                       uint32_t src, const uint16_t* srcs, uint32_t wgt, uint32_t n,
                                       size_t batch) {
    const tile16 tile = load_tile16(view, wgt);
    for (uint32_t i = 0; i < n; i++) {
        dot_tile16(view, (size_t)dst + dsts[i], (size_t)src + srcs[i], &tile, batch);
    }
}

static SIM_TARGET void tiles_same_wgt(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                      uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                      uint32_t n) {
    if (view->block == LANES && view->batch == 1) {
        keep_wgt(view, dst, dsts, src, srcs, wgt, n, 1);
    } else if (view->block == LANES) {
        keep_wgt(view, dst, dsts, src, srcs, wgt, n, view->batch);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst + dsts[i], src + srcs[i], wgt, view->batch, view->block);
        }
    }
}

/* Block 16, batch 1: the accumulator stays in four registers, one for each input quad. */
static inline SIM_TARGET void keep_dst(const gemm_view* view, uint32_t dst, uint32_t src,
                                       const uint16_t* srcs, uint32_t wgt, const uint16_t* wgts,
                                       uint32_t n) {
    int32_t* acc = view->acc + (size_t)dst * LANES;
    const int32_t* fixes = (const int32_t*)view->inp_laid;
    uint32_t fix = 0;
    __m512i s0 = _mm512_loadu_si512(acc), s1 = _mm512_setzero_si512(), s2 = s1, s3 = s1;
    for (uint32_t i = 0; i < n; i++) {
        size_t row = src + srcs[i];
        const uint8_t* tile =
            (const uint8_t*)view->wgt_laid + (size_t)(wgt + wgts[i]) * LANES * LANES;
        const int8_t* inp = view->inp + row * LANES;
        s0 = _mm512_dpbusd_epi32(s0, _mm512_load_si512(tile), quad(inp, 0));
        s1 = _mm512_dpbusd_epi32(s1, _mm512_load_si512(tile + 64), quad(inp, 1));
        s2 = _mm512_dpbusd_epi32(s2, _mm512_load_si512(tile + 128), quad(inp, 2));
        s3 = _mm512_dpbusd_epi32(s3, _mm512_load_si512(tile + 192), quad(inp, 3));
        fix += (uint32_t)fixes[row];
    }
    s0 = _mm512_add_epi32(_mm512_add_epi32(s0, s1), _mm512_add_epi32(s2, s3));
    _mm512_storeu_si512(acc, _mm512_add_epi32(s0, _mm512_set1_epi32((int32_t)fix)));
}

static SIM_TARGET void tiles_same_dst(const gemm_view* view, uint32_t dst, uint32_t src,
                                      const uint16_t* srcs, uint32_t wgt, const uint16_t* wgts,
                                      uint32_t n) {
    if (view->block == LANES && view->batch == 1) {
        keep_dst(view, dst, src, srcs, wgt, wgts, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        dot_element(view, dst, src + srcs[i], wgt + wgts[i], view->batch, view->block);
    }
}

static const gemm_kernels tiles = {
    0,         tiles_inp_bytes, tiles_wgt_bytes, tiles_lay_inp, tiles_lay_wgt,
    tiles_any, tiles_same_wgt,  tiles_same_dst,
};

static int avx512vnni_available(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

const sim_path sim_path_avx512vnni = {
    "avx512vnni",         avx512vnni_available, &tiles, &avx512vnni_rows, avx512vnni_alu,
    avx512vnni_alu_dense, avx512vnni_requant,
};
#endif
