// Test bench of `vta_store`: all of memory after each STORE of a case.
//
// Argument: a case list (test_case.hpp). The other modules are played by the reference.
#include "program.hpp"

namespace {

vta::OutSram::memory_t out_mem;

long run(const tb::Case& c) {
    tb::Program program(c);
    tb::Golden golden(c.memory);
    hls::stream<vta::insn_t> queue;
    hls::stream<vta::token_t> g2s, s2g;
    tb::View<vta::store_beat_t> outputs;
    tb::Bytes memory = c.memory;
    tb::Report report;
    long wrong = 0;
    program.run([&](tb::Module module, const tb::Insn& insn) {
        golden.execute(insn);
        if (module != tb::STORE) return;
        const tb::Tokens tokens = tb::Tokens::of(module, insn);
        queue.write(tb::to_design(insn));
        tb::give(g2s, tokens.pops(tb::G2S));
        tb::fill<vta::OutSram>(out_mem, golden.out.bytes);
        vta_store(outputs.pull(memory), 0, queue, g2s, s2g, out_mem, &report.fault, &report.errors,
                  &report.executed, &report.busy, &report.waited);
        outputs.push(memory);
        wrong += tb::take(g2s, false) + tb::take(s2g, tokens.pushes(tb::S2G));
        wrong += report.check(golden.errors);
        for (std::size_t i = 0; i < memory.size(); i++) wrong += memory[i] != golden.memory[i];
    });
    return wrong + tb::count_wrong(c, memory);
}

}  // namespace

int main(int count, char** arguments) { return tb::run_bench("store_tb", count, arguments, run); }
