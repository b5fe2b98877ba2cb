/* The most 8-bit multiply-accumulates a second that one core can do with the instructions of a
 * path: everything in registers, enough independent sums to hide the latency. Built and called by
 * bench_sim.py. Each function returns the multiply-accumulates that it did. */
#include <immintrin.h>
#include <stdint.h>

#define SUMS 12

__attribute__((target("avx512f,avx512vnni"))) uint64_t peak_avx512vnni(uint64_t rounds) {
    __m512i sums[SUMS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_si512();
    for (uint64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
            __asm__ volatile("" : "+v"(sums[i])); /* keeps the compiler from folding the sums */
        }
    }
    return rounds * SUMS * 64;
}

/* vpmaddwd and the addition that goes with it: 16 products in a pair of instructions. */
__attribute__((target("avx2"))) uint64_t peak_avx2(uint64_t rounds) {
    __m256i sums[SUMS], a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(5);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm256_setzero_si256();
    for (uint64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) {
            __m256i product = _mm256_madd_epi16(a, b);
            __asm__ volatile("" : "+x"(product));
            sums[i] = _mm256_add_epi32(sums[i], product);
            __asm__ volatile("" : "+x"(sums[i]));
        }
    }
    return rounds * SUMS * 16;
}
