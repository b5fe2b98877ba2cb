"""The cycle model's parameters: one value per hardware fact, and the sets of the known designs.

All values are cycles of the accelerator's clock unless their name says otherwise. Source of the
values: docs/isa.md, "Timing", measured on RTL, and docs/timing.md, which derives the rest from
the conformance cases. `L` is the memory latency: read address handshake to first data beat, and
last data beat of a write to its response.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

__all__ = [
    "ASSUMED",
    "CHISEL_64BIT_TIMING",
    "HLS_64BIT_TIMING",
    "HLS_128BIT_TIMING",
    "VTA1_TIMING",
    "Client",
    "FetchTiming",
    "LoopTiming",
    "MemoryPort",
    "MoveTiming",
    "Timing",
]

Client = Literal["fetch", "uop", "wgt", "inp", "acc", "out"]
"""Who uses memory: instruction fetch, the four kinds of LOAD, STORE."""

Latency = Literal["row", "burst", "once"]
"""How often a move pays L: for each row, for each bus burst, or once because it runs ahead."""

Padding = Literal["serial", "walker"]
"""Zeros take a cycle each (serial), or a second unit writes them in cycles without data."""


@dataclasses.dataclass(frozen=True)
class LoopTiming:
    """GEMM or ALU over N micro-ops: `interval * N + fixed`.

    `entry` is the part of `fixed` that a loop without iterations does not take.
    """

    fixed: int
    interval: int = 1
    """Initiation interval: cycles between two micro-ops."""
    entry: int = 0


@dataclasses.dataclass(frozen=True)
class MoveTiming:
    """LOAD or STORE of y rows of x elements.

    `fixed + units * (L + unit) + (y - 1) * next_row + transfer + padding`, where `units` is y,
    the number of bursts or 1 as `latency` says. An element takes `beat_interval` cycles for each
    bus beat, at least one, and `elem_extra`; packed elements share beats.
    """

    fixed: int
    """Once for each instruction."""
    unit: int
    """On top of L, as often as L is paid."""
    latency: Latency = "row"
    next_row: int = 0
    """For each row after the first, where rows overlap."""
    beat_interval: int = 1
    elem_extra: int = 0
    """For each element beyond its beats, such as the SRAM read before them."""
    packed: bool = False
    """Elements narrower than the bus arrive several in a beat."""
    padding: Padding = "serial"
    nop: int | None = None
    """An instruction that moves nothing; None: `fixed`."""
    empty_row: int | None = None
    """A row with `x_size` 0; None: an instruction with `x_size` 0 has no rows and no padding."""
    request: int = 0
    """Start to the address handshake, for the arbitration of shared ports."""


@dataclasses.dataclass(frozen=True)
class FetchTiming:
    """Instruction fetch.

    Streamed (`chunk` 0): instruction i enters its queue at `first + L + i * interval` at the
    earliest. In chunks: the first of n instructions enters `first + L + n * beats` after launch
    or after the last one of the chunk before, where `beats` are the bus beats of an instruction.
    """

    first: int
    interval: int = 1
    chunk: int = 0
    """Instructions that are read before any of them is handed out; 0: no such step."""
    request: int = 0
    """Launch, or last hand-out, to the address handshake of a chunk."""


@dataclasses.dataclass(frozen=True)
class MemoryPort:
    """One memory port, its width, and the clients that share it.

    Transfers of a shared port are first-come first-served, fetch first among equals; each holds
    the port for its beats. Latencies overlap. Ports with clients of one module never contend,
    because a module executes one instruction at a time.
    """

    bus_bytes: int
    clients: tuple[Client, ...]
    cycles_per_beat: int = 1
    """Greater than 1 where memory is slower than the bus."""
    extra_latency: int = 0
    """On top of L, such as that of a coherent port or an interconnect."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """Cycle parameters of one implementation."""

    source: str
    """Where the values come from."""
    fetch: FetchTiming
    uop: MoveTiming
    wgt: MoveTiming
    inp: MoveTiming
    acc: MoveTiming
    out: MoveTiming
    gemm: LoopTiming
    alu_imm: LoopTiming
    alu_reg: LoopTiming
    ports: tuple[MemoryPort, ...]
    finish: int
    """FINISH in its module."""
    done_visible: int
    """Start of FINISH to the done flag as the program that waits for it sees it."""
    poll_interval: int = 1
    """Cycles between two looks at the done flag; counts are multiples of it."""
    ignored: int = 0
    """An instruction that the design knows too little of to execute."""
    token_latency: int = 0
    """End of the pushing instruction to the first cycle in which the token can be popped."""
    acc8: MoveTiming | None = None
    """LOAD ACC_8BIT where the design has it."""
    alu_by_opcode: tuple[tuple[int, LoopTiming], ...] = ()
    """ALU operations with their own loop, such as fused ones; the others by operand kind."""
    requant: LoopTiming | None = None
    """REQUANT; None: as an ALU operation with registers."""
    requant_source: int = 0
    """REQUANT: for each bias and each multiplier that is read, once per change of the source."""
    memory_latency: int = 32
    """L unless the caller says otherwise: that of the measurements where there are any."""
    recorded_as: str | None = None
    """Key of the counts that conformance cases record of this design, at `memory_latency`."""
    burst_bytes: int = 2048
    """Longest burst; bursts end at multiples of it. Matters where `latency` is `burst`."""

    def port_of(self, client: Client) -> MemoryPort:
        """The port that a client uses."""
        return next(port for port in self.ports if client in port.clients)


def _own_ports(bus_bytes: int) -> tuple[MemoryPort, ...]:
    """A port for each client: the published HLS design has separate AXI masters."""
    clients: tuple[Client, ...] = ("fetch", "uop", "wgt", "inp", "acc", "out")
    return tuple(MemoryPort(bus_bytes, (client,)) for client in clients)


_RECORDED_LATENCY = 10  # of the test benches that gave the counts in the conformance cases

# A row without data skips the bus access but not the loop around it. 13 and 14 both agree with
# isa_load_x0_with_pad and isa_store_2d, which are recorded to three cycles.
_HLS_EMPTY_ROW = 14

HLS_128BIT_TIMING = Timing(
    source="docs/isa.md, Timing: HLS RTL, 128-bit AXI, L = 1, 10, 40",
    fetch=FetchTiming(first=12),
    uop=MoveTiming(fixed=15, unit=5, latency="once", request=15),
    wgt=MoveTiming(fixed=5, unit=15, beat_interval=2, empty_row=_HLS_EMPTY_ROW, request=5),
    inp=MoveTiming(fixed=9, unit=19, empty_row=_HLS_EMPTY_ROW, request=9),
    acc=MoveTiming(fixed=13, unit=21, empty_row=_HLS_EMPTY_ROW, request=13),
    out=MoveTiming(fixed=3, unit=14, empty_row=_HLS_EMPTY_ROW, request=3),
    gemm=LoopTiming(fixed=26, entry=7),
    alu_imm=LoopTiming(fixed=24, interval=2, entry=7),
    alu_reg=LoopTiming(fixed=24, interval=2, entry=7),
    ports=_own_ports(16),
    finish=15,
    done_visible=9,
    poll_interval=3,
    ignored=9,
    token_latency=1,
    memory_latency=_RECORDED_LATENCY,
    recorded_as="hls_rtl_L10",
)

# Derived, not measured, and agreed with published times as it stands (docs/isa.md, "The PYNQ
# build"): the terms of the 128-bit build at half the bus width, FINISH seen at its end, and no
# further terms.
HLS_64BIT_TIMING = dataclasses.replace(
    HLS_128BIT_TIMING,
    source="docs/isa.md, The PYNQ build: derived from the 128-bit RTL, checked on published times",
    ports=_own_ports(8),
    done_visible=15,
    poll_interval=1,
    token_latency=0,
    memory_latency=32,
    recorded_as=None,
)


def _chisel_load(unit: int = 3, next_row: int = 0, packed: bool = False) -> MoveTiming:
    return MoveTiming(
        fixed=2,
        unit=unit,
        latency="once",
        next_row=next_row,
        packed=packed,
        padding="walker",
        request=2,
    )


CHISEL_64BIT_TIMING = Timing(
    source="docs/isa.md, Timing: Chisel RTL, 64-bit AXI, L = 1, 10, 40",
    fetch=FetchTiming(first=4, chunk=128, request=2),
    uop=_chisel_load(unit=2, next_row=1, packed=True),
    wgt=_chisel_load(),
    inp=_chisel_load(),
    acc=_chisel_load(),
    # Each burst waits for its response; each element is read from SRAM before its beats, the
    # first of a burst while the address is sent.
    out=MoveTiming(fixed=1, unit=2, latency="burst", elem_extra=1, nop=2, request=2),
    gemm=LoopTiming(fixed=7),
    alu_imm=LoopTiming(fixed=7),
    alu_reg=LoopTiming(fixed=7, interval=2),
    ports=(MemoryPort(8, ("fetch", "uop", "wgt", "inp", "acc")), MemoryPort(8, ("out",))),
    finish=2,
    done_visible=1,
    memory_latency=_RECORDED_LATENCY,
    recorded_as="chisel_rtl_L10",
)

# Design intent, not confirmed by a build (docs/hardware.md, "Timing parameters", derives each).
# Rows of a block overlap, so L is paid once; the fixed parts are those of the published HLS
# design, whose instruction handling is alike, 2 more where pipelines are deeper, and 6 more for the
# loops of LOAD that run ahead and pad.
VTA1_TIMING = dataclasses.replace(
    HLS_64BIT_TIMING,
    source="docs/hardware.md, Timing parameters: design intent, no build has confirmed it",
    fetch=FetchTiming(first=12, interval=2),
    uop=MoveTiming(fixed=21, unit=5, latency="once", request=15),
    wgt=MoveTiming(fixed=11, unit=15, latency="once", request=5),
    inp=MoveTiming(fixed=15, unit=19, latency="once", request=9),
    acc=MoveTiming(fixed=19, unit=21, latency="once", request=13),
    out=MoveTiming(fixed=4, unit=14, latency="once", next_row=2, request=3),
    acc8=MoveTiming(fixed=19, unit=21, latency="once", request=13),
    gemm=LoopTiming(fixed=28, entry=7),
    alu_imm=LoopTiming(fixed=28, entry=7),
    alu_reg=LoopTiming(fixed=28, interval=2, entry=7),
    requant=LoopTiming(fixed=32, entry=7),
    requant_source=1,
    ports=(
        MemoryPort(8, ("fetch", "uop")),
        MemoryPort(8, ("wgt", "inp")),
        MemoryPort(8, ("acc",)),
        MemoryPort(8, ("out",)),
    ),
    token_latency=1,
)

ASSUMED: Mapping[str, tuple[str, ...]] = {
    "hls-64bit": (
        "memory latency 32 and two bus beats for each beat of weights (64 cycles a tile of 16x16 "
        "int8), chosen to agree with a board's published times; no board of this project's "
        "confirmed them",
    ),
    "hls-128bit": ("memory latency 10: that of the RTL simulation, not of a board",),
    "chisel-64bit": ("memory latency 10: that of the RTL simulation, not of a board",),
    "vta1": ("every value: design intent of the HLS C++, which no build has confirmed",),
}
"""By profile: parameters that are not measured on hardware (docs/timing.md, docs/hardware.md)."""
