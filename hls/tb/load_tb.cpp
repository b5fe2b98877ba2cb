// Test bench of `vta_load`: input and weight buffer after each LOAD of a case.
//
// Argument: a case list (test_case.hpp). The other modules are played by the reference.
#include "program.hpp"

namespace {

vta::InpSram::memory_t inp_mem;
vta::WgtSram::memory_t wgt_mem;

long run(const tb::Case& c) {
    tb::Program program(c);
    tb::Golden golden(c.memory);
    hls::stream<vta::insn_t> queue;
    hls::stream<vta::token_t> g2l, l2g;
    tb::View<vta::load_beat_t> inputs, weights;
    tb::Report report;
    long wrong = 0;
    program.run([&](tb::Module module, const tb::Insn& insn) {
        golden.execute(insn);
        if (module != tb::LOAD) return;
        const tb::Tokens tokens = tb::Tokens::of(module, insn);
        queue.write(tb::to_design(insn));
        tb::give(g2l, tokens.pops(tb::G2L));
        vta_load(inputs.pull(golden.memory), 0, weights.pull(golden.memory), 0, queue, g2l, l2g,
                 inp_mem, wgt_mem, &report.fault, &report.errors, &report.executed, &report.busy,
                 &report.waited);
        wrong += tb::take(g2l, false) + tb::take(l2g, tokens.pushes(tb::L2G));
        wrong += report.check(golden.errors);
        wrong += tb::count_wrong<vta::InpSram>(inp_mem, golden.inp.bytes);
        wrong += tb::count_wrong<vta::WgtSram>(wgt_mem, golden.wgt.bytes);
    });
    return wrong + tb::count_wrong(c, golden.memory);
}

}  // namespace

int main(int count, char** arguments) { return tb::run_bench("load_tb", count, arguments, run); }
