/* Between planes of channels and blocks of lanes. */
#include <string.h>

#include "paths.h"

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Where image n's lanes of group g begin in a blocked tensor. */
static inline int64_t block_start(const cpu_blocks* blocks, int64_t n, int64_t groups, int64_t g) {
    int64_t element = blocks->batch * blocks->block;
    return ((n / blocks->batch * groups + g) * blocks->pixels) * element +
           n % blocks->batch * blocks->block;
}

static inline int64_t group_count(const cpu_blocks* blocks) {
    return (blocks->channels + blocks->block - 1) / blocks->block;
}

/* The images that fill up the last element. */
static void fill_missing_images(uint8_t* out, const cpu_blocks* blocks, uint8_t fill) {
    int64_t groups = group_count(blocks), step = blocks->batch * blocks->block;
    int64_t end = (blocks->images + blocks->batch - 1) / blocks->batch * blocks->batch;
    for (int64_t n = blocks->images; n < end; n++) {
        for (int64_t g = 0; g < groups; g++) {
            uint8_t* to = out + block_start(blocks, n, groups, g);
            for (int64_t p = 0; p < blocks->pixels; p++) {
                memset(to + p * step, fill, (size_t)blocks->block);
            }
        }
    }
}

void cpu_pack(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks, int fill,
              int offset) {
    const cpu_path* with = cpu_path_of(path);
    int64_t groups = group_count(blocks), pixels = blocks->pixels, block = blocks->block;
    int64_t step = blocks->batch * block;
    uint8_t border[CPU_CHUNK];
    memset(border, (uint8_t)(fill - offset), sizeof border);
    for (int64_t n = 0; n < blocks->images; n++) {
        const uint8_t* image = x + n * blocks->channels * pixels;
        for (int64_t g = 0; g < groups; g++) {
            uint8_t* to = out + block_start(blocks, n, groups, g);
            for (int64_t p = 0; p < pixels; p += CPU_CHUNK) {
                int64_t count = least(CPU_CHUNK, pixels - p);
                for (int64_t lane = 0; lane < block; lane += CPU_LANES) {
                    int64_t lanes = least(CPU_LANES, block - lane);
                    const uint8_t* rows[CPU_LANES];
                    for (int64_t l = 0; l < lanes; l++) {
                        int64_t c = g * block + lane + l;
                        rows[l] = c < blocks->channels ? image + c * pixels + p : border;
                    }
                    with->spread(to + p * step + lane, step, rows, lanes, count, (uint8_t)offset);
                }
            }
        }
    }
    fill_missing_images(out, blocks, (uint8_t)fill);
}

void cpu_unpack(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks, int offset) {
    const cpu_path* with = cpu_path_of(path);
    int64_t groups = group_count(blocks), pixels = blocks->pixels, block = blocks->block;
    int64_t step = blocks->batch * block;
    uint8_t unused[CPU_CHUNK];
    for (int64_t n = 0; n < blocks->images; n++) {
        uint8_t* image = out + n * blocks->channels * pixels;
        for (int64_t g = 0; g < groups; g++) {
            const uint8_t* from = x + block_start(blocks, n, groups, g);
            for (int64_t p = 0; p < pixels; p += CPU_CHUNK) {
                int64_t count = least(CPU_CHUNK, pixels - p);
                int64_t used = least(block, blocks->channels - g * block);
                for (int64_t lane = 0; lane < used; lane += CPU_LANES) {
                    int64_t lanes = least(CPU_LANES, block - lane);
                    uint8_t* rows[CPU_LANES];
                    for (int64_t l = 0; l < lanes; l++) {
                        int64_t c = g * block + lane + l;
                        rows[l] = c < blocks->channels ? image + c * pixels + p : unused;
                    }
                    with->collect(rows, from + p * step + lane, step, lanes, count,
                                  (uint8_t)offset);
                }
            }
        }
    }
}

/* The row of result pixels that a lane needs: where their sources lie. */
typedef struct {
    const uint8_t* row; /* NULL: outside the image */
    int64_t dx, width, stride;
} lane_source;

/* Result pixels [first, first + count) of a lane: a pointer to them, or a copy in `room`. */
static const uint8_t* lane_pixels(const lane_source* source, int64_t first, int64_t count,
                                  const uint8_t* border, uint8_t* room) {
    if (!source->row) return border;
    int64_t begin = first * source->stride + source->dx;
    int64_t last = begin + (count - 1) * source->stride;
    if (source->stride == 1 && begin >= 0 && last < source->width) return source->row + begin;
    for (int64_t p = 0, at = begin; p < count; p++, at += source->stride) {
        room[p] = at >= 0 && at < source->width ? source->row[at] : border[0];
    }
    return room;
}

void cpu_gather(int path, uint8_t* out, const uint8_t* x, const cpu_blocks* blocks,
                const int32_t* lanes, const int64_t* x_extent, const int64_t* out_extent,
                const int64_t* strides, int fill, int offset) {
    const cpu_path* with = cpu_path_of(path);
    int64_t groups = group_count(blocks), block = blocks->block, step = blocks->batch * block;
    int64_t plane = x_extent[1] * x_extent[2];
    uint8_t border[CPU_CHUNK], room[CPU_LANES][CPU_CHUNK];
    memset(border, (uint8_t)(fill - offset), sizeof border);
    for (int64_t n = 0; n < blocks->images; n++) {
        const uint8_t* image = x + n * x_extent[0] * plane;
        for (int64_t lane = 0; lane < groups * block;) {
            int64_t g = lane / block, in_block = lane % block;
            int64_t some = least(CPU_LANES, block - in_block);
            uint8_t* to = out + block_start(blocks, n, groups, g) + in_block;
            for (int64_t y = 0; y < out_extent[0]; y++) {
                lane_source sources[CPU_LANES];
                for (int64_t l = 0; l < some; l++) {
                    const int32_t* from = lanes + 3 * (lane + l);
                    int64_t row = y * strides[0] + from[1];
                    int inside = from[0] >= 0 && row >= 0 && row < x_extent[1];
                    const uint8_t* start =
                        inside ? image + from[0] * plane + row * x_extent[2] : NULL;
                    sources[l] = (lane_source){start, from[2], x_extent[2], strides[1]};
                }
                for (int64_t p = 0; p < out_extent[1]; p += CPU_CHUNK) {
                    int64_t count = least(CPU_CHUNK, out_extent[1] - p);
                    const uint8_t* rows[CPU_LANES];
                    for (int64_t l = 0; l < some; l++) {
                        rows[l] = lane_pixels(&sources[l], p, count, border, room[l]);
                    }
                    uint8_t* at = to + (y * out_extent[1] + p) * step;
                    with->spread(at, step, rows, some, count, (uint8_t)offset);
                }
            }
            lane += some;
        }
    }
    fill_missing_images(out, blocks, (uint8_t)fill);
}
