#include "tops.hpp"

extern "C" void vta_store(VTA_WRITE_PORT(vta::store_beat_t, out_port), vta::address_t outputs,
                          vta::Channel<vta::insn_t>& store_queue, vta::Channel<vta::token_t>& g2s,
                          vta::Channel<vta::token_t>& s2g, vta::OutSram::memory_t out_mem,
                          vta_errors_t* fault, vta_errors_t* errors, vta_count_t* executed,
                          vta_count_t* busy, vta_count_t* waited) {
    VTA_AXI_WRITE(out_port)
#pragma HLS INTERFACE mode = axis port = store_queue
#pragma HLS INTERFACE mode = axis port = g2s
#pragma HLS INTERFACE mode = axis port = s2g
#pragma HLS INTERFACE mode = bram port = out_mem
    VTA_PARTITION(out_mem, 2)
    VTA_AXI_LITE(store, outputs)
    VTA_AXI_LITE(store, errors)
    VTA_AXI_LITE(store, executed)
    VTA_AXI_LITE(store, busy)
    VTA_AXI_LITE(store, waited)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    static vta::Status status;
    status.raised = 0;
    vta::store_step(out_port, outputs, store_queue, g2s, s2g, out_mem, status);
    if (status.raised != 0) *fault = status.raised;
    *errors = status.errors;
    *executed = status.insns;
    *busy = status.busy;
    *waited = status.waited;
}
