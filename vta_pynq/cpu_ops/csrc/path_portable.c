/* The path that every machine has. */
#define CPU_TARGET
#define CPU_LOOP(name) portable_##name

#include "loops.h"

static int portable_available(void) { return 1; }

const cpu_path cpu_path_portable = {
    "portable",
    portable_available,
    portable_quantise,
    portable_dequantise,
    portable_join,
    portable_requantise,
    portable_requantise_single,
    portable_spread,
    portable_collect,
    portable_max_u8,
    portable_max_s8,
    portable_max_f32,
    portable_sum_f32,
    portable_blend,
};
