// FIFOs: between the modules (`Channel`), and inside a module between two processes (`Link`).
//
// Vitis HLS gives both as `hls::stream`. In a simulation a channel is bounded and blocks its thread
// as hardware blocks a module; a link is unbounded, because the two processes run one after the
// other there.
#ifndef VTA_CHANNEL_HPP
#define VTA_CHANNEL_HPP

#include "types.hpp"

#ifdef VTA_CSIM
#include "../sim/channel.hpp"
namespace vta {
template <class T>
using Channel = sim::Channel<T>;
template <class T>
using Link = sim::Link<T>;
}  // namespace vta
#else
#include <hls_stream.h>
namespace vta {
template <class T>
using Channel = hls::stream<T>;
template <class T>
using Link = hls::stream<T>;
}  // namespace vta
#endif

namespace vta {

// Takes a token; returns the cycles that it was waited for.
inline beat_t await_token(Channel<token_t>& tokens) {
    VTA_INLINE
    token_t token;
    beat_t waited = 0;
await_turns:
    while (!tokens.read_nb(token)) {
        // II=1: a turn is a cycle, so the count is one of cycles.
        VTA_PIPELINE(1)
        waited++;
    }
    return waited;
}

}  // namespace vta

#endif  // VTA_CHANNEL_HPP
