#include "tops.hpp"

extern "C" void vta_compute(VTA_READ_PORT(vta::uop_beat_t, uop_port), vta::address_t uops,
                            VTA_READ_PORT(vta::acc_beat_t, acc_port), vta::address_t biases,
                            vta::Channel<vta::insn_t>& compute_queue,
                            vta::Channel<vta::token_t>& l2g, vta::Channel<vta::token_t>& g2l,
                            vta::Channel<vta::token_t>& s2g, vta::Channel<vta::token_t>& g2s,
                            vta::InpSram::memory_t inp_mem, vta::WgtSram::memory_t wgt_mem,
                            vta::OutSram::memory_t out_mem, vta::token_t* finished,
                            vta_count_t* done_o, vta_errors_t* fault, vta_errors_t* errors,
                            vta_count_t* executed, vta_count_t* busy, vta_count_t* waited) {
    VTA_AXI_READ(uop_port)
    VTA_AXI_READ(acc_port)
    VTA_AXIS(compute_queue)
    VTA_AXIS(l2g)
    VTA_AXIS(g2l)
    VTA_AXIS(s2g)
    VTA_AXIS(g2s)
    VTA_SRAM(inp_mem)
    VTA_SRAM(wgt_mem)
    VTA_SRAM(out_mem)
    VTA_PULSE(finished)
    VTA_INP_BANKS(inp_mem)
    VTA_WGT_BANKS(wgt_mem)
    VTA_OUT_BANKS(out_mem)
    VTA_AXI_LITE(compute, uops)
    VTA_AXI_LITE(compute, biases)
    VTA_AXI_LITE(compute, done_o)
    VTA_AXI_LITE(compute, errors)
    VTA_AXI_LITE(compute, executed)
    VTA_AXI_LITE(compute, busy)
    VTA_AXI_LITE(compute, waited)
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
    // Micro-ops and accumulators are this module's own; they keep what they hold from call to call.
    static vta::UopSram::memory_t uop_mem;
    static vta::AccSram::memory_t acc_mem;
    VTA_ACC_BANKS(acc_mem)
    VTA_BRAM(uop_mem)
    VTA_BRAM(acc_mem)
    const bool finish =
        vta::compute_step(uop_port, uops, acc_port, biases, compute_queue, l2g, g2l, s2g, g2s,
                          uop_mem, inp_mem, wgt_mem, acc_mem, out_mem, status);
    if (finish) *finished = 1;
    *done_o = finish;
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
