#include "tops.hpp"

extern "C" void vta_store(VTA_WRITE_PORT(vta::store_beat_t, out_port), vta::address_t outputs,
                          vta::Channel<vta::insn_t>& store_queue, vta::Channel<vta::token_t>& g2s,
                          vta::Channel<vta::token_t>& s2g, vta::OutSram::memory_t out_mem,
                          vta_errors_t* fault, vta_errors_t* errors, vta_count_t* executed,
                          vta_count_t* busy, vta_count_t* waited) {
    VTA_AXI_WRITE(out_port)
    VTA_AXIS(store_queue)
    VTA_AXIS(g2s)
    VTA_AXIS(s2g)
    VTA_SRAM(out_mem)
    VTA_OUT_BANKS(out_mem)
    VTA_AXI_LITE(store, outputs)
    VTA_AXI_LITE(store, errors)
    VTA_AXI_LITE(store, executed)
    VTA_AXI_LITE(store, busy)
    VTA_AXI_LITE(store, waited)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    // What the registers show. Scalars, because a static object has a constructor to run.
    static vta_errors_t total_errors = 0;
    static vta_count_t total_insns = 0, total_busy = 0, total_waited = 0;
    VTA_RESET(total_errors)
    VTA_RESET(total_insns)
    VTA_RESET(total_busy)
    VTA_RESET(total_waited)
    vta::Status status;
    vta::store_step(out_port, outputs, store_queue, g2s, s2g, out_mem, status);
    total_errors |= status.errors;
    total_insns += status.insns;
    total_busy += status.busy;
    total_waited += status.waited;
    if (status.errors != 0) *fault = status.errors;
    *errors = total_errors;
    *executed = total_insns;
    *busy = total_busy;
    *waited = total_waited;
}
