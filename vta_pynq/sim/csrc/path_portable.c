/* The path that every machine has. */
#include <string.h>

#include "generated/isa.h"
#include "kernels.h"

#define SIM_TARGET
#define SIM_PATH(name) portable_##name

#include "alu_lanes.h"
#include "gemm_rows.h"
#include "requant_lanes.h"

static int portable_available(void) { return 1; }

const sim_path sim_path_portable = {
    "portable",         portable_available, NULL, &portable_rows, portable_alu,
    portable_alu_dense, portable_requant,
};
