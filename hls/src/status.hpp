// What a module tells about itself: errors, and counters of turns and waiting.
//
// A turn is one pass of a loop with II=1, so counts of turns are counts of cycles, without the
// filling of pipelines and without waiting for memory. Waiting for tokens is counted in cycles.
#ifndef VTA_STATUS_HPP
#define VTA_STATUS_HPP

#include "types.hpp"

namespace vta {

// `ErrorBit` is in the generated header. Error bits stay until reset. An instruction that sets one
// moves and computes nothing, but takes and gives its tokens, so the program comes to its end. One
// with an unknown opcode has no module and is dropped.
typedef ap_uint<ERROR_BITS> errors_t;

// Of one call of a module, or of many.
struct Status {
    errors_t errors;
    ap_uint<32> insns;   // executed
    ap_uint<32> busy;    // turns
    ap_uint<32> waited;  // cycles spent waiting for tokens

    Status() : errors(0), insns(0), busy(0), waited(0) {}
    void report(ErrorBit bit) {
        VTA_INLINE
        errors[static_cast<int>(bit)] = 1;
    }
};

}  // namespace vta

#endif  // VTA_STATUS_HPP
