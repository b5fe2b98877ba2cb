"""Hardware profiles: semantics, limits and timing of one VTA implementation under one name.

Linter, engine, cycle model and compiler take their facts from here. Sources: docs/isa.md,
"Implementation differences" and "Timing".
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from vta_pynq.errors import ConfigError
from vta_pynq.isa.table import PAGE_BYTES
from vta_pynq.timing.parameters import (
    CHISEL_64BIT_TIMING,
    HLS_64BIT_TIMING,
    HLS_128BIT_TIMING,
    VTA1_TIMING,
    Timing,
)

__all__ = ["DEFAULT_PROFILE", "PROFILES", "HwProfile", "Semantics", "Support", "get_profile"]

Semantics = Literal["functional", "hls", "chisel"]
"""What an instruction means where implementations differ."""

Support = Literal["yes", "no-op", "hang", "trap"]
"""What an implementation does with an instruction: runs it, ignores it, never returns, stops."""


@dataclasses.dataclass(frozen=True)
class HwProfile:
    """Facts about one implementation that a program must respect.

    `None` in a limit means unbounded. Distances count micro-ops of one instruction: an
    accumulator may be read again by the micro-op that comes `distance` after the one that wrote
    it, not earlier; 1 means that there is no restriction.
    """

    name: str
    doc: str
    semantics: Semantics
    insn_queue_depth: int | None
    """Instructions that one module's queue holds before fetch stalls for all."""
    token_capacity: int | None
    """Tokens that one counter holds."""
    tokens_saturate: bool
    """Whether a push beyond the capacity is lost (True) or blocks the module (False)."""
    gemm_acc_distance: int
    """Least micro-op distance between two GEMM writes of one accumulator."""
    alu_dst_distance: int
    """Least micro-op distance between a write and a read as destination, by the ALU's register
    form or REQUANT."""
    alu_imm_distance: int
    """The same for the immediate form."""
    alu_src_distance: int
    """Least micro-op distance between a write and a read as source operand, by the ALU or as
    bias or multiplier of REQUANT."""
    uop_depth_limit: int | None
    """Micro-op buffer depth where it is less than the configuration says."""
    insn_queue_skid: int = 0
    """Instructions of one module held beyond `insn_queue_depth` (registers around the queue). The
    one that the module executes or that waits for its tokens counts as held."""
    tokens_tolerated: int | None = None
    """Most tokens in one saturating counter with which programs were measured to work."""
    store_reads_acc: bool = False
    """STORE reads the accumulator (True) or the output buffer, which only ALU and GEMM write."""
    reset_writes_out: bool = False
    """GEMM with reset leaves another value than zero in the output buffer."""
    pads_weights: bool = True
    """LOAD WGT executes its padding (True) or ignores it."""
    loads_uop_rows: bool = True
    """LOAD UOP executes rows, stride and padding (True) or copies its first row only."""
    empty_load_writes_pads: bool = False
    """LOAD with `x_size` 0 writes the zeros of its padding (True) or nothing."""
    zero_loops_wrap: bool = False
    """A loop count of 0 or an empty micro-op range runs 2^14 times (True) or not at all."""
    zero_rows_wrap: bool = False
    """`y_size` 0 with a non-zero `x_size` wraps the row counter (True) or moves no row."""
    alu_imm_reads_src: bool = False
    """The immediate form computes from the source index (True) or from the destination."""
    alu_src_limit: bool = False
    """ALU source indices have the width of an input index only."""
    alu_src_extends: bool = False
    """`wgt_idx` of an ALU micro-op is the upper part of its source index."""
    shift_imm_range: tuple[int, int] = (-31, 31)
    """Immediate shift amounts that shift as the instruction set says; negative is left."""
    shift_reg_range: tuple[int, int] = (-31, 31)
    """The same for amounts that come from the accumulator."""
    alu_mul: Support = "yes"
    """ALU MUL on a build without the capability `alu_mul`."""
    load_acc8: Support = "yes"
    """LOAD ACC_8BIT on a build without the capability `load_acc8`."""
    unknown_insn: Support = "trap"
    """Opcodes, memory types and ALU operations outside the instruction set, and REQUANT on a
    build without the capability `alu_requant`."""
    foreign_flags: Support = "trap"
    """Dependency flags that name a neighbour which the module does not have."""
    null_page_bytes: int = PAGE_BYTES
    """DRAM from address 0 on that no buffer may use: the functional model traps there, and no
    allocator hands it out."""
    batch_limit: int | None = None
    """Largest batch with which ALU operations and accumulator loads work."""
    timing: Timing | None = None
    """Parameters of the cycle model; None where the profile has no notion of time."""


FUNCTIONAL = HwProfile(
    name="functional",
    doc="The instruction set's functional semantics, no hardware limits.",
    semantics="functional",
    insn_queue_depth=None,
    token_capacity=None,
    tokens_saturate=False,
    gemm_acc_distance=1,
    alu_dst_distance=1,
    alu_imm_distance=1,
    alu_src_distance=1,
    uop_depth_limit=None,
    store_reads_acc=True,
)

HLS_64BIT = HwProfile(
    name="hls-64bit",
    doc="The published PYNQ builds: HLS design, 64-bit memory port, 100 MHz.",
    semantics="hls",
    insn_queue_depth=512,
    token_capacity=1024,
    tokens_saturate=False,
    gemm_acc_distance=4,
    alu_dst_distance=3,
    alu_imm_distance=3,
    alu_src_distance=3,
    uop_depth_limit=None,
    insn_queue_skid=3,
    reset_writes_out=True,
    pads_weights=False,
    loads_uop_rows=False,
    empty_load_writes_pads=True,
    alu_src_limit=True,
    shift_imm_range=(-16, 15),
    shift_reg_range=(-16, 15),
    alu_mul="no-op",
    load_acc8="no-op",
    unknown_insn="no-op",
    foreign_flags="no-op",
    timing=HLS_64BIT_TIMING,
)

HLS_128BIT = dataclasses.replace(
    HLS_64BIT,
    name="hls-128bit",
    doc="The HLS design with a 128-bit memory port (ZCU104 settings), measured on its RTL.",
    timing=HLS_128BIT_TIMING,
)

CHISEL_64BIT = HwProfile(
    name="chisel-64bit",
    doc="The Chisel design with a 64-bit memory port, measured on its RTL.",
    semantics="chisel",
    insn_queue_depth=512,
    token_capacity=255,
    tokens_saturate=True,
    gemm_acc_distance=1,
    alu_dst_distance=1,
    alu_imm_distance=2,
    alu_src_distance=2,
    uop_depth_limit=2048,
    tokens_tolerated=256,
    zero_loops_wrap=True,
    zero_rows_wrap=True,
    alu_imm_reads_src=True,
    alu_src_extends=True,
    shift_reg_range=(0, 31),
    alu_mul="hang",
    load_acc8="hang",
    unknown_insn="hang",
    foreign_flags="no-op",
    batch_limit=1,
    timing=CHISEL_64BIT_TIMING,
)

VTA1 = HwProfile(
    name="vta1",
    doc="This project's HLS design, 64-bit memory ports; its timing is design intent.",
    semantics="functional",
    insn_queue_depth=512,
    token_capacity=1024,
    tokens_saturate=False,
    # GEMM forwards younger results, the ALU waits for them (hls/src/forward.hpp, alu_steps.hpp).
    gemm_acc_distance=1,
    alu_dst_distance=1,
    alu_imm_distance=1,
    alu_src_distance=1,
    uop_depth_limit=None,
    insn_queue_skid=1,
    # The output buffer mirrors every write of the accumulator, so reading either is the same.
    store_reads_acc=True,
    unknown_insn="no-op",
    foreign_flags="no-op",
    timing=VTA1_TIMING,
)

PROFILES = {p.name: p for p in (FUNCTIONAL, HLS_64BIT, HLS_128BIT, CHISEL_64BIT, VTA1)}
"""Every profile by name."""

DEFAULT_PROFILE = HLS_64BIT.name
"""What programs are compiled and checked for unless told otherwise."""


def get_profile(name: str) -> HwProfile:
    """The profile of that name.

    Raises
    ------
    ConfigError
        There is no such profile.
    """
    try:
        return PROFILES[name]
    except (KeyError, TypeError):
        raise ConfigError(f"profile must be one of {', '.join(PROFILES)}, not {name!r}") from None
