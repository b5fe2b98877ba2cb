// HLS directives behind macros: Vitis HLS sees pragmas, every other compiler sees nothing.
//
// A directive is written where it acts, with its reason. `VTA_STEP` marks a turn of a loop whose
// length the instruction decides, so that a simulation can be stopped in it.
#ifndef VTA_PRAGMAS_HPP
#define VTA_PRAGMAS_HPP

#define VTA_PRAGMA(text) _Pragma(#text)

#if defined(__SYNTHESIS__) || defined(__VITIS_HLS__)
#define VTA_PIPELINE(interval) VTA_PRAGMA(HLS PIPELINE II = interval)
#define VTA_UNROLL VTA_PRAGMA(HLS UNROLL)
#define VTA_INLINE VTA_PRAGMA(HLS INLINE)
#define VTA_NO_INLINE VTA_PRAGMA(HLS INLINE off)
#define VTA_DATAFLOW VTA_PRAGMA(HLS DATAFLOW)
#define VTA_PARTITION(array, dimension) \
    VTA_PRAGMA(HLS ARRAY_PARTITION variable = array type = complete dim = dimension)
#define VTA_DEPTH(channel, entries) VTA_PRAGMA(HLS STREAM variable = channel depth = entries)
#define VTA_BRAM(array) VTA_PRAGMA(HLS BIND_STORAGE variable = array type = ram_s2p impl = bram)
#define VTA_READ_AFTER_WRITE(array, turns)                                             \
    VTA_PRAGMA(HLS DEPENDENCE variable = array type = inter direction = RAW distance = \
                   turns dependent = true)
#define VTA_USE_DSP(value) VTA_PRAGMA(HLS BIND_OP variable = value op = mul impl = dsp latency = 2)
#else
#define VTA_PIPELINE(interval)
#define VTA_UNROLL
#define VTA_INLINE
#define VTA_NO_INLINE
#define VTA_DATAFLOW
#define VTA_PARTITION(array, dimension)
#define VTA_DEPTH(channel, entries)
#define VTA_BRAM(array)
#define VTA_READ_AFTER_WRITE(array, turns)
#define VTA_USE_DSP(value)
#endif

#ifdef VTA_CSIM
#include "../sim/scheduler.hpp"
#define VTA_STEP() vta::sim::Scheduler::step()
#else
#define VTA_STEP()
#endif

#endif  // VTA_PRAGMAS_HPP
