// What the dependence directives of the loops promise, checked turn by turn.
//
// A simulation runs turn after turn, so memory always has what the turn before wrote; a pipeline's
// does not. Without this check a missing wait or a register too few would go unnoticed.
#ifndef VTA_SIM_DISTANCE_HPP
#define VTA_SIM_DISTANCE_HPP

#include <cstddef>
#include <deque>
#include <string>

#include "fault.hpp"

// Turns that are demanded beyond the promise: a test that the check finds what it should.
#ifndef VTA_CSIM_SLACK
#define VTA_CSIM_SLACK 0
#endif

namespace vta {
namespace sim {

class DistanceCheck {
 public:
    explicit DistanceCheck(int turns) : most_(turns - 1 + VTA_CSIM_SLACK) {}

    // A turn that reads an element, unless what it needs is `covered` by registers or not needed,
    // and then writes one, or none.
    template <class Index>
    void turn(const Index& read, bool covered, bool writes, const Index& written) {
        const long at = read.to_int();
        for (std::size_t i = 0; i < recent_.size() && !covered; i++) {
            if (recent_[i] != at) continue;
            throw Fault(CSIM_INTERNAL, "element " + std::to_string(at) + " is read " +
                                           std::to_string(i + 1) +
                                           " turns after it was written, which is too early");
        }
        recent_.push_front(writes ? written.to_int() : -1);
        if (recent_.size() > most_) recent_.pop_back();
    }

 private:
    const std::size_t most_;
    std::deque<long> recent_;  // what the last turns wrote, -1 for nothing; the newest first
};

}  // namespace sim
}  // namespace vta

#endif  // VTA_SIM_DISTANCE_HPP
