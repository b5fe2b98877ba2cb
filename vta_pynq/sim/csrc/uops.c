/* Properties of micro-op kernels, remembered until the micro-op buffer changes. */
#include "engine.h"

static void examine(const sim_engine* engine, uop_kernel* kernel) {
    const uint16_t *dst = engine->uop_dst + kernel->bgn, *src = engine->uop_src + kernel->bgn,
                   *wgt = engine->uop_wgt + kernel->bgn;
    uint32_t n = kernel->end - kernel->bgn;
    uint16_t max_dst = 0, max_src = 0, max_wgt = 0;
    uint16_t other_dst = 0, other_wgt = 0, gap_dst = 0, gap_src = 0, apart = 0;
    for (uint32_t i = 0; i < n; i++) {
        max_dst = dst[i] > max_dst ? dst[i] : max_dst;
        max_src = src[i] > max_src ? src[i] : max_src;
        max_wgt = wgt[i] > max_wgt ? wgt[i] : max_wgt;
        other_dst |= dst[i] ^ dst[0];
        other_wgt |= wgt[i] ^ wgt[0];
        gap_dst |= dst[i] ^ (uint16_t)(dst[0] + i);
        gap_src |= src[i] ^ (uint16_t)(src[0] + i);
        apart |= dst[i] ^ src[i];
    }
    kernel->max_dst = max_dst;
    kernel->max_src = max_src;
    kernel->max_wgt = max_wgt;
    kernel->same_dst = !other_dst;
    kernel->same_wgt = !other_wgt;
    /* A list that wraps past 16 bits is not dense; its largest index gives it away. */
    kernel->dense_dst = !gap_dst && max_dst == dst[0] + n - 1;
    kernel->dense_src = !gap_src && max_src == src[0] + n - 1;
    kernel->dst_is_src = !apart;
}

const uop_kernel* uop_kernel_of(sim_engine* engine, uint32_t bgn, uint32_t end) {
    uop_kernel* kernel = &engine->kernels[(bgn * 31 + end) % SIM_KERNELS];
    if (kernel->version != engine->uop_version || kernel->bgn != bgn || kernel->end != end) {
        kernel->bgn = bgn;
        kernel->end = end;
        kernel->version = engine->uop_version;
        examine(engine, kernel);
    }
    return kernel;
}

uint64_t largest_index(const loop_insn* insn, uint32_t most, uint32_t out, uint32_t in) {
    return most + (uint64_t)(insn->iter_out - 1) * out + (uint64_t)(insn->iter_in - 1) * in;
}

element_lists elements_of(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel) {
    const uint16_t *dsts = engine->uop_dst + kernel->bgn, *srcs = engine->uop_src + kernel->bgn;
    if (kernel->end - kernel->bgn > 1) {
        return (element_lists){.dsts = dsts,
                               .srcs = srcs,
                               .n = kernel->end - kernel->bgn,
                               .rounds = insn->iter_in,
                               .dense = kernel->dense_dst};
    }
    for (uint32_t i = 0; i < insn->iter_in; i++) {
        engine->list_dst[i] = (uint16_t)(i * insn->dst_factor_in);
        engine->list_src[i] = (uint16_t)(i * insn->src_factor_in);
    }
    return (element_lists){.dsts = engine->list_dst,
                           .srcs = engine->list_src,
                           .n = insn->iter_in,
                           .rounds = 1,
                           .first_dst = dsts[0],
                           .first_src = srcs[0],
                           .dense = insn->iter_in == 1 || insn->dst_factor_in == 1};
}

void follow_dst(sim_engine* engine, const loop_insn* insn, const uop_kernel* kernel) {
    for (uint32_t o = 0; o < insn->iter_out; o++) {
        for (uint32_t i = 0; i < insn->iter_in; i++) {
            uint8_t* follows = engine->out_follows + o * insn->dst_factor_out;
            follows += i * insn->dst_factor_in;
            for (uint32_t u = kernel->bgn; u < kernel->end; u++) follows[engine->uop_dst[u]] = 1;
        }
    }
}
