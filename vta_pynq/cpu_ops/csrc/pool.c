/* Pooling and resize of planes, a row at a time. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"

/* Columns of the row that holds column results, with room for padding on both sides. */
static int64_t padded_width(const cpu_window* w) {
    int64_t reach = (w->out_width - 1) * w->strides[1] + (w->kernel[1] - 1) * w->dilations[1] + 1;
    int64_t own = w->pads[1] + w->width;
    return reach > own ? reach : own;
}

/* First down the columns into one row, then along it: no window reads an element twice. */
#define DEFINE_POOL(name, type, empty, down, combine)                                      \
    static int name(const cpu_path* with, type* out, const type* x, const cpu_window* w) { \
        int64_t wide = padded_width(w);                                                    \
        type* row = malloc((size_t)wide * sizeof *row);                                    \
        if (!row) return -1;                                                               \
        for (int64_t plane = 0; plane < w->planes; plane++, x += w->height * w->width) {   \
            for (int64_t y = 0; y < w->out_height; y++, out += w->out_width) {             \
                for (int64_t i = 0; i < wide; i++) row[i] = empty;                         \
                for (int64_t k = 0; k < w->kernel[0]; k++) {                               \
                    int64_t at = y * w->strides[0] + k * w->dilations[0] - w->pads[0];     \
                    if (at < 0 || at >= w->height) continue;                               \
                    with->down(row + w->pads[1], x + at * w->width, w->width);             \
                }                                                                          \
                for (int64_t i = 0; i < w->out_width; i++) {                               \
                    const type* from = row + i * w->strides[1];                            \
                    type total = from[0];                                                  \
                    for (int64_t k = 1; k < w->kernel[1]; k++) {                           \
                        type next = from[k * w->dilations[1]];                             \
                        total = combine;                                                   \
                    }                                                                      \
                    out[i] = total;                                                        \
                }                                                                          \
            }                                                                              \
        }                                                                                  \
        free(row);                                                                         \
        return 0;                                                                          \
    }

DEFINE_POOL(pool_max_u8, uint8_t, 0, max_u8, next > total ? next : total)
DEFINE_POOL(pool_max_s8, int8_t, INT8_MIN, max_s8, next > total ? next : total)
DEFINE_POOL(pool_max_f32, float, -INFINITY, max_f32, next > total ? next : total)
DEFINE_POOL(pool_sum_f32, float, 0, sum_f32, total + next)

int cpu_max_pool(int path, void* out, const void* x, const cpu_window* window, int kind) {
    const cpu_path* with = cpu_path_of(path);
    if (kind == 1) return pool_max_u8(with, out, x, window);
    if (kind == -1) return pool_max_s8(with, out, x, window);
    return pool_max_f32(with, out, x, window);
}

int cpu_sum_pool(int path, float* out, const float* x, const cpu_window* window) {
    return pool_sum_f32(cpu_path_of(path), out, x, window);
}

static void widen(float* to, const float* from, const int32_t* columns, const float* weights,
                  int64_t n) {
    const int32_t* second = columns + n;
    for (int64_t i = 0; i < n; i++) {
        to[i] = from[columns[i]] * weights[i] + from[second[i]] * weights[n + i];
    }
}

int cpu_resize_linear(int path, float* out, const float* x, const int64_t* extents,
                      const int32_t* rows, const float* row_weights, const int32_t* columns,
                      const float* column_weights) {
    const cpu_path* with = cpu_path_of(path);
    int64_t planes = extents[0], height = extents[1], width = extents[2];
    int64_t out_height = extents[3], out_width = extents[4];
    float* room = malloc(2 * (size_t)out_width * sizeof *room);
    if (!room) return -1;
    for (int64_t plane = 0; plane < planes; plane++, x += height * width) {
        float *upper = room, *lower = room + out_width;
        int32_t upper_row = -1, lower_row = -1;
        for (int64_t y = 0; y < out_height; y++, out += out_width) {
            int32_t first = rows[y], second = rows[out_height + y];
            if (first == lower_row) { /* going down, the lower row becomes the upper one */
                float* other = upper;
                upper = lower, lower = other;
                lower_row = upper_row, upper_row = first;
            }
            if (upper_row != first)
                widen(upper, x + first * width, columns, column_weights, out_width);
            if (lower_row != second)
                widen(lower, x + second * width, columns, column_weights, out_width);
            upper_row = first, lower_row = second;
            with->blend(out, upper, lower, row_weights[y], row_weights[out_height + y], out_width);
        }
    }
    free(room);
    return 0;
}
