// Fetch: reads the instructions in bursts and hands each to the queue of its module.
#ifndef VTA_FETCH_HPP
#define VTA_FETCH_HPP

#include "block_reader.hpp"
#include "channel.hpp"
#include "status.hpp"

namespace vta {

constexpr int insn_port_bits = least(BuildConfig::bus_bits, 8 * insn_bytes);
typedef ap_uint<insn_port_bits> insn_beat_t;

// Hands an instruction to the queue of its module; one without a module is dropped.
inline void hand_out(const insn_t& insn, Channel<insn_t>& load_queue,
                     Channel<insn_t>& compute_queue, Channel<insn_t>& store_queue, Status& status) {
    VTA_INLINE
    const ap_uint<3> opcode = field<isa::Mem::opcode_at>(insn);
    const Block block = Block::of(insn);
    status.insns++;
    if (is(opcode, Opcode::STORE)) {
        store_queue.write(insn);
    } else if (is(opcode, Opcode::LOAD) && (block.is(MemType::INP) || block.is(MemType::WGT))) {
        load_queue.write(insn);
    } else if (is(opcode, Opcode::LOAD) || is(opcode, Opcode::GEMM) || is(opcode, Opcode::ALU) ||
               is(opcode, Opcode::FINISH) ||
               (BuildConfig::has_requant && is(opcode, Opcode::REQUANT))) {
        compute_queue.write(insn);
    } else {
        status.report(UNKNOWN_OPCODE);
    }
}

// Rows of this many instructions: what the 16 bits of a block's `x_size` hold, in whole pages.
constexpr int fetch_row = 1 << 15;

// Instructions are a block like any other: rows of `fetch_row`, and one shorter row for the rest.
// A queue that is full stalls the loop while bursts are under way. Their data wait in the adapter,
// which has room for all it requested, so they do not block the other masters of a shared port.
template <class Port>
void fetch_program(Port port, const address_t& base, const ap_uint<32>& count,
                   Channel<insn_t>& load_queue, Channel<insn_t>& compute_queue,
                   Channel<insn_t>& store_queue, Status& status) {
    Block block = Block::of(insn_t(0));
    block.y_size = 1;
    ap_uint<32> fetched = 0;
fetch_rows:
    while (fetched != count) {
        const ap_uint<32> left = count - fetched;
        block.dram_base = fetched;
        block.x_size = left < fetch_row ? ap_uint<16>(left) : ap_uint<16>(fetch_row);
        BlockReader<8 * insn_bytes, insn_port_bits> reader(base, block);
        beat_t turns = reader.run_ahead(port);
    fetch_beats:
        while (reader.more()) {
            // II=1: a beat in each cycle, so an instruction in two at 64 bits.
            VTA_PIPELINE(1)
            VTA_STEP();
            turns++;
            reader.request(port);
            if (reader.take(port)) {
                hand_out(reader.element.word[0], load_queue, compute_queue, store_queue, status);
                reader.next();
            }
        }
        status.busy += turns;
        fetched += block.x_size;
    }
}

}  // namespace vta

#endif  // VTA_FETCH_HPP
