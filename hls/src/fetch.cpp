#include "tops.hpp"

extern "C" void vta_fetch(vta_count_t insn_count, VTA_READ_PORT(vta::insn_beat_t, insn_port),
                          vta::address_t insns, vta::Channel<vta::insn_t>& load_queue,
                          vta::Channel<vta::insn_t>& compute_queue,
                          vta::Channel<vta::insn_t>& store_queue, vta_errors_t* fault,
                          vta_errors_t* errors, vta_count_t* executed, vta_count_t* busy) {
    VTA_AXI_READ(insn_port)
    VTA_AXIS(load_queue)
    VTA_AXIS(compute_queue)
    VTA_AXIS(store_queue)
    VTA_AXI_LITE(fetch, insn_count)
    VTA_AXI_LITE(fetch, insns)
    VTA_AXI_LITE(fetch, errors)
    VTA_AXI_LITE(fetch, executed)
    VTA_AXI_LITE(fetch, busy)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    // What the registers show. Scalars, because a static object has a constructor to run.
    static vta_errors_t total_errors = 0;
    static vta_count_t total_insns = 0, total_busy = 0;
    VTA_RESET(total_errors)
    VTA_RESET(total_insns)
    VTA_RESET(total_busy)
    vta::Status status;
    vta::fetch_program(insn_port, insns, insn_count, load_queue, compute_queue, store_queue,
                       status);
    total_errors |= status.errors;
    total_insns += status.insns;
    total_busy += status.busy;
    if (status.errors != 0) *fault = status.errors;
    *errors = total_errors;
    *executed = total_insns;
    *busy = total_busy;
}
