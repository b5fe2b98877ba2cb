// The newest results of a loop, for turns that need them before memory has them.
//
// With `Turns` results at hand, memory must show a write to the read `Turns` + 1 turns later: the
// distance that the loop's dependence directive promises.
#ifndef VTA_FORWARD_HPP
#define VTA_FORWARD_HPP

#include "types.hpp"

namespace vta {

template <class ElementT, int Turns>
struct Forward {
    index_t index[Turns];
    ElementT value[Turns];
    bool valid[Turns];

    Forward() {
        VTA_PARTITION(index, 1)
        VTA_PARTITION(value, 1)
        VTA_PARTITION(valid, 1)
    forward_clear:
        for (int i = 0; i < Turns; i++) {
            VTA_UNROLL
            valid[i] = false;
        }
    }
    // The newest value of element `at`; `stored` is what memory gave.
    ElementT newest(const index_t& at, const ElementT& stored) const {
        VTA_INLINE
        ElementT found = stored;
    forward_find:
        for (int i = Turns - 1; i >= 0; i--) {
            VTA_UNROLL
            if (valid[i] && index[i] == at) found = value[i];
        }
        return found;
    }
    bool has(const index_t& at) const {
        VTA_INLINE
        bool found = false;
    forward_has:
        for (int i = 0; i < Turns; i++) {
            VTA_UNROLL
            found = found || (valid[i] && index[i] == at);
        }
        return found;
    }
    void push(const index_t& at, const ElementT& result) {
        VTA_INLINE
    forward_shift:
        for (int i = Turns - 1; i > 0; i--) {
            VTA_UNROLL
            index[i] = index[i - 1];
            value[i] = value[i - 1];
            valid[i] = valid[i - 1];
        }
        index[0] = at;
        value[0] = result;
        valid[0] = true;
    }
};

}  // namespace vta

#endif  // VTA_FORWARD_HPP
