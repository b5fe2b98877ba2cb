#include "tops.hpp"

extern "C" void vta_load(VTA_READ_PORT(vta::load_beat_t, inp_port), vta::address_t inputs,
                         VTA_READ_PORT(vta::load_beat_t, wgt_port), vta::address_t weights,
                         vta::Channel<vta::insn_t>& load_queue, vta::Channel<vta::token_t>& g2l,
                         vta::Channel<vta::token_t>& l2g, vta::InpSram::memory_t inp_mem,
                         vta::WgtSram::memory_t wgt_mem, vta_errors_t* fault, vta_errors_t* errors,
                         vta_count_t* executed, vta_count_t* busy, vta_count_t* waited) {
    VTA_AXI_READ(inp_port)
    VTA_AXI_READ(wgt_port)
#pragma HLS INTERFACE mode = axis port = load_queue
#pragma HLS INTERFACE mode = axis port = g2l
#pragma HLS INTERFACE mode = axis port = l2g
#pragma HLS INTERFACE mode = bram port = inp_mem
#pragma HLS INTERFACE mode = bram port = wgt_mem
    // One memory port for each word of an element.
    VTA_PARTITION(inp_mem, 2)
    VTA_PARTITION(wgt_mem, 2)
    VTA_AXI_LITE(load, inputs)
    VTA_AXI_LITE(load, weights)
    VTA_AXI_LITE(load, errors)
    VTA_AXI_LITE(load, executed)
    VTA_AXI_LITE(load, busy)
    VTA_AXI_LITE(load, waited)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    static vta::Status status;
    status.raised = 0;
    vta::load_step(inp_port, inputs, wgt_port, weights, load_queue, g2l, l2g, inp_mem, wgt_mem,
                   status);
    if (status.raised != 0) *fault = status.raised;
    *errors = status.errors;
    *executed = status.insns;
    *busy = status.busy;
    *waited = status.waited;
}
