/* Conversions of whole tensors, and the table of paths. */
#include <string.h>

#include "paths.h"

static const cpu_path* const PATHS[] = {
    &cpu_path_portable,
#if HAVE_X86_PATHS
    &cpu_path_avx2,
#endif
#if HAVE_NEON_PATH
    &cpu_path_neon,
#endif
};
#define PATH_COUNT ((int)(sizeof PATHS / sizeof *PATHS))

const char* cpu_path_name(int path) {
    return path >= 0 && path < PATH_COUNT ? PATHS[path]->name : NULL;
}

int cpu_path_available(int path) {
    return path >= 0 && path < PATH_COUNT && PATHS[path]->available();
}

const cpu_path* cpu_path_of(int path) { return PATHS[path]; }

void cpu_look_up(int path, void* out, const uint8_t* x, const void* table, int64_t count,
                 int entry_bytes) {
    (void)path; /* bound by memory everywhere */
    if (entry_bytes == 1) {
        const uint8_t* restrict entries = table;
        uint8_t* restrict to = out;
        for (int64_t i = 0; i < count; i++) to[i] = entries[x[i]];
    } else {
        const float* restrict entries = table;
        float* restrict to = out;
        for (int64_t i = 0; i < count; i++) to[i] = entries[x[i]];
    }
}

/* The reciprocal of a power of two that neither overflows nor makes a product that could: with
 * it a product is what the quotient is. 0 for any other number. */
static float exact_reciprocal(float scale) {
    const int32_t bias = 127, limit = 60, mantissa_bits = 23;
    int32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    int32_t exponent = (bits >> mantissa_bits) - bias;
    if ((bits & ((1 << mantissa_bits) - 1)) || exponent < -limit || exponent > limit) return 0;
    return 1 / scale;
}

/* Factors of up to CPU_LANES lanes: reciprocals where all are exact, else the scales. */
static int prepare_factors(float* factors, const float* scale, int64_t lanes) {
    int multiply = 1;
    for (int64_t l = 0; l < lanes && multiply; l++) {
        factors[l] = exact_reciprocal(scale[l]);
        multiply = factors[l] != 0;
    }
    if (!multiply) memcpy(factors, scale, (size_t)lanes * sizeof *scale);
    return multiply;
}

void cpu_quantise(int path, uint8_t* out, const float* x, const float* scale, const cpu_grid* grid,
                  const cpu_limits* limits) {
    const cpu_path* with = cpu_path_of(path);
    int64_t run = grid->inner * grid->lanes;
    float few[CPU_LANES];
    for (int64_t o = 0; o < grid->outer; o++) {
        for (int64_t g = 0; g < grid->groups; g++, out += run, x += run) {
            const float* factors = scale + g * grid->lanes;
            int multiply = 0;
            if (grid->lanes <= CPU_LANES) {
                multiply = prepare_factors(few, factors, grid->lanes);
                factors = few;
            }
            with->quantise(out, x, run, factors, grid->lanes, multiply, limits);
        }
    }
}

void cpu_dequantise(int path, float* out, const void* x, int value_bytes, const float* scale,
                    const cpu_grid* grid, int32_t zero_point) {
    const cpu_path* with = cpu_path_of(path);
    int64_t run = grid->inner * grid->lanes;
    int64_t bytes = value_bytes < 0 ? -value_bytes : value_bytes;
    const char* from = x;
    for (int64_t o = 0; o < grid->outer; o++) {
        for (int64_t g = 0; g < grid->groups; g++, out += run, from += run * bytes) {
            const float* factors = scale + g * grid->lanes;
            with->dequantise(out, from, value_bytes, run, factors, grid->lanes, zero_point);
        }
    }
}

typedef struct {
    const cpu_path* with;
    const cpu_limits* limits;
    int single, half_up;
} requantise_rule;

static void requantise_run(const requantise_rule* rule, uint8_t* out, const int32_t* x, int64_t n,
                           const void* scale, const void* negative_scale, int64_t first,
                           int64_t lanes) {
    if (rule->single) {
        const float *positive = scale, *negative = negative_scale;
        rule->with->requantise_single(out, x, n, positive + first,
                                      negative ? negative + first : NULL, lanes, rule->half_up,
                                      rule->limits);
    } else {
        const double *positive = scale, *negative = negative_scale;
        rule->with->requantise(out, x, n, positive + first, negative ? negative + first : NULL,
                               lanes, rule->half_up, rule->limits);
    }
}

void cpu_requantise(int path, uint8_t* out, const void* const* planes, int plane_count,
                    const void* scale, const void* negative_scale, const cpu_grid* grid,
                    const cpu_limits* limits, int single, int half_up) {
    requantise_rule rule = {cpu_path_of(path), limits, single, half_up};
    int64_t lanes = grid->lanes, run = grid->inner * lanes, at = 0;
    int32_t whole[CPU_CHUNK * CPU_LANES];
    /* Planes are joined a chunk of whole pixels at a time; a wide pixel is cut into lanes. */
    int64_t part = lanes < CPU_LANES ? lanes : CPU_LANES;
    for (int64_t o = 0; o < grid->outer; o++) {
        for (int64_t g = 0; g < grid->groups; g++, at += run) {
            int64_t first = g * lanes;
            if (plane_count == 1) {
                const int32_t* x = (const int32_t*)planes[0] + at;
                requantise_run(&rule, out + at, x, run, scale, negative_scale, first, lanes);
                continue;
            }
            int64_t most = lanes <= CPU_LANES ? CPU_CHUNK * CPU_LANES / lanes * lanes : part;
            for (int64_t i = 0; i < run;) {
                int64_t lane = lanes <= CPU_LANES ? 0 : i % lanes;
                int64_t left = lanes <= CPU_LANES ? run - i : lanes - lane;
                int64_t n = left < most ? left : most;
                const uint8_t* from[4];
                for (int p = 0; p < 4; p++) from[p] = (const uint8_t*)planes[p] + at + i;
                rule.with->join(whole, from, n);
                requantise_run(&rule, out + at + i, whole, n, scale, negative_scale, first + lane,
                               lanes <= CPU_LANES ? lanes : n);
                i += n;
            }
        }
    }
}
