/* GEMM for every block: plain dot products of rows, which compilers turn into vector code.
 *
 * Included once per path, with SIM_TARGET (the path's target attribute) and SIM_PATH(name). The
 * constants 8, 16 and 32 for `block` give the compiler loops of known length. */

static inline SIM_TARGET void SIM_PATH(row)(int32_t* acc, const int8_t* inp, const int8_t* wgt,
                                            uint32_t block) {
    for (uint32_t c = 0; c < block; c++) {
        uint32_t sum = 0;
        for (uint32_t k = 0; k < block; k++) sum += (uint32_t)(inp[k] * wgt[c * block + k]);
        acc[c] = (int32_t)((uint32_t)acc[c] + sum);
    }
}

static inline SIM_TARGET void SIM_PATH(element)(const gemm_view* view, uint32_t dst, uint32_t src,
                                                uint32_t wgt) {
    size_t block = view->block, lanes = view->batch * block;
    const int8_t* tile = view->wgt + wgt * block * block;
    for (uint32_t b = 0; b < view->batch; b++) {
        int32_t* acc = view->acc + dst * lanes + b * block;
        const int8_t* inp = view->inp + src * lanes + b * block;
        if (block == 16) {
            SIM_PATH(row)(acc, inp, tile, 16);
        } else if (block == 32) {
            SIM_PATH(row)(acc, inp, tile, 32);
        } else if (block == 8) {
            SIM_PATH(row)(acc, inp, tile, 8);
        } else {
            SIM_PATH(row)(acc, inp, tile, view->block);
        }
    }
}

static SIM_TARGET void SIM_PATH(rows_any)(const gemm_view* view, uint32_t dst, const uint16_t* dsts,
                                          uint32_t src, const uint16_t* srcs, uint32_t wgt,
                                          const uint16_t* wgts, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        SIM_PATH(element)(view, dst + dsts[i], src + srcs[i], wgt + wgts[i]);
    }
}

static SIM_TARGET void SIM_PATH(rows_same_wgt)(const gemm_view* view, uint32_t dst,
                                               const uint16_t* dsts, uint32_t src,
                                               const uint16_t* srcs, uint32_t wgt, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) SIM_PATH(element)(view, dst + dsts[i], src + srcs[i], wgt);
}

static SIM_TARGET void SIM_PATH(rows_same_dst)(const gemm_view* view, uint32_t dst, uint32_t src,
                                               const uint16_t* srcs, uint32_t wgt,
                                               const uint16_t* wgts, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) SIM_PATH(element)(view, dst, src + srcs[i], wgt + wgts[i]);
}

static size_t SIM_PATH(rows_no_inp)(uint32_t batch, uint32_t block) {
    (void)batch, (void)block;
    return 0;
}

static size_t SIM_PATH(rows_no_wgt)(uint32_t block) {
    (void)block;
    return 0;
}

static void SIM_PATH(rows_keep)(const gemm_view* view, uint32_t first, uint32_t count) {
    (void)view, (void)first, (void)count;
}

static const gemm_kernels SIM_PATH(rows) = {
    1,
    SIM_PATH(rows_no_inp),
    SIM_PATH(rows_no_wgt),
    SIM_PATH(rows_keep),
    SIM_PATH(rows_keep),
    SIM_PATH(rows_any),
    SIM_PATH(rows_same_wgt),
    SIM_PATH(rows_same_dst),
};
