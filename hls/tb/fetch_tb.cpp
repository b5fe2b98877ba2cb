// Test bench of `vta_fetch`: every instruction of a case in the queue of its module, in order.
//
// Argument: a case list (test_case.hpp).
#include "program.hpp"

namespace {

long compare(hls::stream<vta::insn_t>& queue, const std::vector<tb::Insn>& wanted) {
    long wrong = 0;
    for (const tb::Insn& insn : wanted) {
        if (queue.empty()) return wrong + 1;
        wrong += queue.read() != tb::to_design(insn);
    }
    while (!queue.empty()) {
        queue.read();
        wrong++;
    }
    return wrong;
}

long run(const tb::Case& c) {
    const tb::Program program(c);
    hls::stream<vta::insn_t> queues[tb::MODULES];
    tb::View<vta::insn_beat_t> insns;
    vta_errors_t fault = 0, errors = 0;
    vta_count_t executed = 0, busy = 0;
    vta_fetch(static_cast<unsigned>(c.insn_count), insns.pull(c.memory),
              static_cast<unsigned>(c.insn_phys), queues[tb::LOAD], queues[tb::COMPUTE],
              queues[tb::STORE], &fault, &errors, &executed, &busy);
    long wrong = executed != c.insn_count;
    std::size_t known = 0;
    for (int m = 0; m < tb::MODULES; m++) {
        wrong += compare(queues[m], program.queues[m]);
        known += program.queues[m].size();
    }
    const unsigned bits = known == program.insns.size() ? 0 : 1u << vta::UNKNOWN_OPCODE;
    return wrong + (fault.to_uint() != bits) + (errors.to_uint() != bits);
}

}  // namespace

int main(int count, char** arguments) { return tb::run_bench("fetch_tb", count, arguments, run); }
