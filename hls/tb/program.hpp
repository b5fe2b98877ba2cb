// The instructions of a case in an order that its tokens allow.
#ifndef VTA_TB_PROGRAM_HPP
#define VTA_TB_PROGRAM_HPP

#include "golden.hpp"

namespace tb {

enum Module { LOAD, COMPUTE, STORE, MODULES };
enum Token { L2G, G2L, G2S, S2G, TOKENS, NONE = -1 };

// What an instruction of a module takes and gives, whether its flags say so.
struct Tokens {
    int pop[2], push[2];

    static Tokens of(Module module, const Insn& insn) {
        static const int pops[MODULES][2] = {{NONE, G2L}, {L2G, S2G}, {G2S, NONE}};
        static const int pushes[MODULES][2] = {{NONE, L2G}, {G2L, G2S}, {S2G, NONE}};
        Tokens result;
        const isa::Mem head = isa::Mem::decode(insn.word);
        result.pop[0] = head.pop_prev ? pops[module][0] : NONE;
        result.pop[1] = head.pop_next ? pops[module][1] : NONE;
        result.push[0] = head.push_prev ? pushes[module][0] : NONE;
        result.push[1] = head.push_next ? pushes[module][1] : NONE;
        return result;
    }
    bool pops(int token) const { return pop[0] == token || pop[1] == token; }
    bool pushes(int token) const { return push[0] == token || push[1] == token; }
};

class Program {
 public:
    std::vector<Insn> insns;            // as they lie in memory
    std::vector<Insn> queues[MODULES];  // of each module

    explicit Program(const Case& c) : counts_{c.tokens[0], c.tokens[1], c.tokens[2], c.tokens[3]} {
        for (std::uint64_t i = 0; i < c.insn_count; i++) {
            Insn insn = {{0, 0}};
            for (int b = 0; b < vta::insn_bytes; b++) {
                insn.word[b / 8] |= std::uint64_t(c.memory[c.insn_phys + i * 16 + b]) << b % 8 * 8;
            }
            insns.push_back(insn);
            const int module = module_of(insn);
            if (module != NONE) queues[module].push_back(insn);
        }
    }
    // The module whose queue takes an instruction; NONE where the opcode is unknown.
    static int module_of(const Insn& insn) {
        const MemType type = static_cast<MemType>(isa::Mem::decode(insn.word).memory_type);
        switch (insn.opcode()) {
            case Opcode::STORE:
                return STORE;
            case Opcode::LOAD:
                return type == MemType::INP || type == MemType::WGT ? LOAD : COMPUTE;
            case Opcode::GEMM:
            case Opcode::ALU:
            case Opcode::FINISH:
                return COMPUTE;
            case Opcode::REQUANT:
                return VTA_ALU_REQUANT ? static_cast<int>(COMPUTE) : static_cast<int>(NONE);
            default:
                return NONE;
        }
    }
    // Calls `each(module, instruction)` for all of them; the order is the one in which modules that
    // take turns get to them.
    template <class Each>
    void run(Each each) {
        std::size_t next[MODULES] = {0, 0, 0};
        bool progress = true;
        while (progress) {
            progress = false;
            for (int m = 0; m < MODULES; m++) {
                if (next[m] == queues[m].size()) continue;
                const Insn insn = queues[m][next[m]];
                if (!take(Tokens::of(static_cast<Module>(m), insn))) continue;
                each(static_cast<Module>(m), insn);
                next[m]++;
                progress = true;
            }
        }
        for (int m = 0; m < MODULES; m++) {
            if (next[m] != queues[m].size()) {
                throw std::runtime_error("the modules wait for each other for ever");
            }
        }
    }

 private:
    bool take(const Tokens& tokens) {
        for (int token : tokens.pop) {
            if (token != NONE && counts_[token] == 0) return false;
        }
        for (int token : tokens.pop) {
            if (token != NONE) counts_[token]--;
        }
        for (int token : tokens.push) {
            if (token != NONE) counts_[token]++;
        }
        return true;
    }
    unsigned counts_[TOKENS];
};

// An instruction as the design gets it.
inline vta::insn_t to_design(const Insn& insn) {
    return (vta::insn_t(insn.word[1]) << 64) | vta::insn_t(insn.word[0]);
}

// Fills or empties a token FIFO as one instruction needs or leaves it; tokens of the wrong number
// are differences.
inline void give(hls::stream<vta::token_t>& fifo, bool pops) {
    if (pops) fifo.write(1);
}

inline long take(hls::stream<vta::token_t>& fifo, bool pushes) {
    long count = 0;
    while (!fifo.empty()) {
        fifo.read();
        count++;
    }
    return count != (pushes ? 1 : 0);
}

// What a top tells of itself.
struct Report {
    vta_errors_t fault = 0, errors = 0;
    vta_count_t executed = 0, busy = 0, waited = 0;
    unsigned long calls = 0;
    unsigned seen = 0;  // error bits so far

    // After a call that executed one instruction: the differences to what `wanted` bits say.
    long check(unsigned wanted) {
        seen |= wanted;
        calls++;
        const long wrong = (fault.to_uint() != wanted) + (errors.to_uint() != seen) +
                           (executed.to_uint() != calls);
        fault = 0;
        return wrong;
    }
};

}  // namespace tb

#endif  // VTA_TB_PROGRAM_HPP
