/* The ALU on whole elements, for the compiler to vectorise.
 *
 * Included once per path, with SIM_TARGET (the path's target attribute) and SIM_PATH(name). */

#define SIM_CHUNK 16 /* lanes that are computed at once */

/* Wraps to the accumulator's width; `spare` is 32 minus that. */
#define WRAP(value) ((int32_t)((uint32_t)(value) << spare) >> spare)

/* x shifted right by `by`, or left by -by. Amounts are exact: 32 and more leave sign or nothing. */
static inline SIM_TARGET int32_t SIM_PATH(shift)(int32_t x, int32_t by) {
    by = by > 31 ? 31 : by;
    by = by < -32 ? -32 : by;
    uint32_t left = by < 0 ? (uint32_t)-by : 0;
    int32_t down = x >> (by < 0 ? 0 : by);
    uint32_t up = left > 31 ? 0 : (uint32_t)x << (left & 31);
    return by < 0 ? (int32_t)up : down;
}

static inline SIM_TARGET void SIM_PATH(lanes)(const alu_op* op, int32_t* to, const int32_t* x,
                                              const int32_t* y, uint32_t n) {
    uint32_t spare = 32 - op->width;
    switch (op->opcode) {
        case VTA_ALU_MIN:
            for (uint32_t l = 0; l < n; l++) to[l] = WRAP(x[l] < y[l] ? x[l] : y[l]);
            break;
        case VTA_ALU_MAX:
            for (uint32_t l = 0; l < n; l++) to[l] = WRAP(x[l] > y[l] ? x[l] : y[l]);
            break;
        case VTA_ALU_ADD:
            for (uint32_t l = 0; l < n; l++) to[l] = WRAP((uint32_t)x[l] + (uint32_t)y[l]);
            break;
        case VTA_ALU_SHR: {
            uint32_t ignored = op->shift_bits ? 32 - op->shift_bits : 0;
            for (uint32_t l = 0; l < n; l++) {
                int32_t by = (int32_t)((uint32_t)y[l] << ignored) >> ignored;
                to[l] = WRAP(SIM_PATH(shift)(x[l], by));
            }
            break;
        }
        default: /* MUL */
            for (uint32_t l = 0; l < n; l++) to[l] = WRAP((uint32_t)x[l] * (uint32_t)y[l]);
    }
}

/* Through an array of our own: an element may be its own operand, which would keep the compiler
 * from vectorising. */
static inline SIM_TARGET void SIM_PATH(chunk)(const alu_op* op, int32_t* acc, const int32_t* other,
                                              uint32_t n) {
    int32_t to[SIM_CHUNK];
    if (n == SIM_CHUNK) {
        SIM_PATH(lanes)(op, to, acc, other, SIM_CHUNK);
        memcpy(acc, to, sizeof to);
    } else {
        SIM_PATH(lanes)(op, to, acc, other, n);
        memcpy(acc, to, n * sizeof *to);
    }
}

static inline SIM_TARGET void SIM_PATH(span)(const alu_op* op, int32_t* acc, const int32_t* other,
                                             int32_t step, uint64_t n) {
    while (n >= SIM_CHUNK) {
        SIM_PATH(chunk)(op, acc, other, SIM_CHUNK);
        acc += SIM_CHUNK;
        other += step;
        n -= SIM_CHUNK;
    }
    if (n) SIM_PATH(chunk)(op, acc, other, (uint32_t)n);
}

static SIM_TARGET void SIM_PATH(alu)(const alu_op* op, uint32_t dst, const uint16_t* dsts,
                                     uint32_t src, const uint16_t* srcs, uint32_t n) {
    int32_t imm[SIM_CHUNK];
    for (uint32_t l = 0; l < SIM_CHUNK; l++) imm[l] = op->imm;
    for (uint32_t i = 0; i < n; i++) {
        int32_t* acc = op->acc + (size_t)(dst + dsts[i]) * op->lanes;
        if (op->use_imm) {
            SIM_PATH(span)(op, acc, imm, 0, op->lanes);
        } else {
            const int32_t* other = op->acc + (size_t)(src + srcs[i]) * op->lanes;
            SIM_PATH(span)(op, acc, other, SIM_CHUNK, op->lanes);
        }
    }
}

static SIM_TARGET void SIM_PATH(alu_dense)(const alu_op* op, uint32_t dst, uint32_t n) {
    int32_t imm[SIM_CHUNK];
    for (uint32_t l = 0; l < SIM_CHUNK; l++) imm[l] = op->imm;
    SIM_PATH(span)(op, op->acc + (size_t)dst * op->lanes, imm, 0, (uint64_t)n * op->lanes);
}

#undef SIM_CHUNK
#undef WRAP
