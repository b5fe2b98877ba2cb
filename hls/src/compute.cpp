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
#pragma HLS INTERFACE mode = axis port = compute_queue
#pragma HLS INTERFACE mode = axis port = l2g
#pragma HLS INTERFACE mode = axis port = g2l
#pragma HLS INTERFACE mode = axis port = s2g
#pragma HLS INTERFACE mode = axis port = g2s
#pragma HLS INTERFACE mode = bram port = inp_mem
#pragma HLS INTERFACE mode = bram port = wgt_mem
#pragma HLS INTERFACE mode = bram port = out_mem
    VTA_PULSE(finished)
    VTA_PARTITION(inp_mem, 2)
    VTA_PARTITION(wgt_mem, 2)
    VTA_PARTITION(out_mem, 2)
    VTA_AXI_LITE(compute, uops)
    VTA_AXI_LITE(compute, biases)
    VTA_AXI_LITE(compute, done_o)
    VTA_AXI_LITE(compute, errors)
    VTA_AXI_LITE(compute, executed)
    VTA_AXI_LITE(compute, busy)
    VTA_AXI_LITE(compute, waited)
    VTA_AXI_LITE_CONTROL
    VTA_PULSE(fault)
    static vta::Status status;
    status.raised = 0;
    // Micro-ops and accumulators are this module's own; they keep what they hold from call to call.
    static vta::UopSram::memory_t uop_mem;
    static vta::AccSram::memory_t acc_mem;
    VTA_PARTITION(uop_mem, 2)
    VTA_PARTITION(acc_mem, 2)
    VTA_BRAM(uop_mem)
    VTA_BRAM(acc_mem)
    const bool finish =
        vta::compute_step(uop_port, uops, acc_port, biases, compute_queue, l2g, g2l, s2g, g2s,
                          uop_mem, inp_mem, wgt_mem, acc_mem, out_mem, status);
    if (finish) *finished = 1;
    *done_o = finish;
    if (status.raised != 0) *fault = status.raised;
    *errors = status.errors;
    *executed = status.insns;
    *busy = status.busy;
    *waited = status.waited;
}
