/* Dispatch: which vector paths this build has, and which this machine can run. */
#ifndef VTA_MACHINE_H
#define VTA_MACHINE_H

#if defined(__x86_64__)
#define HAVE_X86_PATHS 1
#else
#define HAVE_X86_PATHS 0
#endif

/* NEON on 32-bit ARM needs a target that clang's header refuses. */
#if defined(__ARM_NEON) || (defined(__arm__) && defined(__GNUC__) && !defined(__clang__))
#define HAVE_NEON_PATH 1
#else
#define HAVE_NEON_PATH 0
#endif

#if HAVE_NEON_PATH && defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static inline int machine_has_neon(void) { return (getauxval(AT_HWCAP) & HWCAP_NEON) != 0; }
#elif HAVE_NEON_PATH
static inline int machine_has_neon(void) { return 1; } /* part of the 64-bit architecture */
#endif

#if HAVE_X86_PATHS
static inline int machine_has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2");
}
#endif

#endif
