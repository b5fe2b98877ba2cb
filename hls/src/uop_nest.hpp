// The loop nest of GEMM and ALU: outer loop, inner loop, micro-ops innermost, flattened to one
// micro-op a turn.
//
// Index = micro-op index + outer count * factor + inner count * factor. The products are running
// sums, so a turn costs additions only.
#ifndef VTA_UOP_NEST_HPP
#define VTA_UOP_NEST_HPP

#include "types.hpp"

namespace vta {

// An index that advances by one factor in the inner and another in the outer loop.
struct Stride {
    index_t in_step, out_step, row, at;

    Stride(index_t out_factor, index_t in_factor)
        : in_step(in_factor), out_step(out_factor), row(0), at(0) {}
    void next_in() {
        VTA_INLINE
        at += in_step;
    }
    void next_out() {
        VTA_INLINE
        row += out_step;
        at = row;
    }
    // After a micro-op: whether it was the last of the inner loop, and of its list.
    void next(bool last_in, bool last_uop) {
        VTA_INLINE
        if (last_in) {
            next_out();
        } else if (last_uop) {
            next_in();
        }
    }
};

// The loops of an instruction; where they lie depends on its format.
struct Loops {
    ap_uint<17> uop_bgn, uop_end;
    ap_uint<15> iter_out, iter_in;

    template <class Format>
    static Loops of(const insn_t& insn) {
        VTA_INLINE
        Loops loops;
        loops.uop_bgn = field<typename Format::uop_bgn_at>(insn);
        loops.uop_end = field<typename Format::uop_end_at>(insn);
        loops.iter_out = field<typename Format::iter_out_at>(insn);
        loops.iter_in = field<typename Format::iter_in_at>(insn);
        return loops;
    }
};

// Counters of the loops.
struct UopNest {
    ap_uint<17> begin, end, uop;
    ap_uint<15> count_in, in, count_out, out;

    explicit UopNest(const Loops& loops)
        : begin(loops.uop_bgn),
          end(loops.uop_end),
          uop(begin),
          count_in(loops.iter_in),
          in(0),
          count_out(loops.iter_out),
          out(0) {
        if (count_in == 0 || begin >= end) count_out = 0;  // an empty loop: no turn at all
    }
    bool more() const {
        VTA_INLINE
        return out != count_out;
    }
    bool last_uop() const {
        VTA_INLINE
        return uop == end - 1;
    }
    bool last_in() const {
        VTA_INLINE
        return last_uop() && in == count_in - 1;
    }
    bool last() const {
        VTA_INLINE
        return last_in() && out == count_out - 1;
    }
    void next() {
        VTA_INLINE
        if (last_in()) out++;
        in = last_in() ? ap_uint<15>(0) : last_uop() ? ap_uint<15>(in + 1) : in;
        uop = last_uop() ? begin : ap_uint<17>(uop + 1);
    }
};

// Index fields of a micro-op.
inline index_t uop_dst(const uop_t& uop) {
    VTA_INLINE
    return field<isa::Uop::dst_idx_at>(insn_t(uop));
}
inline index_t uop_src(const uop_t& uop) {
    VTA_INLINE
    return field<isa::Uop::src_idx_at>(insn_t(uop));
}
inline index_t uop_wgt(const uop_t& uop) {
    VTA_INLINE
    return field<isa::Uop::wgt_idx_at>(insn_t(uop));
}

}  // namespace vta

#endif  // VTA_UOP_NEST_HPP
