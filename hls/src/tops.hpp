// The functions that synthesis turns into IPs: one for each module, one call for each instruction
// (fetch: for each program).
//
// Registers keep the names of the published design where they mean the same; their offsets are
// those of the register table. Status is written at the end of every call; all of it is zero after
// reset. `fault` is driven by a call that meets an error, with its bits: a pulse for the control
// block, which keeps them until software clears them.
#ifndef VTA_TOPS_HPP
#define VTA_TOPS_HPP

#include "compute.hpp"
#include "fetch.hpp"
#include "load.hpp"
#include "store.hpp"

typedef vta::errors_t vta_errors_t;
typedef ap_uint<32> vta_count_t;

extern "C" {

void vta_fetch(vta_count_t insn_count, VTA_READ_PORT(vta::insn_beat_t, insn_port),
               vta::address_t insns, vta::Channel<vta::insn_t>& load_queue,
               vta::Channel<vta::insn_t>& compute_queue, vta::Channel<vta::insn_t>& store_queue,
               vta_errors_t* fault, vta_errors_t* errors, vta_count_t* executed, vta_count_t* busy);

void vta_load(VTA_READ_PORT(vta::load_beat_t, inp_port), vta::address_t inputs,
              VTA_READ_PORT(vta::load_beat_t, wgt_port), vta::address_t weights,
              vta::Channel<vta::insn_t>& load_queue, vta::Channel<vta::token_t>& g2l,
              vta::Channel<vta::token_t>& l2g, vta::InpSram::memory_t inp_mem,
              vta::WgtSram::memory_t wgt_mem, vta_errors_t* fault, vta_errors_t* errors,
              vta_count_t* executed, vta_count_t* busy, vta_count_t* waited);

// `done_o` is 1 after FINISH, 0 after any other instruction; `finished` is driven by FINISH alone,
// so its valid signal is a pulse.
void vta_compute(VTA_READ_PORT(vta::uop_beat_t, uop_port), vta::address_t uops,
                 VTA_READ_PORT(vta::acc_beat_t, acc_port), vta::address_t biases,
                 vta::Channel<vta::insn_t>& compute_queue, vta::Channel<vta::token_t>& l2g,
                 vta::Channel<vta::token_t>& g2l, vta::Channel<vta::token_t>& s2g,
                 vta::Channel<vta::token_t>& g2s, vta::InpSram::memory_t inp_mem,
                 vta::WgtSram::memory_t wgt_mem, vta::OutSram::memory_t out_mem,
                 vta::token_t* finished, vta_count_t* done_o, vta_errors_t* fault,
                 vta_errors_t* errors, vta_count_t* executed, vta_count_t* busy,
                 vta_count_t* waited);

void vta_store(VTA_WRITE_PORT(vta::store_beat_t, out_port), vta::address_t outputs,
               vta::Channel<vta::insn_t>& store_queue, vta::Channel<vta::token_t>& g2s,
               vta::Channel<vta::token_t>& s2g, vta::OutSram::memory_t out_mem, vta_errors_t* fault,
               vta_errors_t* errors, vta_count_t* executed, vta_count_t* busy, vta_count_t* waited);

}  // extern "C"

#endif  // VTA_TOPS_HPP
