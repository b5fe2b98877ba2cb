/* Accumulator reuse inside one instruction: the distance in micro-ops between a write and a later
 * read of the same element, over the whole loop nest.
 *
 * Position p = (o, i, u) writes dst[u] + o * do + i * di; position p + k reads. For each k below
 * the least distance and each u, the read's position differs from the write's by a fixed (c, j):
 * c carries into the outer loop. "Same element" is then one linear equation in o and i over a box,
 * which is solved exactly, so the cost does not depend on the loop counts. */
#include "lint.h"

typedef struct {
    int64_t low, high; /* both included; empty where low > high */
} range;

static int64_t floor_div(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q - (a % b && (a < 0) != (b < 0));
}

static int64_t extended_gcd(int64_t a, int64_t b, int64_t* x, int64_t* y) {
    int64_t x0 = 1, y0 = 0, x1 = 0, y1 = 1;
    while (b) {
        int64_t q = a / b, r = a % b, swap;
        a = b;
        b = r;
        swap = x0 - q * x1;
        x0 = x1;
        x1 = swap;
        swap = y0 - q * y1;
        y0 = y1;
        y1 = swap;
    }
    *x = x0;
    *y = y0;
    return a;
}

/* Narrows `n` to the integers for which start + n * step lies in `within`; step is not 0. */
static void narrow(range* n, int64_t start, int64_t step, range within) {
    int64_t from = within.low - start, to = within.high - start;
    int64_t low = step > 0 ? -floor_div(-from, step) : -floor_div(-to, step);
    int64_t high = step > 0 ? floor_div(to, step) : floor_div(from, step);
    n->low = low > n->low ? low : n->low;
    n->high = high < n->high ? high : n->high;
}

/* Whether a * x + b * y = t has a solution with x and y in their ranges; gives one. */
static bool solve(int64_t a, int64_t b, int64_t t, range xs, range ys, int64_t* x, int64_t* y) {
    if (xs.low > xs.high || ys.low > ys.high) {
        return false;
    }
    *x = xs.low;
    *y = ys.low;
    if (!a && !b) {
        return t == 0;
    }
    if (!a || !b) {
        int64_t factor = a ? a : b, value = t / factor;
        range within = a ? xs : ys;
        *(a ? x : y) = value;
        return t % factor == 0 && value >= within.low && value <= within.high;
    }
    int64_t x0, y0, gcd = extended_gcd(a, b, &x0, &y0);
    if (t % gcd) {
        return false;
    }
    x0 *= t / gcd;
    y0 *= t / gcd;
    range n = {INT64_MIN, INT64_MAX};
    narrow(&n, x0, b / gcd, xs);
    narrow(&n, y0, -(a / gcd), ys);
    *x = x0 + (n.low <= n.high ? n.low : 0) * (b / gcd);
    *y = y0 - (n.low <= n.high ? n.low : 0) * (a / gcd);
    return n.low <= n.high;
}

/* One pair of micro-ops at a distance, somewhere in the loops. Gives the element, or -1. */
static int64_t collide(const lint_insn* insn, uint32_t written, int64_t read_base, operand read,
                       int64_t ahead) {
    const int64_t outer = insn->iter_out, inner = insn->iter_in;
    for (int64_t c = ahead / inner; c <= (ahead + inner - 1) / inner && c < outer; c++) {
        int64_t first = c * inner - ahead, last = (c + 1) * inner - ahead - 1;
        range xs = {0, outer - 1 - c};
        range ys = {first > 0 ? first : 0, last < inner - 1 ? last : inner - 1};
        int64_t target =
            read_base - written + c * read.factor_out + (ahead - c * inner) * read.factor_in;
        int64_t o, i;
        if (solve(insn->dst_factor_out - read.factor_out, insn->dst_factor_in - read.factor_in,
                  target, xs, ys, &o, &i)) {
            return written + o * insn->dst_factor_out + i * insn->dst_factor_in;
        }
    }
    return -1;
}

/* MIN and MAX with an immediate give the same result from the stale value. */
static bool is_idempotent(const lint_insn* insn, operand read) {
    return insn->opcode == OP_ALU && insn->use_imm && read.column == 0 &&
           (insn->alu_opcode == ALU_MIN || insn->alu_opcode == ALU_MAX);
}

void hazards_check(lint_run* run, uint32_t i, const uint32_t* uops, uint32_t uop_count,
                   operand read, uint32_t least, lint_role role) {
    const lint_insn* insn = &run->insns[i];
    /* In one pass over the micro-ops, equal factors leave only the micro-ops themselves. */
    const bool parallel =
        read.factor_out == insn->dst_factor_out && read.factor_in == insn->dst_factor_in;
    for (uint32_t k = 1; k < least; k++) {
        if (!spend(run, 2 * (uint64_t)uop_count)) {
            return;
        }
        for (uint32_t u = 0; u < uop_count; u++) {
            bool same_pass = u + k < uop_count;
            uint32_t later = same_pass ? u + k : (u + k) % uop_count;
            int64_t read_base = uops[3 * later + read.column] + read.offset;
            if (parallel && same_pass && uops[3 * u] != read_base) {
                continue;
            }
            int64_t element = collide(insn, uops[3 * u], read_base, read, (u + k) / uop_count);
            if (element >= 0) {
                report(run, is_idempotent(insn, read) ? LINT_DISTANCE_HARMLESS : LINT_DISTANCE, i,
                       element, k, least, role);
                return;
            }
        }
    }
}
