"""Whether a published design runs at the clock that it is said to have: time of a long GEMM."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import UOP_DTYPE
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.overlay.devices import is_simulated
from vta_pynq.selftest.sequence import Sequence
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.model import simulate

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.selftest.placed import StreamRunner

__all__ = ["clock_mhz", "long_gemm", "pace_problem"]

_TURNS = 4_000_000
_LONGEST = 16_000
"""Of a loop; its field has 14 bits."""
_RUNS = 3
_TOLERANCE = 0.05


def long_gemm(config: HwConfig, turns: int) -> InstructionStream:
    """A GEMM of about `turns` micro-ops, whose weights and inputs are whatever SRAM holds."""
    program = Sequence(config, f"{turns} turns")
    place = program.uop_area(np.zeros(1, UOP_DTYPE))
    program.move(Opcode.LOAD, MemType.UOP, 0, place, 1)
    inner = min(config.acc_depth, _LONGEST)
    program.add(
        Opcode.GEMM, uop_end=1, iter_out=max(1, min(turns // inner, _LONGEST)), iter_in=inner,
        dst_factor_in=1,
    )  # fmt: skip
    return program.stream()


def clock_mhz(loaded: VtaOverlay) -> float | None:
    """What the clock is set to, or what the variant was described for; None if neither is known."""
    import pynq

    if not is_simulated(loaded.device) and pynq.Device.active_device is loaded.device:
        return float(pynq.Clocks.fclk0_mhz)
    variant = find_variant(loaded.identity.variant)
    return None if variant is None else variant.clock_mhz


def pace_problem(overlay: VtaOverlay, runner: StreamRunner) -> str:
    """What is wrong with the time of a long program; empty if nothing.

    A GEMM takes a cycle a turn in every design, whatever memory does (docs/timing.md), so the
    difference between a long and a short one tells the clock.
    """
    import pynq

    clock_mhz = float(pynq.Clocks.fclk0_mhz)
    cycles, seconds = [], []
    for turns in (_TURNS, _TURNS // 2):
        stream = long_gemm(overlay.config, turns)
        cycles.append(simulate(stream, overlay.identity.profile.name).total_cycles)
        times = []
        for _ in range(_RUNS):
            begin = time.perf_counter()
            runner.run(stream)
            times.append(time.perf_counter() - begin)
        seconds.append(min(times))
    found_mhz = (cycles[0] - cycles[1]) / (seconds[0] - seconds[1]) / 1e6
    if abs(found_mhz - clock_mhz) <= _TOLERANCE * clock_mhz:
        return ""
    return f"{found_mhz:.1f} MHz were measured, the clock is set to {clock_mhz:g} MHz"
