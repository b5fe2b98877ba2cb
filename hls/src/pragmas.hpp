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
// One read and one write port: what GEMM and ALU need in each cycle.
#define VTA_BRAM(array) VTA_PRAGMA(HLS BIND_STORAGE variable = array type = ram_s2p impl = bram)
#define VTA_READ_AFTER_WRITE(array, turns)                                             \
    VTA_PRAGMA(HLS DEPENDENCE variable = array type = inter direction = RAW distance = \
                   turns dependent = true)
// A static variable that the reset input sets to its initial value. The build must leave the global
// setting at `control`: `state` would reset memories as well, an address a cycle, and copy them.
#define VTA_RESET(name) VTA_PRAGMA(HLS RESET variable = name)
#define VTA_AXI_LITE_CONTROL \
    VTA_PRAGMA(HLS INTERFACE mode = s_axilite port = return bundle = control)
// A register of software; its offset is that of the register table, whatever the tool would choose.
#define VTA_AXI_LITE(module, name)                                                  \
    VTA_PRAGMA(HLS INTERFACE mode = s_axilite port = name bundle = control offset = \
                   VTA_AT_##module##_##name)
// No register slice: the control block of the block design counts stalls at the handshakes of these
// ports, and behind a slice it would see what the slice does, not what the module does. The FIFO at
// the other end has registered outputs, so no path gets longer than a module and a FIFO.
#define VTA_AXIS(name) VTA_PRAGMA(HLS INTERFACE mode = axis port = name register_mode = off)
// A block RAM outside: one port, data one cycle after the address. A module only reads or only
// writes, so a second port would buy nothing, and the other one is its neighbour's.
#define VTA_SRAM(name) \
    VTA_PRAGMA(HLS INTERFACE mode = bram port = name storage_type = ram_1p latency = 1)
// A wire to the control block, and its valid signal: a pulse of one cycle.
#define VTA_PULSE(name) VTA_PRAGMA(HLS INTERFACE mode = ap_vld port = name)
#define VTA_AXI_READ(name)                                                                       \
    VTA_PRAGMA(HLS INTERFACE mode = m_axi port = name bundle = name offset = off depth =         \
                   VTA_PORT_BEATS max_read_burst_length = VTA_BURST_BEATS num_read_outstanding = \
                       VTA_READS_OUTSTANDING)
#define VTA_AXI_WRITE(name)                                                                        \
    VTA_PRAGMA(HLS INTERFACE mode = m_axi port = name bundle = name offset = off depth =           \
                   VTA_PORT_BEATS max_write_burst_length = VTA_BURST_BEATS num_write_outstanding = \
                       VTA_WRITES_OUTSTANDING)
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
#define VTA_RESET(name)
#define VTA_AXI_LITE_CONTROL
#define VTA_AXI_LITE(module, name)
#define VTA_AXIS(name)
#define VTA_SRAM(name)
#define VTA_PULSE(name)
#define VTA_AXI_READ(name)
#define VTA_AXI_WRITE(name)
#define VTA_USE_DSP(value)
#endif

// `VTA_DISTANCE` and `VTA_TURN` let a simulation check what a dependence directive promises: that
// no turn reads what one less than so many turns before it wrote, unless registers cover it.
#ifdef VTA_CSIM
#include "../sim/distance.hpp"
#include "../sim/scheduler.hpp"
#define VTA_STEP() vta::sim::Scheduler::step()
#define VTA_DISTANCE(check, turns) vta::sim::DistanceCheck check(turns);
#define VTA_TURN(check, read, covered, writes, written) check.turn(read, covered, writes, written)
#else
#define VTA_STEP()
#define VTA_DISTANCE(check, turns)
#define VTA_TURN(check, read, covered, writes, written)
#endif

#endif  // VTA_PRAGMAS_HPP
