// HLS directives behind macros: Vitis HLS sees pragmas, every other compiler sees nothing.
//
// A directive is written where it acts, with its reason. `VTA_STEP` marks a turn of a loop whose
// length the instruction decides, so that a simulation can be stopped in it.
#ifndef VTA_PRAGMAS_HPP
#define VTA_PRAGMAS_HPP

#include "../generated/vta_registers.hpp"

// Two steps, so that macros in the text are replaced before it becomes a string.
#define VTA_PRAGMA(text) VTA_PRAGMA_TEXT(text)
#define VTA_PRAGMA_TEXT(text) _Pragma(#text)

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
// A register of software; its offset is that of the register table, whatever the tool would choose.
#define VTA_AXI_LITE(module, name)                                                  \
    VTA_PRAGMA(HLS INTERFACE mode = s_axilite port = name bundle = control offset = \
                   VTA_AT_##module##_##name)
#define VTA_AXI_LITE_CONTROL \
    VTA_PRAGMA(HLS INTERFACE mode = s_axilite port = return bundle = control)
// A wire to the control block, and its valid signal: a pulse of one cycle.
#define VTA_PULSE(name) VTA_PRAGMA(HLS INTERFACE mode = ap_vld port = name)
#define VTA_AXI_READ(name)                                                                       \
    VTA_PRAGMA(HLS INTERFACE mode = m_axi port = name bundle = name offset = off depth =         \
                   VTA_PORT_BEATS max_read_burst_length = VTA_BURST_BEATS num_read_outstanding = \
                       VTA_BURSTS_AHEAD)
#define VTA_AXI_WRITE(name)                                                                        \
    VTA_PRAGMA(HLS INTERFACE mode = m_axi port = name bundle = name offset = off depth =           \
                   VTA_PORT_BEATS max_write_burst_length = VTA_BURST_BEATS num_write_outstanding = \
                       VTA_BURSTS_AHEAD)
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
#define VTA_AXI_LITE(module, name)
#define VTA_AXI_LITE_CONTROL
#define VTA_PULSE(name)
#define VTA_AXI_READ(name)
#define VTA_AXI_WRITE(name)
#define VTA_USE_DSP(value)
#endif

#ifdef VTA_CSIM
#include "../sim/scheduler.hpp"
#define VTA_STEP() vta::sim::Scheduler::step()
#else
#define VTA_STEP()
#endif

#endif  // VTA_PRAGMAS_HPP
