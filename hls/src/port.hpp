// Memory ports: a read or write is requested first, its beats follow in order.
//
// Vitis HLS: `hls::burst_maxi`, whose requests run ahead of the data, so the latency of the rows of
// a block overlaps. It goes from function to function by value, as AMD's examples have it; copies
// are the same port. Elsewhere, or with VTA_ARRAY_PORTS: plain arrays; the tool then decides about
// bursts, and requests mean nothing. In a simulation: `sim::Port`, which checks every access.
#ifndef VTA_PORT_HPP
#define VTA_PORT_HPP

#include "types.hpp"

#if defined(VTA_CSIM)
#include "../sim/port.hpp"
#define VTA_READ_PORT(type, name) vta::sim::Port<type> name
#define VTA_WRITE_PORT(type, name) vta::sim::Port<type> name
#elif (defined(__SYNTHESIS__) || defined(__VITIS_HLS__)) && !defined(VTA_ARRAY_PORTS)
#include <hls_burst_maxi.h>
#define VTA_READ_PORT(type, name) hls::burst_maxi<type> name
#define VTA_WRITE_PORT(type, name) hls::burst_maxi<type> name
#define VTA_BURST_PORTS
#else
#define VTA_READ_PORT(type, name) const type name[VTA_PORT_BEATS]
#define VTA_WRITE_PORT(type, name) type name[VTA_PORT_BEATS]
#endif

namespace vta {

#if defined(VTA_CSIM) || defined(VTA_BURST_PORTS)
template <class Port>
void request_read(Port port, beat_t beat, beat_t count) {
    VTA_INLINE
    port.read_request(beat, count);
}
template <class Port>
void request_write(Port port, beat_t beat, beat_t count) {
    VTA_INLINE
    port.write_request(beat, count);
}
template <class Port>
void await_response(Port port) {
    VTA_INLINE
    port.write_response();
}
template <class Word, class Port>
Word read_beat(Port port, beat_t) {
    VTA_INLINE
    return port.read();
}
template <class Word, class Port>
void write_beat(Port port, beat_t, const Word& word) {
    VTA_INLINE
    port.write(word);
}
#else
template <class Port>
void request_read(Port, beat_t, beat_t) {}
template <class Port>
void request_write(Port, beat_t, beat_t) {}
template <class Port>
void await_response(Port) {}
template <class Word>
Word read_beat(const Word* port, beat_t beat) {
    VTA_INLINE
    return port[beat];
}
template <class Word>
void write_beat(Word* port, beat_t beat, const Word& word) {
    VTA_INLINE
    port[beat] = word;
}
#endif

}  // namespace vta

#endif  // VTA_PORT_HPP
