/* x86-64 with AVX2: the loops vectorised by the compiler, transpositions by hand. */
#include "machine.h"

#if HAVE_X86_PATHS
#include <immintrin.h>

#define CPU_TARGET __attribute__((target("avx2")))
#define CPU_LOOP(name) avx2_##name

#include "loops.h"

/* One of four rounds: two registers of 16 bytes each give bytes of both in turn. */
static inline CPU_TARGET void interleave(__m128i* to, const __m128i* from) {
    for (int i = 0; i < CPU_LANES / 2; i++) {
        to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + CPU_LANES / 2]);
        to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + CPU_LANES / 2]);
    }
}

/* 16 x 16 bytes. Row i meets row i + 8: after four rounds, byte j of row i is byte i of row j. */
static inline CPU_TARGET void transpose16(__m128i* rows) {
    __m128i other[CPU_LANES];
    interleave(other, rows);
    interleave(rows, other);
    interleave(other, rows);
    interleave(rows, other);
}

static CPU_TARGET void avx2_spread16(uint8_t* out, int64_t step, const uint8_t* const* rows,
                                     int64_t lanes, int64_t count, uint8_t offset) {
    const __m128i add = _mm_set1_epi8((char)offset);
    int64_t whole = lanes == CPU_LANES ? count / CPU_LANES * CPU_LANES : 0;
    __m128i tile[CPU_LANES];
    for (int64_t p = 0; p < whole; p += CPU_LANES) {
        for (int l = 0; l < CPU_LANES; l++) {
            tile[l] = _mm_loadu_si128((const __m128i*)(rows[l] + p));
        }
        transpose16(tile);
        for (int i = 0; i < CPU_LANES; i++) {
            _mm_storeu_si128((__m128i*)(out + (p + i) * step), _mm_add_epi8(tile[i], add));
        }
    }
    if (whole < count) {
        const uint8_t* rest[CPU_LANES];
        for (int64_t l = 0; l < lanes; l++) rest[l] = rows[l] + whole;
        avx2_spread(out + whole * step, step, rest, lanes, count - whole, offset);
    }
}

static CPU_TARGET void avx2_collect16(uint8_t* const* rows, const uint8_t* x, int64_t step,
                                      int64_t lanes, int64_t count, uint8_t offset) {
    const __m128i add = _mm_set1_epi8((char)offset);
    int64_t whole = lanes == CPU_LANES ? count / CPU_LANES * CPU_LANES : 0;
    __m128i tile[CPU_LANES];
    for (int64_t p = 0; p < whole; p += CPU_LANES) {
        for (int i = 0; i < CPU_LANES; i++) {
            tile[i] = _mm_loadu_si128((const __m128i*)(x + (p + i) * step));
        }
        transpose16(tile);
        for (int l = 0; l < CPU_LANES; l++) {
            _mm_storeu_si128((__m128i*)(rows[l] + p), _mm_add_epi8(tile[l], add));
        }
    }
    if (whole < count) {
        uint8_t* rest[CPU_LANES];
        for (int64_t l = 0; l < lanes; l++) rest[l] = rows[l] + whole;
        avx2_collect(rest, x + whole * step, step, lanes, count - whole, offset);
    }
}

const cpu_path cpu_path_avx2 = {
    "avx2",          machine_has_avx2,       avx2_quantise, avx2_dequantise, avx2_join,
    avx2_requantise, avx2_requantise_single, avx2_spread16, avx2_collect16,  avx2_max_u8,
    avx2_max_s8,     avx2_max_f32,           avx2_sum_f32,  avx2_blend,
};
#endif
