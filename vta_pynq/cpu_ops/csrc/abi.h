/* What Python calls. Sizes have been checked: nothing here reads or writes beyond its arrays.
 * Functions that need memory return 0, or -1 where there is none. */
#ifndef VTA_CPU_OPS_ABI_H
#define VTA_CPU_OPS_ABI_H
#include <stdint.h>

/* Dense memory as (outer, groups, inner, lanes); channel = group * lanes + lane. */
typedef struct {
    int64_t outer, groups, inner, lanes;
} cpu_grid;

/* Integer results: added after rounding, and bounds that were reduced by it before. */
typedef struct {
    int32_t zero_point, low, high;
} cpu_limits;

/* A pooling window on planes of height x width; rows and columns alternate. */
typedef struct {
    int64_t planes, height, width, out_height, out_width;
    int64_t kernel[2], strides[2], pads[2], dilations[2];
} cpu_window;

/* A blocked tensor [outer][groups][pixels][batch][block] and its part that is used. */
typedef struct {
    int64_t images, channels, pixels, batch, block;
} cpu_blocks;

/* Names of the paths of this build; NULL after the last. */
const char* cpu_path_name(int path);
int cpu_path_available(int path);

void cpu_look_up(int path, void* out, const uint8_t* x, const void* table, int64_t count,
                 int entry_bytes);
void cpu_quantise(int path, uint8_t* out, const float* x, const float* scale, const cpu_grid* grid,
                  const cpu_limits* limits);
/* `value_bytes`: 1 or -1 for uint8 or int8, 4 for int32 (whose zero point must be 0). */
void cpu_dequantise(int path, float* out, const void* x, int value_bytes, const float* scale,
                    const cpu_grid* grid, int32_t zero_point);
/* `planes`: one int32 array, or four of bytes, lowest first. Scales are double or, where
 * `single`, float; `negative_scale` may be NULL. */
void cpu_requantise(int path, uint8_t* out, const void* const* planes, int plane_count,
                    const void* scale, const void* negative_scale, const cpu_grid* grid,
                    const cpu_limits* limits, int single, int half_up);
void cpu_pack(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks, int fill,
              int offset);
void cpu_unpack(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks, int offset);
/* `lanes`: channel or -1, dy, dx of each; blocks->pixels is out_height * out_width and
 * blocks->channels the number of lanes. x is (images, channels, height, width). */
void cpu_gather(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks,
                const int32_t* lanes, const int64_t* x_extent, const int64_t* out_extent,
                const int64_t* strides, int fill, int offset);
/* `kind`: 1 uint8, -1 int8, 4 float. */
int cpu_max_pool(int path, void* out, const void* x, const cpu_window* window, int kind);
int cpu_sum_pool(int path, float* out, const float* x, const cpu_window* window);
/* An axis: pairs of source indices and their weights, 2 x extent each. */
int cpu_resize_linear(int path, float* out, const float* x, const int64_t* extents,
                      const int32_t* rows, const float* row_weights, const int32_t* columns,
                      const float* column_weights);
#endif
