#include "tops.hpp"

extern "C" void vta_fetch(vta_count_t insn_count, VTA_READ_PORT(vta::insn_beat_t, insn_port),
                          vta::address_t insns, vta::Channel<vta::insn_t>& load_queue,
                          vta::Channel<vta::insn_t>& compute_queue,
                          vta::Channel<vta::insn_t>& store_queue, vta_errors_t* fault,
                          vta_errors_t* errors, vta_count_t* executed, vta_count_t* busy) {
    VTA_AXI_READ(insn_port)
#pragma HLS INTERFACE mode = axis port = load_queue
#pragma HLS INTERFACE mode = axis port = compute_queue
#pragma HLS INTERFACE mode = axis port = store_queue
    VTA_AXI_LITE(fetch, insn_count)
    VTA_AXI_LITE(fetch, insns)
    VTA_AXI_LITE(fetch, errors)
    VTA_AXI_LITE(fetch, executed)
    VTA_AXI_LITE(fetch, busy)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    static vta::Status status;
    status.raised = 0;
    vta::fetch_program(insn_port, insns, insn_count, load_queue, compute_queue, store_queue,
                       status);
    if (status.raised != 0) *fault = status.raised;
    *errors = status.errors;
    *executed = status.insns;
    *busy = status.busy;
}
