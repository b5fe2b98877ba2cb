"""A model of the control block's counters over whole traces of handshakes.

Written from the definitions in the register table and docs/hardware.md, over arrays of cycles
rather than cycle by cycle.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.hls.control_bench import TAPS
from vta_pynq.isa.control_block import PORTS
from vta_pynq.isa.table import TOKENS, Module

__all__ = ["Trace", "counters_of", "random_trace"]

Bits = npt.NDArray[np.bool_]


@dataclasses.dataclass
class Trace:
    """The value of every tap in every cycle; each array is of shape (cycles,)."""

    values: dict[str, Bits]

    def rows(self) -> Iterator[dict[str, int]]:
        """The taps that are not 0, cycle by cycle."""
        for index in range(len(next(iter(self.values.values())))):
            yield {name: 1 for name, bits in self.values.items() if bits[index]}


def random_trace(rng: random.Random, cycles: int) -> Trace:
    """A trace from some cycles before the launch to some after FINISH.

    Handshakes of FIFOs are arbitrary; memory answers only what was asked for.
    """
    # Some taps mostly high, some mostly low, so that runs of all lengths occur.
    values = {}
    for name, (_, width) in TAPS.items():
        level = rng.choice((0.1, 0.5, 0.9)) if width == 1 else 0.0
        values[name] = np.array([rng.random() < level for _ in range(cycles)])
        if name.endswith("_ap_vld"):
            values[name][:] = False
    values["insn_port_arvalid"][:5] = False
    for port in PORTS:
        under_way = 0
        begin, end = ("aw", "b") if port == "out_port" else ("ar", "r")
        for index in range(cycles):
            if under_way == 0:
                values[f"{port}_{end}valid"][index] = False
            last = values.get(f"{port}_rlast", np.ones(cycles, bool))[index]
            answered = values[f"{port}_{end}valid"] & values[f"{port}_{end}ready"]
            if values[f"{port}_{begin}valid"][index] and under_way >= 16:
                values[f"{port}_{begin}valid"][index] = False
            asked = values[f"{port}_{begin}valid"] & values[f"{port}_{begin}ready"]
            under_way += int(asked[index]) - int(answered[index] and last)
    values["finished_ap_vld"][cycles - 7] = True
    return Trace(values)


def _has_insn(takes: Bits, starved: Bits) -> Bits:
    """Whether the last of the two that happened before a cycle was that an instruction came."""
    index = np.arange(len(takes))
    came = np.maximum.accumulate(np.where(takes, index, -1))
    asked = np.maximum.accumulate(np.where(starved & ~takes, index, -1))
    return np.concatenate([[False], (came > asked)[:-1]])


def counters_of(trace: Trace) -> tuple[int, dict[str, int]]:
    """Cycles of the run, and every counter by the name of its register."""
    v = trace.values
    launch = int(np.flatnonzero(v["insn_port_arvalid"])[0])
    finish = int(np.flatnonzero(v["finished_ap_vld"])[0])
    run = np.zeros(len(v["finished_ap_vld"]), bool)
    run[launch + 1 : finish + 1] = True
    events: dict[str, Bits] = {}

    asked = v["insn_port_arvalid"] & v["insn_port_arready"]
    beat = v["insn_port_rvalid"] & v["insn_port_rready"]
    change = asked.astype(int) - (beat & v["insn_port_rlast"])
    before = np.concatenate([[0], np.cumsum(change)[:-1]])
    events["FETCH_BUSY"] = beat
    events["FETCH_STARVED"] = (before > 0) & ~v["insn_port_rvalid"]

    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        queue = f"{module.name.lower()}_queue"
        full = v[f"{queue}_push_tvalid"] & ~v[f"{queue}_push_tready"]
        events[f"FETCH_PUSH_{module.name}"] = full
        takes = v[f"{queue}_pop_tvalid"] & v[f"{queue}_pop_tready"]
        starved = v[f"{queue}_pop_tready"] & ~v[f"{queue}_pop_tvalid"]
        stalled = np.zeros_like(starved)
        for token in TOKENS:
            if token.consumer is module:
                waits = v[f"{token.name}_pop_tready"] & ~v[f"{token.name}_pop_tvalid"]
                events[f"{module.name}_WAIT_{token.name.upper()}"] = waits
                stalled |= waits
            if token.producer is module:
                full = v[f"{token.name}_push_tvalid"] & ~v[f"{token.name}_push_tready"]
                events[f"{module.name}_PUSH_{token.name.upper()}"] = full
                stalled |= full
        events[f"{module.name}_STARVED"] = starved
        events[f"{module.name}_BUSY"] = takes | _has_insn(takes, starved) & ~starved & ~stalled
    return int(run.sum()), {name: int((bits & run).sum()) for name, bits in events.items()}
