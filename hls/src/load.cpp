#include "tops.hpp"

extern "C" void vta_load(VTA_READ_PORT(vta::load_beat_t, inp_port), vta::address_t inputs,
                         VTA_READ_PORT(vta::load_beat_t, wgt_port), vta::address_t weights,
                         vta::Channel<vta::insn_t>& load_queue, vta::Channel<vta::token_t>& g2l,
                         vta::Channel<vta::token_t>& l2g, vta::InpSram::memory_t inp_mem,
                         vta::WgtSram::memory_t wgt_mem, vta_errors_t* fault, vta_errors_t* errors,
                         vta_count_t* executed, vta_count_t* busy, vta_count_t* waited) {
    VTA_AXI_READ(inp_port)
    VTA_AXI_READ(wgt_port)
    VTA_AXIS(load_queue)
    VTA_AXIS(g2l)
    VTA_AXIS(l2g)
    VTA_SRAM(inp_mem)
    VTA_SRAM(wgt_mem)
    // One memory port for each bank of an element.
    VTA_INP_BANKS(inp_mem)
    VTA_WGT_BANKS(wgt_mem)
    VTA_AXI_LITE(load, inputs)
    VTA_AXI_LITE(load, weights)
    VTA_AXI_LITE(load, errors)
    VTA_AXI_LITE(load, executed)
    VTA_AXI_LITE(load, busy)
    VTA_AXI_LITE(load, waited)
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
    vta::load_step(inp_port, inputs, wgt_port, weights, load_queue, g2l, l2g, inp_mem, wgt_mem,
                   status);
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
