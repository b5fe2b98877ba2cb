// Keeps a turn from reading an element that one of the turns just before it writes.
//
// Remembers what the last `Distance` - 1 turns write. A turn that would read one of these is left
// empty, so memory shows every write to the reads `Distance` turns later: what the loop's
// dependence directive promises.
#ifndef VTA_INTERLOCK_HPP
#define VTA_INTERLOCK_HPP

#include "types.hpp"

namespace vta {

template <int Distance>
struct Interlock {
    static constexpr int turns = Distance - 1;
    index_t index[turns];
    bool valid[turns];

    Interlock() {
        VTA_PARTITION(index, 1)
        VTA_PARTITION(valid, 1)
    interlock_clear:
        for (int i = 0; i < turns; i++) {
            VTA_UNROLL
            valid[i] = false;
        }
    }
    bool busy(const index_t& at) const {
        VTA_INLINE
        bool found = false;
    interlock_find:
        for (int i = 0; i < turns; i++) {
            VTA_UNROLL
            found = found || (valid[i] && index[i] == at);
        }
        return found;
    }
    // Ends a turn that writes element `at`, or none.
    void end_turn(bool writes, const index_t& at) {
        VTA_INLINE
    interlock_shift:
        for (int i = turns - 1; i > 0; i--) {
            VTA_UNROLL
            index[i] = index[i - 1];
            valid[i] = valid[i - 1];
        }
        index[0] = at;
        valid[0] = writes;
    }
};

}  // namespace vta

#endif  // VTA_INTERLOCK_HPP
