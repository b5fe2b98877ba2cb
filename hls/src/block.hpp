// What LOAD and STORE say, and the zeros around a block.
#ifndef VTA_BLOCK_HPP
#define VTA_BLOCK_HPP

#include "types.hpp"

namespace vta {

struct Block {
    ap_uint<3> memory_type;
    index_t sram_base;
    beat_t dram_base;
    ap_uint<16> y_size, x_size, x_stride;
    ap_uint<4> y_pad_0, y_pad_1, x_pad_0, x_pad_1;

    static Block of(const insn_t& insn) {
        VTA_INLINE
        Block block;
        block.memory_type = field<isa::Mem::memory_type_at>(insn);
        block.sram_base = field<isa::Mem::sram_base_at>(insn);
        block.dram_base = field<isa::Mem::dram_base_at>(insn);
        block.y_size = field<isa::Mem::y_size_at>(insn);
        block.x_size = field<isa::Mem::x_size_at>(insn);
        block.x_stride = field<isa::Mem::x_stride_at>(insn);
        block.y_pad_0 = field<isa::Mem::y_pad_0_at>(insn);
        block.y_pad_1 = field<isa::Mem::y_pad_1_at>(insn);
        block.x_pad_0 = field<isa::Mem::x_pad_0_at>(insn);
        block.x_pad_1 = field<isa::Mem::x_pad_1_at>(insn);
        return block;
    }
    bool is(MemType type) const {
        VTA_INLINE
        return memory_type == ap_uint<3>(static_cast<int>(type));
    }
    ap_uint<17> width() const {
        VTA_INLINE
        return ap_uint<17>(x_pad_0) + x_size + x_pad_1;
    }
    // Whether it lies inside a buffer of `depth` elements; one without elements lies everywhere.
    bool fits(int depth) const {
        VTA_INLINE
        const ap_uint<17> height = ap_uint<17>(y_pad_0) + y_size + y_pad_1;
        const ap_uint<34> elements = ap_uint<34>(width()) * height;
        return x_size == 0 || elements + sram_base <= ap_uint<34>(depth);
    }
};

// The zeros of a block that fits, one in a turn: runs of consecutive elements, with rows of data
// between them. The first run is what lies above and left of the data, then comes what lies between
// two rows, and the last run is right of the data and below.
struct Padding {
    typedef ap_uint<17> count_t;
    index_t index;
    count_t left;  // of this run; 0 when all is done
    count_t between, last, skip, hops;

    explicit Padding(const Block& block) : index(block.sram_base) {
        const count_t above = block.y_pad_0 * block.width();
        const count_t below = block.y_pad_1 * block.width();
        between = count_t(block.x_pad_0) + block.x_pad_1;
        // Rows without zeros between them are skipped at once.
        const bool dense = between == 0;
        skip = dense ? count_t(block.x_size * block.y_size) : count_t(block.x_size);
        hops = dense && block.y_size != 0 ? count_t(1) : count_t(block.y_size);
        left = block.y_size == 0 ? count_t(above + below) : count_t(above + block.x_pad_0);
        last = below + block.x_pad_1;
        if (left == 0 && hops != 0) hop(0);
    }
    bool more() const {
        VTA_INLINE
        return left != 0;
    }
    void next() {
        VTA_INLINE
        if (left == 1 && hops != 0) {
            hop(1);
        } else {
            index++;
            left--;
        }
    }

 private:
    void hop(int written) {
        VTA_INLINE
        index += skip + written;
        left = hops == 1 ? last : between;
        hops--;
    }
};

}  // namespace vta

#endif  // VTA_BLOCK_HPP
