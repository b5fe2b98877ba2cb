// Cuts the rows of a block into AXI bursts, one in a turn.
//
// A burst has at most `burst_beats` beats and does not cross a 4 KiB boundary (AXI specification,
// A3.4.1). So beats are counted from address 0: base pointers are added here, not by the adapter.
#ifndef VTA_BURST_PLAN_HPP
#define VTA_BURST_PLAN_HPP

#include "types.hpp"

namespace vta {

template <int BeatBits>
struct BurstPlan {
    static constexpr int page_beats = 4096 / (BeatBits / 8);

    beat_t row;        // first beat of the row
    beat_t row_beats;  // beats in a row
    beat_t stride;     // beats between row starts
    ap_uint<17> rows;  // rows that are not planned to their end
    beat_t done;       // beats of this row that are planned
    beat_t from;       // the burst that `next` planned
    beat_t count;

    BurstPlan(beat_t first, beat_t beats, beat_t between, ap_uint<17> number)
        : row(first), row_beats(beats), stride(between), rows(number), done(0), from(0), count(0) {}

    bool more() const {
        VTA_INLINE
        return rows != 0;
    }
    void next() {
        VTA_INLINE
        from = row + done;
        const beat_t to_page_end = page_beats - (from & beat_t(page_beats - 1));
        count = row_beats - done;
        if (count > BuildConfig::burst_beats) count = BuildConfig::burst_beats;
        if (count > to_page_end) count = to_page_end;
        done += count;
        if (done == row_beats) {
            row += stride;
            done = 0;
            rows--;
        }
    }
};

}  // namespace vta

#endif  // VTA_BURST_PLAN_HPP
