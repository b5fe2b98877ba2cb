// Test bench of `vta_compute`: the output buffer after each of its instructions, and at the end
// all bits of the accumulators.
//
// Argument: a case list (test_case.hpp). The other modules are played by the reference.
#include "program.hpp"

namespace {

vta::InpSram::memory_t inp_mem;
vta::WgtSram::memory_t wgt_mem;
vta::OutSram::memory_t out_mem;

struct Bench {
    tb::Golden golden;
    hls::stream<vta::insn_t> queue;
    hls::stream<vta::token_t> fifos[tb::TOKENS];
    tb::View<vta::uop_beat_t> uops;
    tb::View<vta::acc_beat_t> biases;
    tb::Report report;
    vta::token_t finished = 0;
    vta_count_t done = 0;
    bool loaded = true;  // the buffers that compute reads, since they were filled here

    explicit Bench(const tb::Bytes& memory) : golden(memory) {}

    // Executes an instruction of compute; the differences that it leaves.
    long step(const tb::Insn& insn) {
        const tb::Tokens tokens = tb::Tokens::of(tb::COMPUTE, insn);
        if (loaded) {
            tb::fill<vta::InpSram>(inp_mem, golden.inp.bytes);
            tb::fill<vta::WgtSram>(wgt_mem, golden.wgt.bytes);
        }
        loaded = false;
        golden.execute(insn);
        queue.write(tb::to_design(insn));
        tb::give(fifos[tb::L2G], tokens.pops(tb::L2G));
        tb::give(fifos[tb::S2G], tokens.pops(tb::S2G));
        finished = 0;
        vta_compute(uops.pull(golden.memory), 0, biases.pull(golden.memory), 0, queue,
                    fifos[tb::L2G], fifos[tb::G2L], fifos[tb::S2G], fifos[tb::G2S], inp_mem,
                    wgt_mem, out_mem, &finished, &done, &report.fault, &report.errors,
                    &report.executed, &report.busy, &report.waited);
        long wrong = (done != 0) != golden.finished || (finished != 0) != golden.finished;
        wrong += tb::take(fifos[tb::L2G], false) + tb::take(fifos[tb::S2G], false);
        wrong += tb::take(fifos[tb::G2L], tokens.pushes(tb::G2L));
        wrong += tb::take(fifos[tb::G2S], tokens.pushes(tb::G2S));
        wrong += report.check(golden.errors);
        return wrong + tb::count_wrong<vta::OutSram>(out_mem, golden.out.bytes);
    }
    // The output buffer shows the low bits of the accumulators: shift the others down and compare
    // once more, until none is left.
    long show_accumulators() {
        const std::size_t page = golden.memory.size();
        golden.memory.resize(page + 4096, 0);  // one micro-op: accumulator 0
        tb::isa::Mem load = {};
        load.opcode = static_cast<unsigned>(tb::Opcode::LOAD);
        load.memory_type = static_cast<unsigned>(tb::MemType::UOP);
        load.x_size = load.y_size = load.x_stride = 1;
        load.dram_base = static_cast<unsigned>(page / tb::isa::uop_bytes);
        tb::isa::Alu alu = {};
        alu.opcode = static_cast<unsigned>(tb::Opcode::ALU);
        alu.alu_opcode = static_cast<unsigned>(tb::AluOp::SHR);
        alu.uop_end = alu.use_imm = alu.iter_out = alu.dst_factor_in = alu.src_factor_in = 1;
        constexpr int depth = tb::isa::acc_depth, most = (1 << 14) - 1;
        alu.iter_in = depth < most ? depth : most;
        alu.imm = tb::isa::out_width;
        tb::Insn insn;
        load.encode(insn.word);
        long wrong = step(insn);
        alu.encode(insn.word);
        for (int shown = 0; shown < tb::isa::acc_width; shown += tb::isa::out_width) {
            wrong += step(insn);
        }
        return wrong;
    }
};

long run(const tb::Case& c) {
    tb::Program program(c);
    Bench bench(c.memory);
    long wrong = 0;
    program.run([&](tb::Module module, const tb::Insn& insn) {
        if (module == tb::COMPUTE) {
            wrong += bench.step(insn);
        } else {
            bench.golden.execute(insn);
            bench.loaded = true;
        }
    });
    wrong += tb::count_wrong(c, bench.golden.memory);
    return wrong + bench.show_accumulators();
}

}  // namespace

int main(int count, char** arguments) { return tb::run_bench("compute_tb", count, arguments, run); }
