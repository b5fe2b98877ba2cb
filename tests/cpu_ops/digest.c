/* Runs every kernel on every path with pseudo-random operands; prints a digest for each path. All
 * digests of all machines must be equal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define MOST (1 << 16) /* values of an operand */

static uint64_t state, digest;

static uint32_t draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static int64_t below(int64_t n) { return (int64_t)(draw() % (uint32_t)n); }

/* Numbers from 1 to those of `most`, one after another: the order of evaluation in an initialiser
 * is the compiler's. */
static void draw_list(int64_t* to, int count, const int64_t* most) {
    for (int i = 0; i < count; i++) to[i] = 1 + below(most[i]);
}

static void note(const void* data, size_t size) {
    const uint8_t* bytes = data;
    for (size_t i = 0; i < size; i++) digest = (digest ^ bytes[i]) * 1099511628211u;
}

/* Any bits: not a number, denormal, infinite; or of moderate size, ties among them. */
static float any_real(void) {
    float value;
    uint32_t bits = draw() * 2u;
    bits += draw() & 1;
    if (draw() % 4 == 0) {
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return (float)((int32_t)(bits % 65536) - 32768) / 256;
}

static float any_scale(int power) {
    if (!power) return (float)(1 + below(9999)) / 7777;
    return (float)(1 << below(12)) / 256;
}

static int8_t bytes[4][MOST], result[2 * MOST];
static float reals[MOST], real_result[MOST], scales[256], leaks[256];
static double wide_scales[256], wide_leaks[256];
static int32_t whole[MOST], lanes[3 * 64];

static void fill_operands(void) {
    for (int64_t i = 0; i < MOST; i++) {
        for (int p = 0; p < 4; p++) bytes[p][i] = (int8_t)draw();
        reals[i] = any_real();
        int32_t value = (int32_t)(draw() * 2u);
        whole[i] = value >> below(28);
    }
}

static void convert(int path) {
    static const int64_t SIZES[] = {3, 4, 60, 40};
    int64_t size[4];
    draw_list(size, 4, SIZES);
    cpu_grid grid = {size[0], size[1], size[2], size[3]};
    if (draw() % 2) grid.lanes = draw() % 2 ? 1 : 16;
    int64_t count = grid.outer * grid.groups * grid.inner * grid.lanes;
    int power = (int)(draw() % 2);
    int zero_point = (int)below(256) - 128;
    cpu_limits limits = {zero_point, -128 - zero_point, 127 - zero_point};
    for (int i = 0; i < 256; i++) {
        scales[i] = any_scale(power);
        leaks[i] = any_scale(power);
        wide_scales[i] = scales[i], wide_leaks[i] = leaks[i];
    }
    cpu_quantise(path, (uint8_t*)result, reals, scales, &grid, &limits);
    note(result, (size_t)count);
    cpu_dequantise(path, real_result, bytes[0], -1, scales, &grid, zero_point);
    note(real_result, (size_t)count * sizeof *real_result);
    cpu_dequantise(path, real_result, bytes[0], 1, scales, &grid, zero_point + 128);
    note(real_result, (size_t)count * sizeof *real_result);
    cpu_dequantise(path, real_result, whole, 4, scales, &grid, 0);
    note(real_result, (size_t)count * sizeof *real_result);
    const void* planes[4] = {bytes[0], bytes[1], bytes[2], bytes[3]};
    const void* one[1] = {whole};
    for (int way = 0; way < 8; way++) {
        const void* scale = way & 1 ? (const void*)scales : (const void*)wide_scales;
        const void* leak = way & 1 ? (const void*)leaks : (const void*)wide_leaks;
        if (way & 4) leak = NULL;
        cpu_requantise(path, (uint8_t*)result, planes, 4, scale, leak, &grid, &limits, way & 1,
                       way >> 1 & 1);
        note(result, (size_t)count);
        cpu_requantise(path, (uint8_t*)result, one, 1, scale, leak, &grid, &limits, way & 1,
                       way >> 1 & 1);
        note(result, (size_t)count);
    }
}

static void move(int path) {
    static const int64_t BLOCKS[] = {1, 4, 8, 16, 16, 24, 32};
    static const int64_t SIZES[] = {3, 20, 300, 2, 4, 30, 100, 8, 90, 3, 3, 3, 2};
    int64_t block = BLOCKS[below(7)], size[13];
    draw_list(size, 13, SIZES);
    cpu_blocks blocks = {size[0], size[1], size[2], size[3], block};
    int64_t images = (blocks.images + blocks.batch - 1) / blocks.batch * blocks.batch;
    int64_t channels = (blocks.channels + block - 1) / block * block;
    int64_t stored = images * channels * blocks.pixels;
    int offset = (int)below(256);
    int fill = (int)below(256);
    cpu_pack(path, (uint8_t*)result, (const uint8_t*)bytes[0], &blocks, fill, offset);
    note(result, (size_t)stored);
    cpu_unpack(path, (uint8_t*)bytes[1], (const uint8_t*)result, &blocks, 256 - offset);
    int64_t used = blocks.images * blocks.channels * blocks.pixels;
    if (memcmp(bytes[0], bytes[1], (size_t)used)) abort();

    const int64_t *image = size + 4, *extent = size + 7, *strides = size + 9;
    cpu_blocks first = {size[11], 32, extent[0] * extent[1], size[12], 16};
    for (int l = 0; l < 32; l++) {
        lanes[3 * l] = (int32_t)below(image[0] + 1) - 1;
        lanes[3 * l + 1] = (int32_t)below(9) - 4;
        lanes[3 * l + 2] = (int32_t)below(9) - 4;
    }
    cpu_gather(path, (uint8_t*)result, (const uint8_t*)bytes[2], &first, lanes, image, extent,
               strides, fill, offset);
    images = (first.images + first.batch - 1) / first.batch * first.batch;
    note(result, (size_t)(images * 32 * first.pixels));
}

static void pool(int path) {
    static const int64_t SIZES[] = {3, 20, 40, 4, 4, 3, 3, 9, 9, 20, 20};
    int64_t size[11];
    draw_list(size, 11, SIZES);
    cpu_window window = {size[0], 7 + size[1],        7 + size[2],        0,
                         0,       {size[3], size[4]}, {size[5], size[6]}, {0, 0},
                         {1, 1}};
    for (int axis = 0; axis < 2; axis++) window.pads[axis] = below(window.kernel[axis]);
    window.out_height = (window.height - window.kernel[0]) / window.strides[0] + 1;
    window.out_width = (window.width - window.kernel[1]) / window.strides[1] + 1;
    size_t count = (size_t)(window.planes * window.out_height * window.out_width);
    for (int64_t i = 0; i < MOST; i++) reals[i] = (float)bytes[3][i] / 8;
    if (cpu_max_pool(path, result, bytes[0], &window, 1)) abort();
    note(result, count);
    if (cpu_max_pool(path, result, bytes[0], &window, -1)) abort();
    note(result, count);
    if (cpu_max_pool(path, real_result, reals, &window, 4)) abort();
    note(real_result, count * sizeof *real_result);
    if (cpu_sum_pool(path, real_result, reals, &window)) abort();
    note(real_result, count * sizeof *real_result);

    int64_t extents[5] = {2, size[7], size[8], size[9], size[10]};
    int32_t pairs[2][40];
    float weights[2][40];
    for (int axis = 0; axis < 2; axis++) {
        int64_t n = extents[3 + axis], old = extents[1 + axis];
        for (int64_t i = 0; i < n; i++) {
            pairs[axis][i] = (int32_t)(i * old / n);
            pairs[axis][n + i] = (int32_t)((i * old / n + 1) % old);
            weights[axis][i] = (float)(i % 7) / 7;
            weights[axis][n + i] = 1 - weights[axis][i];
        }
    }
    if (cpu_resize_linear(path, real_result, reals, extents, pairs[0], weights[0], pairs[1],
                          weights[1])) {
        abort();
    }
    note(real_result, (size_t)(2 * extents[3] * extents[4]) * sizeof *real_result);
}

int main(int count, char** arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 1;
    for (int path = 0; cpu_path_name(path); path++) {
        if (!cpu_path_available(path)) continue;
        state = 88172645463325252u, digest = 14695981039346656037u;
        for (int round = 0; round < rounds; round++) {
            fill_operands();
            convert(path);
            move(path);
            pool(path);
        }
        printf("%s %016llx\n", cpu_path_name(path), (unsigned long long)digest);
    }
    return 0;
}
