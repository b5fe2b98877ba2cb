/* x86-64 with AVX2. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "generated/isa.h"
#include "kernels.h"

#define SIM_TARGET __attribute__((target("avx2")))
#define SIM_PATH(name) avx2_##name

#include "alu_lanes.h"
#include "gemm_rows.h"

static int avx2_available(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2");
}

const sim_path sim_path_avx2 = {
    "avx2",     avx2_available, NULL, &avx2_rows,
    avx2_alu, avx2_alu_dense,
};
#else
typedef int avx2_is_for_x86; /* a translation unit must declare something */
#endif
