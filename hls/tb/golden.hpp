// What every instruction means, on bytes and plain integers: the benches' reference for what a case
// does not record, such as SRAM after each instruction.
//
// Written apart from `src/`; only the generated header, which says where fields lie, is shared.
// Each bench checks that it gives the outputs that the case records.
#ifndef VTA_TB_GOLDEN_HPP
#define VTA_TB_GOLDEN_HPP

#include <algorithm>

#include "test_case.hpp"

namespace tb {

typedef vta::Isa<vta::BuildConfig> isa;
using vta::AluOp;
using vta::MemType;
using vta::Opcode;

struct Insn {
    std::uint64_t word[2];
    Opcode opcode() const { return static_cast<Opcode>(word[0] & 7); }
};

// Values of `width` bits, the first one lowest.
struct Buffer {
    std::size_t elem_bytes;
    Bytes bytes;

    Buffer(std::size_t size, std::size_t depth) : elem_bytes(size), bytes(size * depth, 0) {}
    std::size_t depth() const { return bytes.size() / elem_bytes; }
    std::int64_t get(std::size_t element, int number, int width) const {
        std::uint64_t value = 0;
        const std::size_t low = element % depth() * elem_bytes * 8 + number * width;
        for (int i = 0; i < width; i++) {
            value |= std::uint64_t(bytes[(low + i) / 8] >> (low + i) % 8 & 1) << i;
        }
        return value >> (width - 1) ? std::int64_t(value) - (std::int64_t(1) << width) : value;
    }
    void set(std::size_t element, int number, int width, std::int64_t value) {
        const std::size_t low = element % depth() * elem_bytes * 8 + number * width;
        for (int i = 0; i < width; i++) {
            std::uint8_t& byte = bytes[(low + i) / 8];
            const int mask = 1 << (low + i) % 8;
            byte = value >> i & 1 ? byte | mask : byte & ~mask;
        }
    }
};

class Golden {
 public:
    Bytes memory;
    Buffer uop, inp, wgt, acc, out;
    unsigned errors;  // bits that the last instruction sets
    bool finished = false;

    explicit Golden(const Bytes& dram)
        : memory(dram),
          uop(isa::uop_bytes, isa::uop_depth),
          inp(isa::inp_bytes, isa::inp_depth),
          wgt(isa::wgt_bytes, isa::wgt_depth),
          acc(isa::acc_bytes, isa::acc_depth),
          out(isa::out_bytes, isa::acc_depth),
          errors(0) {}

    void execute(const Insn& insn) {
        errors = 0;
        finished = insn.opcode() == Opcode::FINISH;
        if (finished) return;
        if (insn.opcode() == Opcode::LOAD) return load(isa::Mem::decode(insn.word));
        if (insn.opcode() == Opcode::STORE) return store(isa::Mem::decode(insn.word));
        if (insn.opcode() == Opcode::GEMM) return gemm(isa::Gemm::decode(insn.word));
        if (insn.opcode() == Opcode::ALU) return alu(isa::Alu::decode(insn.word));
        requant(isa::Requant::decode(insn.word));
    }

 private:
    static constexpr int lanes = isa::batch * isa::block;

    Buffer* buffer_of(unsigned type) {
        switch (static_cast<MemType>(type)) {
            case MemType::UOP:
                return &uop;
            case MemType::WGT:
                return &wgt;
            case MemType::INP:
                return &inp;
            case MemType::ACC:
                return &acc;
            case MemType::ACC_8BIT:
                return VTA_LOAD_ACC8 ? &acc : nullptr;
            default:
                return nullptr;
        }
    }
    void fail(vta::ErrorBit bit) { errors |= 1u << bit; }

    void load(const isa::Mem& mem) {
        if (mem.x_size == 0) return;
        Buffer* buffer = buffer_of(mem.memory_type);
        if (buffer == nullptr) return fail(vta::UNKNOWN_MEMORY_TYPE);
        const std::uint64_t width = mem.x_pad_0 + mem.x_size + mem.x_pad_1;
        const std::uint64_t height = mem.y_pad_0 + mem.y_size + mem.y_pad_1;
        if (mem.sram_base + width * height > buffer->depth()) return fail(vta::SRAM_RANGE);
        const bool narrow = static_cast<MemType>(mem.memory_type) == MemType::ACC_8BIT;
        const std::size_t size = narrow ? isa::inp_bytes : buffer->elem_bytes;
        for (std::uint64_t place = 0; place < width * height; place++) {
            const std::uint64_t y = place / width - mem.y_pad_0, x = place % width - mem.x_pad_0;
            const std::size_t index = mem.sram_base + place;
            Bytes element(size, 0);  // padding; below zero is a large number here
            if (y < mem.y_size && x < mem.x_size) {
                const std::uint64_t from = (mem.dram_base + y * mem.x_stride + x) * size;
                std::copy_n(&memory.at(from), size, element.begin());
            }
            if (narrow) {
                Buffer values(size, 1);
                values.bytes = element;
                for (int i = 0; i < lanes; i++) {
                    acc.set(index, i, isa::acc_width, values.get(0, i, isa::inp_width));
                }
            } else {
                std::copy_n(element.begin(), size, &buffer->bytes[index * size]);
            }
            if (buffer == &acc) mirror(index);
        }
    }
    void store(const isa::Mem& mem) {
        if (mem.x_size == 0 || mem.y_size == 0) return;
        if (static_cast<MemType>(mem.memory_type) != MemType::OUT) {
            return fail(vta::UNKNOWN_MEMORY_TYPE);
        }
        if (mem.sram_base + std::uint64_t(mem.x_size) * mem.y_size > out.depth()) {
            return fail(vta::SRAM_RANGE);
        }
        for (std::uint64_t y = 0; y < mem.y_size; y++) {
            const std::uint64_t to = (mem.dram_base + y * mem.x_stride) * isa::out_bytes;
            const std::size_t size = std::size_t(mem.x_size) * isa::out_bytes;
            memory.at(to + size - 1);
            std::copy_n(&out.bytes[(mem.sram_base + y * mem.x_size) * isa::out_bytes], size,
                        &memory[to]);
        }
    }
    void mirror(std::size_t index) {
        for (int i = 0; i < lanes; i++) {
            out.set(index, i, isa::out_width, acc.get(index, i, isa::acc_width));
        }
    }

    // Calls `each(micro-op, outer count, inner count)`.
    template <class Fields, class Each>
    void loop(const Fields& f, Each each) {
        if (f.uop_end > uop.depth()) return fail(vta::SRAM_RANGE);
        for (unsigned o = 0; o < f.iter_out; o++) {
            for (unsigned i = 0; i < f.iter_in; i++) {
                for (unsigned u = f.uop_bgn; u < f.uop_end; u++) {
                    std::uint64_t word = 0;
                    for (int b = 3; b >= 0; b--) word = word << 8 | uop.bytes[u * 4 + b];
                    each(isa::Uop::decode(&word), o, i);
                }
            }
        }
    }
    void gemm(const isa::Gemm& f) {
        loop(f, [&](const isa::Uop& u, unsigned o, unsigned i) {
            const std::size_t d = u.dst_idx + o * f.dst_factor_out + i * f.dst_factor_in;
            const std::size_t s = u.src_idx + o * f.src_factor_out + i * f.src_factor_in;
            const std::size_t w = u.wgt_idx + o * f.wgt_factor_out + i * f.wgt_factor_in;
            for (int lane = 0; lane < lanes; lane++) {
                std::int64_t sum = f.reset ? 0 : acc.get(d, lane, isa::acc_width);
                const int row = lane / isa::block * isa::block, c = lane % isa::block * isa::block;
                for (int k = 0; k < isa::block && !f.reset; k++) {
                    sum += inp.get(s, row + k, isa::inp_width) * wgt.get(w, c + k, isa::wgt_width);
                }
                acc.set(d, lane, isa::acc_width, sum);
            }
            mirror(d % acc.depth());
        });
    }
    static std::int64_t operate(AluOp op, std::int64_t x, std::int64_t y) {
        if (op == AluOp::MIN) return std::min(x, y);
        if (op == AluOp::MAX) return std::max(x, y);
        if (op == AluOp::ADD) return x + y;
        if (op == AluOp::MUL) return static_cast<std::int64_t>(std::uint64_t(x) * std::uint64_t(y));
        const std::int64_t most = isa::acc_width;
        if (y >= 0) return x >> std::min(y, most - 1);
        return y <= -most ? 0 : static_cast<std::int64_t>(std::uint64_t(x) << -y);
    }
    void alu(const isa::Alu& f) {
        const AluOp op = static_cast<AluOp>(f.alu_opcode);
        if (f.uop_end > uop.depth()) return fail(vta::SRAM_RANGE);
        if (op > AluOp::MUL || (op == AluOp::MUL && !VTA_ALU_MUL)) {
            return fail(vta::UNKNOWN_ALU_OP);
        }
        loop(f, [&](const isa::Uop& u, unsigned o, unsigned i) {
            const std::size_t d = u.dst_idx + o * f.dst_factor_out + i * f.dst_factor_in;
            const std::size_t s = u.src_idx + o * f.src_factor_out + i * f.src_factor_in;
            for (int lane = 0; lane < lanes; lane++) {
                const std::int64_t x = acc.get(d, lane, isa::acc_width);
                const std::int64_t y = f.use_imm ? f.imm : acc.get(s, lane, isa::acc_width);
                acc.set(d, lane, isa::acc_width, operate(op, x, y));
            }
            mirror(d % acc.depth());
        });
    }
    void requant(const isa::Requant& f) {
        const std::int64_t low = f.clip_lo, high = f.clip_hi;
        loop(f, [&](const isa::Uop& u, unsigned o, unsigned i) {
            const std::size_t d = u.dst_idx + o * f.dst_factor_out + i * f.dst_factor_in;
            const std::size_t s = u.src_idx + o * f.src_factor_out + i * f.src_factor_in;
            const std::size_t m = f.use_bias ? s + 1 : s;
            Buffer row(isa::acc_bytes, 1);  // so that no lane's result is another one's operand
            for (int lane = 0; lane < lanes; lane++) {
                std::int64_t v = acc.get(d, lane, isa::acc_width);
                if (f.use_bias) v = wrap(v + acc.get(s, lane, isa::acc_width));
                if (f.use_mul) v *= static_cast<std::int16_t>(acc.get(m, lane, isa::acc_width));
                if (f.shift != 0) v = (v + (std::int64_t(1) << (f.shift - 1))) >> f.shift;
                row.set(0, lane, isa::acc_width, std::min(std::max(v, low), high));
            }
            std::copy(row.bytes.begin(), row.bytes.end(),
                      &acc.bytes[d % acc.depth() * isa::acc_bytes]);
            mirror(d % acc.depth());
        });
    }
    static std::int64_t wrap(std::int64_t value) {
        Buffer one((isa::acc_width + 7) / 8, 1);
        one.set(0, 0, isa::acc_width, value);
        return one.get(0, 0, isa::acc_width);
    }
};

}  // namespace tb

#endif  // VTA_TB_GOLDEN_HPP
