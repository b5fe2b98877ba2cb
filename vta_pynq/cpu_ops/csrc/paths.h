/* What differs between the dispatch paths: loops over dense runs of values. */
#ifndef VTA_CPU_OPS_PATHS_H
#define VTA_CPU_OPS_PATHS_H

#include <stddef.h>

#include "abi.h"
#include "machine.h"

#define CPU_CHUNK 256 /* pixels, or values, that are converted at a time */
#define CPU_LANES 16  /* lanes that a vector path transposes together */

/* Runs of n values whose scale is scale[i % lanes]; n is a multiple of lanes. */
typedef struct {
    const char* name;
    int (*available)(void);
    /* x * factor or x / factor, rounded half to even, limited, plus the zero point. */
    void (*quantise)(uint8_t* out, const float* x, int64_t n, const float* factor, int64_t lanes,
                     int multiply, const cpu_limits* limits);
    void (*dequantise)(float* out, const void* x, int value_bytes, int64_t n, const float* scale,
                       int64_t lanes, int32_t zero_point);
    /* int32 out of four planes of bytes. */
    void (*join)(int32_t* out, const uint8_t* const* planes, int64_t n);
    void (*requantise)(uint8_t* out, const int32_t* x, int64_t n, const double* scale,
                       const double* negative_scale, int64_t lanes, int half_up,
                       const cpu_limits* limits);
    void (*requantise_single)(uint8_t* out, const int32_t* x, int64_t n, const float* scale,
                              const float* negative_scale, int64_t lanes, int half_up,
                              const cpu_limits* limits);
    /* out[p * step + l] = rows[l][p] + offset for p < count, l < lanes <= CPU_LANES. */
    void (*spread)(uint8_t* out, int64_t step, const uint8_t* const* rows, int64_t lanes,
                   int64_t count, uint8_t offset);
    /* rows[l][p] = x[p * step + l] + offset. */
    void (*collect)(uint8_t* const* rows, const uint8_t* x, int64_t step, int64_t lanes,
                    int64_t count, uint8_t offset);
    /* to[i] = max(to[i], from[i]), or the sum. */
    void (*max_u8)(uint8_t* to, const uint8_t* from, int64_t n);
    void (*max_s8)(int8_t* to, const int8_t* from, int64_t n);
    void (*max_f32)(float* to, const float* from, int64_t n);
    void (*sum_f32)(float* to, const float* from, int64_t n);
    /* out = a * wa + b * wb */
    void (*blend)(float* out, const float* a, const float* b, float wa, float wb, int64_t n);
} cpu_path;

extern const cpu_path cpu_path_portable;
extern const cpu_path cpu_path_avx2;
extern const cpu_path cpu_path_neon;

const cpu_path* cpu_path_of(int path);

#endif
