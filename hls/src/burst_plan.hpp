// Cuts the rows of a block into AXI bursts, one in two turns.
//
// A burst ends at a multiple of its greatest length, so it never crosses a 4 KiB boundary (AXI
// specification, A3.4.1). For that, beats are counted from address 0: base pointers are added here,
// not by the adapter. Two turns, because the size of a burst and what is left after it are each an
// addition and a comparison: together they would not fit the cycle that II=1 leaves for what is
// carried from turn to turn.
#ifndef VTA_BURST_PLAN_HPP
#define VTA_BURST_PLAN_HPP

#include "types.hpp"

namespace vta {

template <int BeatBits>
struct BurstPlan {
    static constexpr int most = BuildConfig::burst_beats;
    static_assert(most * (BeatBits / 8) <= 4096, "a burst must not be longer than a page");
    typedef ap_uint<16> count_t;

    beat_t row, stride;      // first beat of the row, beats between row starts
    beat_t row_beats, left;  // beats of a row, and of this one that are not planned
    ap_uint<17> rows;        // rows that are not planned to their end
    beat_t from;             // the burst that is planned
    count_t count;
    bool ready, ends;  // whether one is; whether it ends the row

    BurstPlan(const beat_t& first, const beat_t& beats, const beat_t& between,
              const ap_uint<17>& number)
        : row(first),
          stride(between),
          row_beats(beats),
          left(beats),
          rows(number),
          from(first),
          count(0),
          ready(false),
          ends(false) {}

    bool more() const {
        VTA_INLINE
        return rows != 0;
    }
    // The first turn: `from` and `count` say what to request.
    void size() {
        VTA_INLINE
        const count_t room = most - (from & beat_t(most - 1));
        ends = left <= room;
        count = ends ? count_t(left) : room;
        ready = true;
    }
    // The second: past the burst that was requested.
    void advance() {
        VTA_INLINE
        if (ends) {
            row += stride;
            from = row;
            left = row_beats;
            rows--;
        } else {
            from += count;
            left -= count;
        }
        ready = false;
    }
};

}  // namespace vta

#endif  // VTA_BURST_PLAN_HPP
