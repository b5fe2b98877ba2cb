// A conformance case as the test benches read it: plain lines and raw files, of
// `python -m vta_pynq.sim.case_list`:
//   insn ADDRESS COUNT | tokens L2G G2L G2S S2G | segment ADDRESS SIZE FILE
//   | expect ADDRESS SIZE FILE
// FILE is `-` for zeros.
#ifndef VTA_TB_TEST_CASE_HPP
#define VTA_TB_TEST_CASE_HPP

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../src/tops.hpp"

namespace tb {

typedef std::vector<std::uint8_t> Bytes;

struct Expected {
    std::uint64_t phys;
    Bytes bytes;
};

struct Case {
    Bytes memory;  // from address 0 to the end of the last page that is used
    std::uint64_t insn_phys = 0, insn_count = 0;
    unsigned tokens[4] = {0, 0, 0, 0};
    std::vector<Expected> expected;
};

inline Bytes read_file(const std::string& name, std::size_t size) {
    Bytes bytes(size, 0);
    if (name == "-") return bytes;
    std::ifstream file(name.c_str(), std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + name);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    return bytes;
}

inline Case read_case(const std::string& name) {
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

// Bytes of the expected outputs that memory does not have.
inline long count_wrong(const Case& c, const Bytes& memory) {
    long wrong = 0;
    for (const Expected& e : c.expected) {
        for (std::size_t i = 0; i < e.bytes.size(); i++) {
            wrong += memory[e.phys + i] != e.bytes[i];
        }
    }
    return wrong;
}

// Memory as the beats of one port; the bytes are the truth.
template <class Beat>
struct View {
    static constexpr int bytes = Beat::width / 8;
    std::vector<Beat> beats;

    Beat* pull(const Bytes& memory) {
        const std::size_t count = memory.size() / bytes;
        beats.resize(VTA_PORT_BEATS > count ? VTA_PORT_BEATS : count);
        for (std::size_t i = 0; i < count; i++) {
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

// A buffer of the design from and to bytes as its elements lie in DRAM.
template <class SramT>
void fill(typename SramT::memory_t memory, const Bytes& bytes) {
    constexpr int count = SramT::element_t::bits / 8;
    for (int i = 0; i < SramT::depth; i++) {
        typename SramT::element_t element;
        for (int b = 0; b < count; b++) {
            element.template set_lane<8>(b, ap_int<8>(static_cast<int>(bytes[i * count + b])));
        }
        SramT::write(memory, i, element);
    }
}

template <class SramT>
long count_wrong(const typename SramT::memory_t memory, const Bytes& bytes) {
    constexpr int count = SramT::element_t::bits / 8;
    long wrong = 0;
    for (int i = 0; i < SramT::depth; i++) {
        const typename SramT::element_t element = SramT::read(memory, i);
        for (int b = 0; b < count; b++) {
            const int found = element.template lane<8>(b).to_int() & 255;
            wrong += found != bytes[i * count + b];
        }
    }
    return wrong;
}

// What every bench is: one case, exit code 0 where nothing is wrong, 1 where something is, 2 where
// it could not be run.
inline int run_bench(const char* name, int count, char** arguments, long (*bench)(const Case&)) {
    if (count != 2) {
        std::fprintf(stderr, "%s: one case list must be given\n", name);
        return 2;
    }
    try {
        const long wrong = bench(read_case(arguments[1]));
        std::printf("%s: %s: %ld differences\n", name, arguments[1], wrong);
        return wrong != 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name, error.what());
        return 2;
    }
}

}  // namespace tb

#endif  // VTA_TB_TEST_CASE_HPP
