// Runs a conformance case through the four tops and compares every byte of the expected output.
//
// For any C++ compiler, and for C simulation and cosimulation of each top in Vitis HLS: the top
// under test is the one that the tool takes from this file's calls, the others stay C++.
//
// One case a process: buffers are zero at its start. Argument: a case list as `python -m
// vta_pynq.sim.case_list` writes them, of these lines:
//   insn ADDRESS COUNT | tokens L2G G2L G2S S2G | segment ADDRESS SIZE FILE
//   | expect ADDRESS SIZE FILE
// FILE is `-` for zeros. Exit code 1 if a byte differs or FINISH was not the last instruction.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../src/tops.hpp"

namespace {

typedef std::vector<std::uint8_t> Bytes;

// Memory as the beats of one port; the bytes are the truth.
template <class Beat>
struct View {
    static constexpr int bytes = Beat::width / 8;
    std::vector<Beat> beats;

    Beat* pull(const Bytes& memory) {
        beats.resize(VTA_PORT_BEATS > memory.size() / bytes ? VTA_PORT_BEATS
                                                            : memory.size() / bytes);
        for (std::size_t i = 0; i < memory.size() / bytes; i++) {
            Beat beat = 0;
            for (int b = bytes - 1; b >= 0; b--) {
                beat = (beat << (bytes > 1 ? 8 : 0)) | Beat(memory[i * bytes + b]);
            }
            beats[i] = beat;
        }
        return beats.data();
    }
    void push(Bytes& memory) const {
        for (std::size_t i = 0; i < memory.size() / bytes; i++) {
            Beat beat = beats[i];
            for (int b = 0; b < bytes; b++) {
                memory[i * bytes + b] = static_cast<std::uint8_t>(beat.to_uint64() & 255);
                beat = beat >> (bytes > 1 ? 8 : 0);
            }
        }
    }
};

struct Expected {
    std::uint64_t phys;
    Bytes bytes;
};

struct Case {
    Bytes memory;
    std::uint64_t insn_phys = 0, insn_count = 0;
    unsigned tokens[4] = {0, 0, 0, 0};
    std::vector<Expected> expected;
};

Bytes read_file(const std::string& name, std::size_t size) {
    Bytes bytes(size, 0);
    if (name == "-") return bytes;
    std::ifstream file(name.c_str(), std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + name);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    return bytes;
}

Case read_case(const std::string& name) {
    Case result;
    std::ifstream list(name.c_str());
    if (!list) throw std::runtime_error("cannot read " + name);
    std::string line;
    while (std::getline(list, line)) {
        std::istringstream words(line);
        std::string what, file;
        std::uint64_t phys, size;
        words >> what;
        if (what == "insn") {
            words >> result.insn_phys >> result.insn_count;
        } else if (what == "tokens") {
            for (unsigned& count : result.tokens) words >> count;
        } else if (words >> phys >> size >> file) {
            const Bytes bytes = read_file(file, size);
            if (what == "expect") result.expected.push_back(Expected{phys, bytes});
            const std::size_t end = (phys + size + 4095) / 4096 * 4096;
            if (result.memory.size() < end) result.memory.resize(end, 0);
            if (what == "segment") std::memcpy(&result.memory[phys], bytes.data(), size);
        }
    }
    return result;
}

// What the four tops share.
struct Machine {
    hls::stream<vta::insn_t> load_queue, compute_queue, store_queue;
    hls::stream<vta::token_t> l2g, g2l, g2s, s2g;
    vta::InpSram::memory_t inp_mem;
    vta::WgtSram::memory_t wgt_mem;
    vta::OutSram::memory_t out_mem;
    View<vta::insn_beat_t> insns;
    View<vta::load_beat_t> inputs, weights;
    View<vta::uop_beat_t> uops;
    View<vta::acc_beat_t> biases;
    View<vta::store_beat_t> outputs;
    vta_errors_t fault = 0, errors = 0;
    vta_count_t executed = 0, busy = 0, waited = 0, done = 0;
    vta::token_t finished = 0;
    unsigned counts[4];  // of l2g, g2l, g2s, s2g: a stream does not tell

    void fetch(const Case& c) {
        vta_fetch(static_cast<unsigned>(c.insn_count), insns.pull(c.memory),
                  static_cast<unsigned>(c.insn_phys), load_queue, compute_queue, store_queue,
                  &fault, &errors, &executed, &busy);
    }
    // Executes `insn`, the head of its queue, if its tokens are there.
    bool step(Case& c, const vta::insn_t& insn, int module) {
        static const int pop_prev[] = {-1, 0, 2}, pop_next[] = {1, 3, -1};
        static const int push_prev[] = {-1, 1, 3}, push_next[] = {0, 2, -1};
        const bool pops_prev =
            vta::field<vta::isa::Mem::pop_prev_at>(insn) && pop_prev[module] >= 0;
        const bool pops_next =
            vta::field<vta::isa::Mem::pop_next_at>(insn) && pop_next[module] >= 0;
        if (pops_prev && counts[pop_prev[module]] == 0) return false;
        if (pops_next && counts[pop_next[module]] == 0) return false;
        if (pops_prev) counts[pop_prev[module]]--;
        if (pops_next) counts[pop_next[module]]--;
        call(c, module);
        if (vta::field<vta::isa::Mem::push_prev_at>(insn) && push_prev[module] >= 0) {
            counts[push_prev[module]]++;
        }
        if (vta::field<vta::isa::Mem::push_next_at>(insn) && push_next[module] >= 0) {
            counts[push_next[module]]++;
        }
        return true;
    }
    void call(Case& c, int module) {
        if (module == 0) {
            vta_load(inputs.pull(c.memory), 0, weights.pull(c.memory), 0, load_queue, g2l, l2g,
                     inp_mem, wgt_mem, &fault, &errors, &executed, &busy, &waited);
        } else if (module == 1) {
            vta_compute(uops.pull(c.memory), 0, biases.pull(c.memory), 0, compute_queue, l2g, g2l,
                        s2g, g2s, inp_mem, wgt_mem, out_mem, &finished, &done, &fault, &errors,
                        &executed, &busy, &waited);
        } else {
            vta_store(outputs.pull(c.memory), 0, store_queue, g2s, s2g, out_mem, &fault, &errors,
                      &executed, &busy, &waited);
            outputs.push(c.memory);
        }
    }
};

// Load, compute or store; fetch decides the same from the instruction.
int module_of(const vta::insn_t& insn) {
    const vta::Block block = vta::Block::of(insn);
    const ap_uint<3> opcode = vta::field<vta::isa::Mem::opcode_at>(insn);
    if (vta::is(opcode, vta::Opcode::STORE)) return 2;
    if (!vta::is(opcode, vta::Opcode::LOAD)) return 1;
    return block.is(vta::MemType::INP) || block.is(vta::MemType::WGT) ? 0 : 1;
}

// Instructions of each module, in order.
std::vector<std::vector<vta::insn_t> > split(const Case& c) {
    std::vector<std::vector<vta::insn_t> > queues(3);
    for (std::uint64_t i = 0; i < c.insn_count; i++) {
        vta::insn_t insn = 0;
        for (int b = vta::insn_bytes - 1; b >= 0; b--) {
            insn = (insn << 8) | vta::insn_t(c.memory[c.insn_phys + i * vta::insn_bytes + b]);
        }
        queues[module_of(insn)].push_back(insn);
    }
    return queues;
}

// The number of bytes that differ.
long run(Case& c) {
    static Machine machine;
    const std::vector<std::vector<vta::insn_t> > queues = split(c);
    hls::stream<vta::token_t>* tokens[] = {&machine.l2g, &machine.g2l, &machine.g2s, &machine.s2g};
    for (int i = 0; i < 4; i++) {
        while (!tokens[i]->empty()) tokens[i]->read();
        machine.counts[i] = c.tokens[i];
        for (unsigned k = 0; k < c.tokens[i]; k++) tokens[i]->write(1);
    }
    machine.fetch(c);
    std::size_t next[3] = {0, 0, 0};
    bool progress = true;
    while (progress) {
        progress = false;
        for (int m = 0; m < 3; m++) {
            if (next[m] == queues[m].size() || !machine.step(c, queues[m][next[m]], m)) continue;
            next[m]++;
            progress = true;
        }
    }
    for (int m = 0; m < 3; m++) {
        if (next[m] != queues[m].size()) throw std::runtime_error("the modules are deadlocked");
    }
    long wrong = 0;
    for (const Expected& e : c.expected) {
        for (std::size_t i = 0; i < e.bytes.size(); i++) {
            wrong += c.memory[e.phys + i] != e.bytes[i];
        }
    }
    return wrong + (machine.done == 0);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "conformance_tb: one case list must be given\n");
        return 2;
    }
    try {
        Case c = read_case(arguments[1]);
        const long wrong = run(c);
        std::printf("%s: %ld bytes differ\n", arguments[1], wrong);
        return wrong != 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "conformance_tb: %s\n", error.what());
        return 2;
    }
}
