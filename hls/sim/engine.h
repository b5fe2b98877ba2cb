/* C interface of the simulated design: one shared library for each configuration. */
#ifndef VTA_SIM_ENGINE_H
#define VTA_SIM_ENGINE_H

#ifdef __cplusplus
#include <cstdint>
extern "C" {
#else
#include <stdint.h>
#endif

/* BEGIN: read by vta_pynq/sim/csim.py up to END */
typedef struct csim_engine csim_engine;

typedef struct {
    uint64_t phys, size;
    uint8_t* data;
    int32_t writable;
} csim_segment;

typedef struct {
    uint64_t insn_phys;
    uint64_t base_uop, base_inp, base_wgt, base_acc, base_out;
    uint32_t insn_count;
    double timeout_s;
} csim_job;

enum { CSIM_REST = 1, CSIM_DEADLOCK = 2, CSIM_FAULT = 3, CSIM_TIMEOUT = 4 };

enum { CSIM_ACCESS = 1, CSIM_READ_ONLY = 2, CSIM_INTERNAL = 3 };

typedef struct {
    int32_t outcome;
    int32_t fault_module; /* the module of a fault, in the order of Module */
    int32_t fault_code;   /* what kind of a fault */
    uint32_t insns[4];    /* executed in this run, in the order of Module */
    uint32_t busy[4];     /* turns of the loops in this run */
    uint32_t errors[4];   /* the error register */
    uint32_t raised[4];   /* error bits of this run */
    int32_t finished;     /* whether FINISH was executed */
    char message[256];    /* fault, or what the modules wait for */
} csim_result;

csim_engine* csim_new(uint64_t insn_queue_depth, uint64_t token_queue_depth);
void csim_free(csim_engine* engine);
void csim_run(csim_engine* engine, const csim_segment* segments, int32_t count, const csim_job* job,
              csim_result* result);
/* l2g, g2l, g2s, s2g */
void csim_get_tokens(const csim_engine* engine, uint32_t* counts);
void csim_set_tokens(csim_engine* engine, const uint32_t* counts);
/* Queues, tokens and errors, as the reset input of the design; SRAM keeps what it holds. */
void csim_soft_reset(csim_engine* engine);
void csim_clear_sram(csim_engine* engine);
void csim_poison(csim_engine* engine, uint64_t seed);
/* Bytes of a buffer as its elements lie in DRAM; the size, whether or not `data` is NULL. */
uint64_t csim_read_sram(const csim_engine* engine, int32_t memory_type, uint8_t* data);
/* END */

#ifdef __cplusplus
}
#endif

#endif
