"""Resources that a configuration of the project's own design is expected to take.

The arithmetic is that of docs/hardware.md, "Resources", for any configuration. It is design
intent: no build has confirmed it. DSP and block RAM are counts, LUTs an order of magnitude.
"""

from __future__ import annotations

import dataclasses
import math

from vta_pynq.config import Capability, HwConfig
from vta_pynq.hardware.interfaces import fifos, memories
from vta_pynq.isa.control_block import PORTS
from vta_pynq.overlay.boards import Logic
from vta_pynq.timing.profiles import HwProfile

__all__ = ["MOST_LUTS", "Estimate", "block_rams", "estimate", "product_dsps", "shortages"]

MOST_LUTS = 0.75
"""Part of a part's LUTs that an estimate may take: beyond it, placement gets hard."""

_RAMB18 = ((512, 32), (1024, 16), (2048, 8), (4096, 4), (8192, 2), (16384, 1))
"""Depth and data bits of a RAMB18 with a read and a write port, without parity (UG473, UG573)."""

_DSP_PORTS = (25, 18)
"""Signed operands of a DSP48E1; the DSP48E2 has 27 bits in place of 25, which changes nothing."""
_MOVER_DSPS = 12
"""Loop bounds and addresses: one or two for each of six block movers."""
_FACTOR_BITS = 17
"""Second operand of a lane's multiplier (hls/src/alu_lane.hpp)."""

_ADDER_BITS = 2
"""Bits of the adder tree beyond those of a product, on average over its levels."""
_SHIFTER_LUTS = 2.5
"""Of an exact shifter, for each of its bits."""
_ROUNDED_BITS = 18
"""Bits of the right shifter beyond the accumulator where it also takes rounded products."""
_CLIP_LUTS, _EXTREMES_LUTS = 60, 60
"""Clip; minimum and maximum: of a lane of 32 bits, as the next ones."""
_CHOICE_LUTS, _CHOICE_LUTS_REQUANT = 77, 110
_STEP_LUTS = 500
"""Planning of the ALU's turns."""
_MOVERS, _MOVER_LUTS = 7, 700
_CONTROL_LUTS = 730
"""The control block, synthesised with open tools (docs/hardware.md)."""
_REST_LUTS = 6000
"""Decoding, AXI-Lite, FIFOs, interconnect."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a configuration is expected to take; `bram36` counts a RAMB18 as a half."""

    dsp: int
    bram36: float
    lut: int


def product_dsps(a: int, b: int) -> int:
    """DSP blocks of a signed product of `a` by `b` bits that is not split by hand."""
    wide, narrow = _DSP_PORTS
    ways = ((a, b), (b, a))
    return min(math.ceil(x / wide) * math.ceil(y / narrow) for x, y in ways)


def block_rams(bits: int, depth: int) -> float:
    """RAMB36 of a memory with one port to write and one to read; the best of the aspect ratios."""
    halves = min(math.ceil(depth / deep) * math.ceil(bits / wide) for deep, wide in _RAMB18)
    return halves / 2


def _dsps(config: HwConfig) -> int:
    inp, wgt = config.inp_width, config.wgt_width
    # Two products share an operand where the packed one fits (hls/src/packed_multiply.hpp).
    packed = inp + 2 * wgt + 1 <= _DSP_PORTS[0] and inp <= _DSP_PORTS[1] and config.block > 1
    gemm = config.macs_per_cycle // 2 if packed else config.macs_per_cycle * product_dsps(inp, wgt)
    lane = 0
    if config.has(Capability.ALU_MUL) or config.has(Capability.ALU_REQUANT):
        lane = product_dsps(config.acc_width, _FACTOR_BITS)
    if config.has(Capability.ALU_MUL) and config.acc_width > _FACTOR_BITS:
        lane += 1  # the high half of MUL's second operand
    return gemm + config.batch * config.block * lane + _MOVER_DSPS


def _bram36(config: HwConfig, profile: HwProfile) -> float:
    # Micro-ops and accumulators are compute's own, the others lie between modules.
    total = block_rams(8 * config.uop_bytes, config.uop_depth)
    total += block_rams(8 * config.acc_bytes, config.acc_depth)
    for memory in memories(config):
        total += memory.words * block_rams(memory.word_bits, memory.depth)
    total += sum(block_rams(fifo.bits, fifo.depth) for fifo in fifos(profile))
    return total + len(PORTS)  # each AXI adapter keeps its bursts in one


def _lane_luts(config: HwConfig) -> float:
    """Of one lane of the ALU."""
    bits = config.acc_width
    scale = bits / 32
    total = bits + scale * _EXTREMES_LUTS + _SHIFTER_LUTS * bits  # sum, shift to the left
    if config.has(Capability.ALU_REQUANT):
        rounded = bits + _ROUNDED_BITS
        total += rounded + _SHIFTER_LUTS * rounded
        return total + scale * (_CLIP_LUTS + _CHOICE_LUTS_REQUANT)
    return total + _SHIFTER_LUTS * (bits + 1) + scale * _CHOICE_LUTS


def _luts(config: HwConfig) -> int:
    lanes = config.batch * config.block
    product = config.inp_width + config.wgt_width
    tree = lanes * (config.block - 1) * (product + _ADDER_BITS)
    accumulate = 3 * lanes * config.acc_width  # the addition, and a choice of four forwarded ones
    fixed = _STEP_LUTS + _MOVERS * _MOVER_LUTS + _CONTROL_LUTS + _REST_LUTS
    return round(tree + accumulate + lanes * _lane_luts(config) + fixed)


def estimate(config: HwConfig, profile: HwProfile) -> Estimate:
    """What a configuration is expected to take, with queues as deep as the profile says.

    Raises
    ------
    ConfigError
        It cannot be built as it is (`vta_pynq.hardware.interfaces`).
    """
    return Estimate(_dsps(config), _bram36(config, profile), _luts(config))


def shortages(needed: Estimate, logic: Logic) -> list[str]:
    """What a part has too little of, one line each; empty where the estimate fits."""
    limits = (
        ("DSP", needed.dsp, logic.dsp),
        ("RAMB36", needed.bram36, logic.bram36),
        ("LUT", needed.lut, math.floor(MOST_LUTS * logic.lut)),
    )
    return [f"{name}: {need:g} of {most}" for name, need, most in limits if need > most]
