/* ARM with NEON, 32 and 64 bits: 16-bit multiply-accumulate of four output channels at a time.
 *
 * Compilers for 32-bit ARM do not assume NEON; there the file carries its own target and the
 * machine is asked at run time. */
#include "kernels.h"

#if HAVE_NEON_PATH
#if defined(__arm__) && !defined(__ARM_NEON)
#pragma GCC target("fpu=neon")
#endif
#include <arm_neon.h>
#include <string.h>

#include "generated/isa.h"

#define SIM_TARGET
#define SIM_PATH(name) neon_##name

#include "alu_lanes.h"
#include "gemm_rows.h"
#include "requant_lanes.h"

#define LANES 16 /* output channels that are computed together, in four registers */
#define QUAD 4

/* By groups of 16 output channels: for each input channel the 16 weights as int16. */
static size_t tiles_wgt_bytes(uint32_t block) { return (size_t)block * block * sizeof(int16_t); }

/* The inputs as int16. */
static size_t tiles_inp_bytes(uint32_t batch, uint32_t block) {
    return (size_t)batch * block * sizeof(int16_t);
}

static void tiles_lay_inp(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t lanes = (size_t)view->batch * view->block; /* a multiple of 16 */
    int16_t* to = (int16_t*)view->inp_laid;
    for (size_t i = first * lanes; i < (first + (size_t)count) * lanes; i += 8) {
        vst1q_s16(to + i, vmovl_s8(vld1_s8(view->inp + i)));
    }
}

static void tiles_lay_wgt(const gemm_view* view, uint32_t first, uint32_t count) {
    size_t block = view->block, size = block * block;
    for (size_t tile = first; tile < (size_t)first + count; tile++) {
        const int8_t* from = view->wgt + tile * size;
        int16_t* to = (int16_t*)view->wgt_laid + tile * size;
        for (size_t group = 0; group < block; group += LANES) {
            for (size_t k = 0; k < block; k++) {
                for (size_t c = group; c < group + LANES; c++) *to++ = from[c * block + k];
            }
        }
    }
}

/* Four registers of four accumulators. */
typedef struct {
    int32x4_t quads[LANES / QUAD];
} sums;

/* The products of one input channel; the lane of an instruction must be a constant. */
#define ADD_CHANNEL(lane)                                                             \
    do {                                                                              \
        int16x8_t low = vld1q_s16(wgt + (lane) * LANES);                              \
        int16x8_t high = vld1q_s16(wgt + (lane) * LANES + LANES / 2);                 \
        sum.quads[0] = vmlal_lane_s16(sum.quads[0], vget_low_s16(low), four, lane);   \
        sum.quads[1] = vmlal_lane_s16(sum.quads[1], vget_high_s16(low), four, lane);  \
        sum.quads[2] = vmlal_lane_s16(sum.quads[2], vget_low_s16(high), four, lane);  \
        sum.quads[3] = vmlal_lane_s16(sum.quads[3], vget_high_s16(high), four, lane); \
    } while (0)

static inline sums add_group(sums sum, const int16_t* wgt, const int16_t* inp, size_t block) {
    for (size_t k = 0; k < block; k += QUAD, wgt += QUAD * LANES) {
        const int16x4_t four = vld1_s16(inp + k);
        ADD_CHANNEL(0);
        ADD_CHANNEL(1);
        ADD_CHANNEL(2);
        ADD_CHANNEL(3);
    }
    return sum;
}

static inline sums load_sums(const int32_t* acc) {
    sums sum;
    for (size_t q = 0; q < LANES / QUAD; q++) sum.quads[q] = vld1q_s32(acc + QUAD * q);
    return sum;
}

static inline void store_sums(int32_t* acc, sums sum) {
    for (size_t q = 0; q < LANES / QUAD; q++) vst1q_s32(acc + QUAD * q, sum.quads[q]);
}

static inline void dot_element(const gemm_view* view, size_t dst, size_t src, size_t wgt,
                               size_t batch, size_t block) {
    const int16_t* tile = (const int16_t*)view->wgt_laid + wgt * block * block;
    for (size_t b = 0; b < batch; b++) {
        const int16_t* inp = (const int16_t*)view->inp_laid + (src * batch + b) * block;
        int32_t* acc = view->acc + (dst * batch + b) * block;
        for (size_t group = 0; group < block; group += LANES) {
            sums sum = add_group(load_sums(acc + group), tile + group * block, inp, block);
            store_sums(acc + group, sum);
        }
    }
}

static void tiles_any(const gemm_view* view, uint32_t dst, const uint16_t* dsts, uint32_t src,
                      const uint16_t* srcs, uint32_t wgt, const uint16_t* wgts, uint32_t n) {
    int plain = view->block == LANES && view->batch == 1;
    for (uint32_t i = 0; i < n; i++) {
        size_t d = (size_t)dst + dsts[i], s = (size_t)src + srcs[i], w = (size_t)wgt + wgts[i];
        if (plain) {
            dot_element(view, d, s, w, 1, LANES);
        } else {
            dot_element(view, d, s, w, view->batch, view->block);
        }
    }
}

static void tiles_same_wgt(const gemm_view* view, uint32_t dst, const uint16_t* dsts, uint32_t src,
                           const uint16_t* srcs, uint32_t wgt, uint32_t n) {
    int plain = view->block == LANES && view->batch == 1;
    for (uint32_t i = 0; i < n; i++) {
        size_t d = (size_t)dst + dsts[i], s = (size_t)src + srcs[i];
        if (plain) {
            dot_element(view, d, s, wgt, 1, LANES);
        } else {
            dot_element(view, d, s, wgt, view->batch, view->block);
        }
    }
}

static void tiles_same_dst(const gemm_view* view, uint32_t dst, uint32_t src, const uint16_t* srcs,
                           uint32_t wgt, const uint16_t* wgts, uint32_t n) {
    if (view->block != LANES || view->batch != 1) {
        for (uint32_t i = 0; i < n; i++) {
            dot_element(view, dst, (size_t)src + srcs[i], (size_t)wgt + wgts[i], view->batch,
                        view->block);
        }
        return;
    }
    sums sum = load_sums(view->acc + (size_t)dst * LANES);
    for (uint32_t i = 0; i < n; i++) {
        const int16_t* inp = (const int16_t*)view->inp_laid + ((size_t)src + srcs[i]) * LANES;
        const int16_t* tile =
            (const int16_t*)view->wgt_laid + ((size_t)wgt + wgts[i]) * LANES * LANES;
        sum = add_group(sum, tile, inp, LANES);
    }
    store_sums(view->acc + (size_t)dst * LANES, sum);
}

static const gemm_kernels tiles = {
    1,         tiles_inp_bytes, tiles_wgt_bytes, tiles_lay_inp, tiles_lay_wgt,
    tiles_any, tiles_same_wgt,  tiles_same_dst,
};

const sim_path sim_path_neon = {
    "neon", machine_has_neon, &tiles, &neon_rows, neon_alu, neon_alu_dense, neon_requant,
};
#endif
