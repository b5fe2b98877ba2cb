/* ARM with NEON. */
#if defined(__ARM_NEON)
#include <arm_neon.h>
#include <string.h>

#include "generated/isa.h"
#include "kernels.h"

#define SIM_TARGET
#define SIM_PATH(name) neon_##name

#include "alu_lanes.h"
#include "gemm_rows.h"

static int neon_available(void) { return 1; /* a build for NEON runs nowhere else */ }

const sim_path sim_path_neon = {
    "neon", neon_available, NULL, &neon_rows, neon_alu, neon_alu_dense,
};
#else
typedef int neon_is_for_arm; /* a translation unit must declare something */
#endif
