/* REQUANT on whole elements, for the compiler to vectorise.
 *
 * Included once per path, with SIM_TARGET (the path's target attribute) and SIM_PATH(name). Results
 * go through an array of our own, because a source may be the destination. */

#define SIM_CHUNK 16 /* lanes that are computed at once */

/* Wraps to the accumulator's width; `spare` is 32 minus that. */
#define BIASED(l) ((int32_t)(((uint32_t)x[l] + (uint32_t)bias[l]) << spare) >> spare)

/* Rounds half up: the bits that are shifted out add the highest of them. */
static inline SIM_TARGET void SIM_PATH(requant_shift)(const requant_op* op, int32_t* to,
                                                      const int32_t* x, const int32_t* bias,
                                                      uint32_t n) {
    const uint32_t spare = 32 - op->width, shift = op->shift, before = shift ? shift - 1 : 0;
    const int32_t half = shift ? 1 : 0, lo = op->clip_lo, hi = op->clip_hi;
    for (uint32_t l = 0; l < n; l++) {
        int32_t v = BIASED(l);
        int32_t r = (v >> shift) + (v >> before & half);
        r = r < lo ? lo : r;
        to[l] = r > hi ? hi : r;
    }
}

/* A product has 48 bits. With 2^62 added it is not negative, so that a logical shift, which every
 * vector extension has, does; what it adds to the result is taken off again. */
static inline SIM_TARGET void SIM_PATH(requant_multiply)(const requant_op* op, int32_t* to,
                                                         const int32_t* x, const int32_t* bias,
                                                         const int32_t* factor, uint32_t n) {
    const uint32_t spare = 32 - op->width, shift = op->shift;
    const int64_t raise = (INT64_C(1) << 62) + (shift ? INT64_C(1) << (shift - 1) : 0);
    const int64_t lower = INT64_C(1) << (62 - shift), lo = op->clip_lo, hi = op->clip_hi;
    for (uint32_t l = 0; l < n; l++) {
        int64_t product = (int64_t)BIASED(l) * (int16_t)factor[l];
        int64_t r = (int64_t)((uint64_t)(product + raise) >> shift) - lower;
        r = r < lo ? lo : r;
        to[l] = (int32_t)(r > hi ? hi : r);
    }
}

static inline SIM_TARGET void SIM_PATH(requant_chunk)(const requant_op* op, int32_t* acc,
                                                      const int32_t* bias, const int32_t* factor,
                                                      uint32_t n) {
    int32_t to[SIM_CHUNK];
    if (factor) {
        SIM_PATH(requant_multiply)(op, to, acc, bias, factor, n);
    } else {
        SIM_PATH(requant_shift)(op, to, acc, bias, n);
    }
    memcpy(acc, to, n * sizeof *to);
}

static SIM_TARGET void SIM_PATH(requant)(const requant_op* op, uint32_t dst, const uint16_t* dsts,
                                         uint32_t src, const uint16_t* srcs, uint32_t n) {
    static const int32_t NO_BIAS[SIM_CHUNK] = {0};
    for (uint32_t i = 0; i < n; i++) {
        int32_t* acc = op->acc + (size_t)(dst + dsts[i]) * op->lanes;
        const uint32_t s = src + srcs[i], m = op->use_bias ? (s + 1) & op->wrap : s;
        for (uint32_t l = 0; l < op->lanes; l += SIM_CHUNK) {
            const int32_t* bias = op->use_bias ? op->acc + (size_t)s * op->lanes + l : NO_BIAS;
            const int32_t* factor = op->use_mul ? op->acc + (size_t)m * op->lanes + l : NULL;
            uint32_t left = op->lanes - l;
            if (left >= SIM_CHUNK) { /* a length that the compiler knows */
                SIM_PATH(requant_chunk)(op, acc + l, bias, factor, SIM_CHUNK);
            } else {
                SIM_PATH(requant_chunk)(op, acc + l, bias, factor, left);
            }
        }
    }
}

#undef BIASED
#undef SIM_CHUNK
