/* x86-64 with AVX-512 and its dot-product instructions. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "generated/isa.h"
#include "kernels.h"

#define SIM_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define SIM_PATH(name) avx512vnni_##name

#include "alu_lanes.h"
#include "gemm_rows.h"

static int avx512vnni_available(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

const sim_path sim_path_avx512vnni = {
    "avx512vnni",     avx512vnni_available, NULL, &avx512vnni_rows,
    avx512vnni_alu, avx512vnni_alu_dense,
};
#else
typedef int avx512vnni_is_for_x86; /* a translation unit must declare something */
#endif
