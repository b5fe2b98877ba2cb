// Runs a conformance case through the four tops and compares every byte of the expected output.
//
// For any C++ compiler, and for C simulation and cosimulation of each top in Vitis HLS: the top
// under test is the one that the tool takes from this file's calls, the others stay C++.
//
// Argument: a case list (test_case.hpp). One case a process: buffers are zero at its start. FINISH
// that was not the last instruction of compute is a difference.
#include "program.hpp"

namespace {

// What the four tops share.
struct Machine {
    hls::stream<vta::insn_t> queues[tb::MODULES];
    hls::stream<vta::token_t> fifos[tb::TOKENS];
    vta::InpSram::memory_t inp_mem;
    vta::WgtSram::memory_t wgt_mem;
    vta::OutSram::memory_t out_mem;
    tb::View<vta::insn_beat_t> insns;
    tb::View<vta::load_beat_t> inputs, weights;
    tb::View<vta::uop_beat_t> uops;
    tb::View<vta::acc_beat_t> biases;
    tb::View<vta::store_beat_t> outputs;
    vta_errors_t fault = 0, errors = 0;
    vta_count_t executed = 0, busy = 0, waited = 0, done = 0;
    vta::token_t finished = 0;

    void fetch(const tb::Case& c) {
        vta_fetch(static_cast<unsigned>(c.insn_count), insns.pull(c.memory),
                  static_cast<unsigned>(c.insn_phys), queues[tb::LOAD], queues[tb::COMPUTE],
                  queues[tb::STORE], &fault, &errors, &executed, &busy);
    }
    void call(tb::Module module, tb::Bytes& memory) {
        if (module == tb::LOAD) {
            vta_load(inputs.pull(memory), 0, weights.pull(memory), 0, queues[tb::LOAD],
                     fifos[tb::G2L], fifos[tb::L2G], inp_mem, wgt_mem, &fault, &errors, &executed,
                     &busy, &waited);
        } else if (module == tb::COMPUTE) {
            vta_compute(uops.pull(memory), 0, biases.pull(memory), 0, queues[tb::COMPUTE],
                        fifos[tb::L2G], fifos[tb::G2L], fifos[tb::S2G], fifos[tb::G2S], inp_mem,
                        wgt_mem, out_mem, &finished, &done, &fault, &errors, &executed, &busy,
                        &waited);
        } else {
            vta_store(outputs.pull(memory), 0, queues[tb::STORE], fifos[tb::G2S], fifos[tb::S2G],
                      out_mem, &fault, &errors, &executed, &busy, &waited);
            outputs.push(memory);
        }
    }
};

long run(const tb::Case& c) {
    static Machine machine;
    tb::Program program(c);
    tb::Bytes memory = c.memory;
    for (int i = 0; i < tb::TOKENS; i++) {
        for (unsigned k = 0; k < c.tokens[i]; k++) machine.fifos[i].write(1);
    }
    machine.fetch(c);
    program.run([&](tb::Module module, const tb::Insn&) { machine.call(module, memory); });
    return tb::count_wrong(c, memory) + (machine.done == 0);
}

}  // namespace

int main(int count, char** arguments) {
    return tb::run_bench("conformance_tb", count, arguments, run);
}
