/* x86-64 with AVX2: products of 16-bit pairs (vpmaddwd), which cannot saturate for 8-bit values. */
#include "kernels.h"

#if HAVE_X86_PATHS
#include <immintrin.h>
#include <string.h>

#include "generated/isa.h"

#define SIM_TARGET __attribute__((target("avx2")))
#define SIM_PATH(name) avx2_##name

#include "alu_lanes.h"
#include "gemm_rows.h"
#include "requant_lanes.h"

#define LANES 8 /* output channels of one register */
#define BLOCK 16
#define PAIRS (BLOCK / 2)

/* Register j of a group of 8 output channels: lane c holds wgt[c][2j], wgt[c][2j+1] as int16. */
static size_t tiles_wgt_bytes(uint32_t block) { return (size_t)block * block * sizeof(int16_t); }

/* The inputs as int16. */
static size_t tiles_inp_bytes(uint32_t batch, uint32_t block) {
    return (size_t)batch * block * sizeof(int16_t);
}

static SIM_TARGET void tiles_lay_inp(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t lanes = (size_t)view->batch * view->block; /* a multiple of 16 */
    int16_t* to = (int16_t*)view->inp_laid;
    for (size_t i = first * lanes; i < (first + (size_t)count) * lanes; i += BLOCK) {
        __m128i bytes = _mm_loadu_si128((const __m128i*)(view->inp + i));
        _mm256_storeu_si256((__m256i*)(to + i), _mm256_cvtepi8_epi16(bytes));
    }
}

/* 8 rows of 16 bytes to 8 registers: a transposition of 8 x 8 pairs. */
static inline SIM_TARGET void lay_half16(int16_t* to, const int8_t* from) {
    __m256i rows[LANES], pairs[LANES], quads[LANES];
    for (int r = 0; r < LANES; r++) {
        rows[r] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(from + BLOCK * r)));
    }
    for (int r = 0; r < LANES; r += 2) {
        pairs[r] = _mm256_unpacklo_epi32(rows[r], rows[r + 1]);
        pairs[r + 1] = _mm256_unpackhi_epi32(rows[r], rows[r + 1]);
    }
    for (int r = 0; r < LANES; r += 4) {
        quads[r] = _mm256_unpacklo_epi64(pairs[r], pairs[r + 2]);
        quads[r + 1] = _mm256_unpackhi_epi64(pairs[r], pairs[r + 2]);
        quads[r + 2] = _mm256_unpacklo_epi64(pairs[r + 1], pairs[r + 3]);
        quads[r + 3] = _mm256_unpackhi_epi64(pairs[r + 1], pairs[r + 3]);
    }
    for (int j = 0; j < LANES / 2; j++) {
        __m256i low = _mm256_permute2x128_si256(quads[j], quads[j + 4], 0x20);
        __m256i high = _mm256_permute2x128_si256(quads[j], quads[j + 4], 0x31);
        _mm256_store_si256((__m256i*)(to + BLOCK * j), low);
        _mm256_store_si256((__m256i*)(to + BLOCK * (j + 4)), high);
    }
}

static SIM_TARGET void tiles_lay_wgt(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t block = view->block, size = block * block;
    for (size_t tile = first; tile < (size_t)first + count; tile++) {
        const int8_t* from = view->wgt + tile * size;
        int16_t* to = (int16_t*)view->wgt_laid + tile * size;
        if (block == BLOCK) {
            lay_half16(to, from);
            lay_half16(to + size / 2, from + size / 2);
            continue;
        }
        for (size_t group = 0; group < block; group += LANES) {
            for (size_t k = 0; k < block; k += 2) {
                for (size_t c = group; c < group + LANES; c++) {
                    *to++ = from[c * block + k];
                    *to++ = from[c * block + k + 1];
                }
            }
        }
    }
}

static inline SIM_TARGET __m256i pair(const int16_t* inp, size_t j) {
    int32_t two;
    memcpy(&two, inp + 2 * j, sizeof two);
    return _mm256_set1_epi32(two);
}

static inline SIM_TARGET __m256i wgt_pairs(const int16_t* wgt, size_t j) {
    return _mm256_load_si256((const __m256i*)(wgt + 2 * LANES * j));
}

static inline SIM_TARGET __m256i load_acc(const int32_t* acc) {
    return _mm256_loadu_si256((const __m256i*)acc);
}

static inline SIM_TARGET void store_acc(int32_t* acc, __m256i sum) {
    _mm256_storeu_si256((__m256i*)acc, sum);
}

/* Two groups of output channels at once, so that each input pair is spread once for both. */
static inline SIM_TARGET void dot_groups(__m256i* low, __m256i* high, const int16_t* wgt,
                                         const int16_t* inp, size_t pairs) {
    for (size_t j = 0; j < pairs; j++) {
        __m256i spread = pair(inp, j);
        *low = _mm256_add_epi32(*low, _mm256_madd_epi16(wgt_pairs(wgt, j), spread));
        *high = _mm256_add_epi32(*high, _mm256_madd_epi16(wgt_pairs(wgt, j + pairs), spread));
    }
}

static inline SIM_TARGET void dot_element(const gemm_view* view, size_t dst, size_t src, size_t wgt,
                                          size_t batch, size_t block) {
    const int16_t* tile = (const int16_t*)view->wgt_laid + wgt * block * block;
    for (size_t b = 0; b < batch; b++) {
        const int16_t* inp = (const int16_t*)view->inp_laid + (src * batch + b) * block;
        int32_t* acc = view->acc + (dst * batch + b) * block;
        for (size_t group = 0; group < block; group += 2 * LANES) {
            __m256i low = _mm256_setzero_si256(), high = low;
            dot_groups(&low, &high, tile + group * block, inp, block / 2);
            store_acc(acc + group, _mm256_add_epi32(low, load_acc(acc + group)));
            store_acc(acc + group + LANES, _mm256_add_epi32(high, load_acc(acc + group + LANES)));
        }
    }
}

static SIM_TARGET void tiles_any(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                 uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                 const uint16_t* wgts, uint32_t n) {
    if (view->block == BLOCK && view->batch == 1) {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst + dsts[i], src + srcs[i], wgt + wgts[i], 1, BLOCK);
        }
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        dot_element(view, dst + dsts[i], src + srcs[i], wgt + wgts[i], view->batch, view->block);
    }
}

/* Block 16: half of the tile stays in eight registers; there is no room for all of it. */
static inline SIM_TARGET void keep_half(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                        uint32_t src, const uint16_t* srcs, const int16_t* half,
                                        size_t lane, uint32_t n, size_t batch) {
    __m256i wgt[PAIRS];
    for (size_t j = 0; j < PAIRS; j++) wgt[j] = wgt_pairs(half, j);
    for (uint32_t i = 0; i < n; i++) {
        for (size_t b = 0; b < batch; b++) {
            const int16_t* inp =
                (const int16_t*)view->inp_laid + (((size_t)src + srcs[i]) * batch + b) * BLOCK;
            int32_t* acc = view->acc + (((size_t)dst + dsts[i]) * batch + b) * BLOCK + lane;
            __m256i sum = _mm256_madd_epi16(wgt[0], pair(inp, 0));
            for (size_t j = 1; j < PAIRS; j++) {
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(wgt[j], pair(inp, j)));
            }
            store_acc(acc, _mm256_add_epi32(sum, load_acc(acc)));
        }
    }
}

static SIM_TARGET void tiles_same_wgt(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                      uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                      uint32_t n) {
    if (view->block != BLOCK) {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst + dsts[i], src + srcs[i], wgt, view->batch, view->block);
        }
        return;
    }
    const int16_t* tile = (const int16_t*)view->wgt_laid + (size_t)wgt * BLOCK * BLOCK;
    for (size_t lane = 0; lane < BLOCK; lane += LANES) {
        const int16_t* half = tile + lane * BLOCK;
        if (view->batch == 1) {
            keep_half(view, dst, dsts, src, srcs, half, lane, n, 1);
        } else {
            keep_half(view, dst, dsts, src, srcs, half, lane, n, view->batch);
        }
    }
}

static SIM_TARGET void tiles_same_dst(const gemm_view* view, uint32_t dst, uint32_t src,
                                      const uint16_t* srcs, uint32_t wgt, const uint16_t* wgts,
                                      uint32_t n) {
    if (view->block != BLOCK || view->batch != 1) {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst, src + srcs[i], wgt + wgts[i], view->batch, view->block);
        }
        return;
    }
    int32_t* acc = view->acc + (size_t)dst * BLOCK;
    __m256i low = load_acc(acc), high = load_acc(acc + LANES);
    for (uint32_t i = 0; i < n; i++) {
        const int16_t* inp = (const int16_t*)view->inp_laid + (size_t)(src + srcs[i]) * BLOCK;
        const int16_t* tile =
            (const int16_t*)view->wgt_laid + (size_t)(wgt + wgts[i]) * BLOCK * BLOCK;
        dot_groups(&low, &high, tile, inp, PAIRS);
    }
    store_acc(acc, low);
    store_acc(acc + LANES, high);
}

static const gemm_kernels tiles = {
    1,         tiles_inp_bytes, tiles_wgt_bytes, tiles_lay_inp, tiles_lay_wgt,
    tiles_any, tiles_same_wgt,  tiles_same_dst,
};

const sim_path sim_path_avx2 = {
    "avx2", machine_has_avx2, &tiles, &avx2_rows, avx2_alu, avx2_alu_dense, avx2_requant,
};
#endif
