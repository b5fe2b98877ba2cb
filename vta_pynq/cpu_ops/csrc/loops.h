/* The loops as every path has them, for a compiler to vectorise: a path defines CPU_TARGET and
 * CPU_LOOP(name) before it includes this. Sums and products are never fused, so that all paths
 * round alike. */
#include <string.h>

#include "paths.h"

#define ROUND_SINGLE 12582912.0f        /* 1.5 * 2^23: adding it rounds to an integer */
#define ROUND_DOUBLE 6755399441055744.0 /* 1.5 * 2^52 */

#define INLINE static inline __attribute__((always_inline)) CPU_TARGET

/* A comparison that NaN fails makes the lower bound of it, as onnxruntime does. */
INLINE int32_t CPU_LOOP(limited_single)(float value, float low, float high) {
    value = value > low ? value : low;
    value = value < high ? value : high;
    return (int32_t)((value + ROUND_SINGLE) - ROUND_SINGLE);
}

INLINE void CPU_LOOP(quantise_lanes)(uint8_t* out, const float* x, int64_t n, const float* factor,
                                     int64_t lanes, int multiply, const cpu_limits* limits) {
    const float low = (float)limits->low, high = (float)limits->high;
    const int32_t zero_point = limits->zero_point;
    for (int64_t i = 0; i < n; i += lanes) {
        for (int64_t l = 0; l < lanes; l++) {
            float value = multiply ? x[i + l] * factor[l] : x[i + l] / factor[l];
            out[i + l] = (uint8_t)(CPU_LOOP(limited_single)(value, low, high) + zero_point);
        }
    }
}

INLINE void CPU_LOOP(quantise_run)(uint8_t* restrict out, const float* restrict x, int64_t n,
                                   float factor, int multiply, const cpu_limits* limits) {
    const float low = (float)limits->low, high = (float)limits->high;
    const int32_t zero_point = limits->zero_point;
    for (int64_t i = 0; i < n; i++) {
        float value = multiply ? x[i] * factor : x[i] / factor;
        out[i] = (uint8_t)(CPU_LOOP(limited_single)(value, low, high) + zero_point);
    }
}

static CPU_TARGET void CPU_LOOP(quantise)(uint8_t* out, const float* x, int64_t n,
                                          const float* factor, int64_t lanes, int multiply,
                                          const cpu_limits* limits) {
    if (lanes == 1 && multiply) {
        CPU_LOOP(quantise_run)(out, x, n, factor[0], 1, limits);
    } else if (lanes == 1) {
        CPU_LOOP(quantise_run)(out, x, n, factor[0], 0, limits);
    } else {
        CPU_LOOP(quantise_lanes)(out, x, n, factor, lanes, multiply, limits);
    }
}

#define DEQUANTISE(type)                                                    \
    do {                                                                    \
        const type* restrict values = x;                                    \
        if (lanes == 1) {                                                   \
            const float factor = scale[0];                                  \
            for (int64_t i = 0; i < n; i++) {                               \
                out[i] = (float)((int32_t)values[i] - zero_point) * factor; \
            }                                                               \
            break;                                                          \
        }                                                                   \
        for (int64_t i = 0; i < n; i += lanes) {                            \
            for (int64_t l = 0; l < lanes; l++) {                           \
                int32_t shifted = (int32_t)values[i + l] - zero_point;      \
                out[i + l] = (float)shifted * scale[l];                     \
            }                                                               \
        }                                                                   \
    } while (0)

static CPU_TARGET void CPU_LOOP(dequantise)(float* restrict out, const void* x, int value_bytes,
                                            int64_t n, const float* restrict scale, int64_t lanes,
                                            int32_t zero_point) {
    if (value_bytes == 1) {
        DEQUANTISE(uint8_t);
    } else if (value_bytes == -1) {
        DEQUANTISE(int8_t);
    } else {
        DEQUANTISE(int32_t);
    }
}
#undef DEQUANTISE

static CPU_TARGET void CPU_LOOP(join)(int32_t* restrict out, const uint8_t* const* planes,
                                      int64_t n) {
    const uint8_t* restrict a = planes[0], * restrict b = planes[1], * restrict c = planes[2], * restrict d = planes[3];
    for (int64_t i = 0; i < n; i++) {
        uint32_t low = (uint32_t)a[i] | (uint32_t)b[i] << 8;
        out[i] = (int32_t)(low | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24);
    }
}

/* One value; `floor` by hand because the function would be called on machines without it. */
#define DEFINE_REQUANTISE(name, number, magic, half)                                              \
    INLINE int32_t CPU_LOOP(name##_one)(int32_t x, number scale, number low, number high,         \
                                        int half_up) {                                            \
        number value = (number)x * scale;                                                         \
        value = value > low ? value : low;                                                        \
        value = value < high ? value : high;                                                      \
        if (half_up) {                                                                            \
            number raised = value + (number)half;                                                 \
            int32_t whole = (int32_t)raised;                                                      \
            return whole - ((number)whole > raised);                                              \
        }                                                                                         \
        return (int32_t)((value + (number)magic) - (number)magic);                                \
    }                                                                                             \
                                                                                                  \
    INLINE void CPU_LOOP(name##_lanes)(                                                           \
        uint8_t* restrict out, const int32_t* restrict x, int64_t n, const number* scale,         \
        const number* negative_scale, int64_t lanes, int half_up, const cpu_limits* limits) {     \
        const number low = (number)limits->low, high = (number)limits->high;                      \
        const int32_t zero_point = limits->zero_point;                                            \
        for (int64_t i = 0; i < n; i += lanes) {                                                  \
            for (int64_t l = 0; l < lanes; l++) {                                                 \
                number factor = scale[l];                                                         \
                if (negative_scale) factor = x[i + l] < 0 ? negative_scale[l] : factor;           \
                int32_t y = CPU_LOOP(name##_one)(x[i + l], factor, low, high, half_up);           \
                out[i + l] = (uint8_t)(y + zero_point);                                           \
            }                                                                                     \
        }                                                                                         \
    }                                                                                             \
                                                                                                  \
    static CPU_TARGET void CPU_LOOP(name)(uint8_t* out, const int32_t* x, int64_t n,              \
                                          const number* scale, const number* negative_scale,      \
                                          int64_t lanes, int half_up, const cpu_limits* limits) { \
        if (half_up || negative_scale) {                                                          \
            CPU_LOOP(name##_lanes)(out, x, n, scale, negative_scale, lanes, half_up, limits);     \
        } else if (lanes == 1) {                                                                  \
            const number factor = scale[0];                                                       \
            CPU_LOOP(name##_lanes)(out, x, n, &factor, NULL, 1, 0, limits);                       \
        } else if (lanes == CPU_LANES) {                                                          \
            CPU_LOOP(name##_lanes)(out, x, n, scale, NULL, CPU_LANES, 0, limits);                 \
        } else {                                                                                  \
            CPU_LOOP(name##_lanes)(out, x, n, scale, NULL, lanes, 0, limits);                     \
        }                                                                                         \
    }

DEFINE_REQUANTISE(requantise, double, ROUND_DOUBLE, 0.5)
DEFINE_REQUANTISE(requantise_single, float, ROUND_SINGLE, 0.5)
#undef DEFINE_REQUANTISE

static CPU_TARGET void CPU_LOOP(spread)(uint8_t* out, int64_t step, const uint8_t* const* rows,
                                        int64_t lanes, int64_t count, uint8_t offset) {
    for (int64_t l = 0; l < lanes; l++) {
        const uint8_t* row = rows[l];
        for (int64_t p = 0; p < count; p++) out[p * step + l] = (uint8_t)(row[p] + offset);
    }
}

static CPU_TARGET void CPU_LOOP(collect)(uint8_t* const* rows, const uint8_t* x, int64_t step,
                                         int64_t lanes, int64_t count, uint8_t offset) {
    for (int64_t l = 0; l < lanes; l++) {
        uint8_t* row = rows[l];
        for (int64_t p = 0; p < count; p++) row[p] = (uint8_t)(x[p * step + l] + offset);
    }
}

#define DEFINE_MAX(name, type)                                                          \
    static CPU_TARGET void CPU_LOOP(name)(type* restrict to, const type* restrict from, \
                                          int64_t n) {                                  \
        for (int64_t i = 0; i < n; i++) to[i] = from[i] > to[i] ? from[i] : to[i];      \
    }

DEFINE_MAX(max_u8, uint8_t)
DEFINE_MAX(max_s8, int8_t)
DEFINE_MAX(max_f32, float)
#undef DEFINE_MAX

static CPU_TARGET void CPU_LOOP(sum_f32)(float* restrict to, const float* restrict from,
                                         int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

static CPU_TARGET void CPU_LOOP(blend)(float* restrict out, const float* a, const float* b,
                                       float wa, float wb, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = a[i] * wa + b[i] * wb;
}
