/* ARM with NEON, 32 and 64 bits.
 *
 * Compilers do not vectorise real arithmetic for 32-bit NEON, because it flushes denormal numbers
 * to zero. Where that cannot change a result, intrinsics do it here. */
#include "machine.h"

#if HAVE_NEON_PATH
#if defined(__arm__) && !defined(__ARM_NEON)
#pragma GCC target("fpu=neon")
#endif
#include <arm_neon.h>
#include <float.h>

#define CPU_TARGET
#define CPU_LOOP(name) neon_##name

#include "loops.h"

#define TILE 8 /* rows and columns that are transposed together */

static inline int32x4_t limited_quad(float32x4_t value, float32x4_t low, float32x4_t high) {
    /* The maximum instruction would keep NaN. */
    value = vbslq_f32(vcgtq_f32(value, low), value, low);
    value = vbslq_f32(vcltq_f32(value, high), value, high);
    const float32x4_t magic = vdupq_n_f32(ROUND_SINGLE);
    return vcvtq_s32_f32(vsubq_f32(vaddq_f32(value, magic), magic));
}

static void neon_quantise4(uint8_t* out, const float* x, int64_t n, const float* factor,
                           int64_t lanes, int multiply, const cpu_limits* limits) {
    /* A factor that is multiplied is a moderate power of two: denormal numbers round to 0 both
     * ways. 32-bit NEON has no division. */
    if (!multiply || (lanes != 1 && lanes % TILE)) {
        neon_quantise(out, x, n, factor, lanes, multiply, limits);
        return;
    }
    const float32x4_t low = vdupq_n_f32((float)limits->low);
    const float32x4_t high = vdupq_n_f32((float)limits->high);
    const int32x4_t zero_point = vdupq_n_s32(limits->zero_point);
    int64_t whole = n / TILE * TILE, lane = 0;
    float32x4_t first = vdupq_n_f32(factor[0]), second = first;
    for (int64_t i = 0; i < whole; i += TILE) {
        if (lanes != 1) {
            first = vld1q_f32(factor + lane);
            second = vld1q_f32(factor + lane + TILE / 2);
            lane = lane + TILE == lanes ? 0 : lane + TILE;
        }
        int32x4_t a = limited_quad(vmulq_f32(vld1q_f32(x + i), first), low, high);
        int32x4_t b = limited_quad(vmulq_f32(vld1q_f32(x + i + TILE / 2), second), low, high);
        int16x8_t both =
            vcombine_s16(vmovn_s32(vaddq_s32(a, zero_point)), vmovn_s32(vaddq_s32(b, zero_point)));
        vst1_u8(out + i, vreinterpret_u8_s8(vmovn_s16(both)));
    }
    if (whole < n) neon_quantise(out + whole, x + whole, n - whole, factor, 1, 1, limits);
}

/* Whether products of integers with all scales are normal numbers or 0. */
static int normal_products(const float* scale, int64_t lanes) {
    for (int64_t l = 0; l < lanes; l++) {
        if (scale[l] < FLT_MIN) return 0;
    }
    return 1;
}

static inline float32x4_t scaled_quad(int16x4_t value, int32x4_t zero_point, float32x4_t scale) {
    return vmulq_f32(vcvtq_f32_s32(vsubq_s32(vmovl_s16(value), zero_point)), scale);
}

static void neon_dequantise8(float* out, const void* x, int value_bytes, int64_t n,
                             const float* scale, int64_t lanes, int32_t zero_point) {
    const uint8_t* bytes = x;
    int64_t whole = n / TILE * TILE, lane = 0;
    if (value_bytes == 4 || (lanes != 1 && lanes % TILE) || !normal_products(scale, lanes)) {
        neon_dequantise(out, x, value_bytes, n, scale, lanes, zero_point);
        return;
    }
    const int32x4_t zero = vdupq_n_s32(zero_point);
    float32x4_t first = vdupq_n_f32(scale[0]), second = first;
    for (int64_t i = 0; i < whole; i += TILE) {
        if (lanes != 1) {
            first = vld1q_f32(scale + lane);
            second = vld1q_f32(scale + lane + TILE / 2);
            lane = lane + TILE == lanes ? 0 : lane + TILE;
        }
        uint8x8_t byte = vld1_u8(bytes + i);
        int16x8_t value = value_bytes < 0 ? vmovl_s8(vreinterpret_s8_u8(byte))
                                          : vreinterpretq_s16_u16(vmovl_u8(byte));
        vst1q_f32(out + i, scaled_quad(vget_low_s16(value), zero, first));
        vst1q_f32(out + i + TILE / 2, scaled_quad(vget_high_s16(value), zero, second));
    }
    if (whole < n) {
        neon_dequantise(out + whole, bytes + whole, value_bytes, n - whole, scale, 1, zero_point);
    }
}

/* 8 x 8 bytes: pairs of rows exchange bytes, then pairs of bytes, then quadruples. */
static inline void transpose8(uint8x8_t* rows) {
    uint16x4_t pairs[TILE];
    uint32x2_t quads[TILE];
    for (int i = 0; i < TILE; i += 2) {
        uint8x8x2_t done = vtrn_u8(rows[i], rows[i + 1]);
        pairs[i] = vreinterpret_u16_u8(done.val[0]);
        pairs[i + 1] = vreinterpret_u16_u8(done.val[1]);
    }
    for (int i = 0; i < TILE; i += 4) {
        for (int j = i; j < i + 2; j++) {
            uint16x4x2_t done = vtrn_u16(pairs[j], pairs[j + 2]);
            quads[j] = vreinterpret_u32_u16(done.val[0]);
            quads[j + 2] = vreinterpret_u32_u16(done.val[1]);
        }
    }
    for (int i = 0; i < TILE / 2; i++) {
        uint32x2x2_t done = vtrn_u32(quads[i], quads[i + TILE / 2]);
        rows[i] = vreinterpret_u8_u32(done.val[0]);
        rows[i + TILE / 2] = vreinterpret_u8_u32(done.val[1]);
    }
}

static void neon_spread8(uint8_t* out, int64_t step, const uint8_t* const* rows, int64_t lanes,
                         int64_t count, uint8_t offset) {
    const uint8x8_t add = vdup_n_u8(offset);
    int64_t whole = lanes % TILE ? 0 : count / TILE * TILE;
    uint8x8_t tile[TILE];
    for (int64_t p = 0; p < whole; p += TILE) {
        for (int64_t l = 0; l < lanes; l += TILE) {
            for (int i = 0; i < TILE; i++) tile[i] = vld1_u8(rows[l + i] + p);
            transpose8(tile);
            for (int i = 0; i < TILE; i++) {
                vst1_u8(out + (p + i) * step + l, vadd_u8(tile[i], add));
            }
        }
    }
    if (whole < count) {
        const uint8_t* rest[CPU_LANES];
        for (int64_t l = 0; l < lanes; l++) rest[l] = rows[l] + whole;
        neon_spread(out + whole * step, step, rest, lanes, count - whole, offset);
    }
}

static void neon_collect8(uint8_t* const* rows, const uint8_t* x, int64_t step, int64_t lanes,
                          int64_t count, uint8_t offset) {
    const uint8x8_t add = vdup_n_u8(offset);
    int64_t whole = lanes % TILE ? 0 : count / TILE * TILE;
    uint8x8_t tile[TILE];
    for (int64_t p = 0; p < whole; p += TILE) {
        for (int64_t l = 0; l < lanes; l += TILE) {
            for (int i = 0; i < TILE; i++) tile[i] = vld1_u8(x + (p + i) * step + l);
            transpose8(tile);
            for (int i = 0; i < TILE; i++) vst1_u8(rows[l + i] + p, vadd_u8(tile[i], add));
        }
    }
    if (whole < count) {
        uint8_t* rest[CPU_LANES];
        for (int64_t l = 0; l < lanes; l++) rest[l] = rows[l] + whole;
        neon_collect(rest, x + whole * step, step, lanes, count - whole, offset);
    }
}

const cpu_path cpu_path_neon = {
    "neon",          machine_has_neon,       neon_quantise4, neon_dequantise8, neon_join,
    neon_requantise, neon_requantise_single, neon_spread8,   neon_collect8,    neon_max_u8,
    neon_max_s8,     neon_max_f32,           neon_sum_f32,   neon_blend,
};
#endif
