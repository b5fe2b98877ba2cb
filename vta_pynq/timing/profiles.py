"""Hardware profiles: semantics, limits and timing of one VTA implementation under one name.

Linter, engine, cycle model and compiler take their facts from here. Sources: docs/isa.md,
"Implementation differences" and "Timing".
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from vta_pynq.errors import ConfigError

__all__ = ["DEFAULT_PROFILE", "PROFILES", "HwProfile", "Semantics", "get_profile"]

Semantics = Literal["functional", "hls", "chisel"]
"""What an instruction means where implementations differ."""


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
    """Least micro-op distance between a write and an ALU read as destination (register form)."""
    alu_imm_distance: int
    """The same for the immediate form."""
    alu_src_distance: int
    """Least micro-op distance between a write and an ALU read as source operand."""
    uop_depth_limit: int | None
    """Micro-op buffer depth where it is less than the configuration says."""


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
)

HLS_128BIT = dataclasses.replace(
    HLS_64BIT,
    name="hls-128bit",
    doc="The HLS design with a 128-bit memory port (ZCU104 settings), measured on its RTL.",
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
)

PROFILES = {p.name: p for p in (FUNCTIONAL, HLS_64BIT, HLS_128BIT, CHISEL_64BIT)}
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
        raise ConfigError(
            f"profile must be one of {', '.join(PROFILES)}, not {name!r}"
        ) from None
