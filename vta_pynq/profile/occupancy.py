"""SRAM occupancy over time: which elements hold a value that is still going to be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, elem_bytes, sram_depth
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.profile.touched import Access, Touched

__all__ = ["MEMORIES", "Occupancy", "sram_occupancy"]

MEMORIES = (MemType.INP, MemType.WGT, MemType.UOP, MemType.ACC, MemType.OUT)
"""The SRAMs in the order of the pictures."""

Ints = npt.NDArray[np.int64]
_NEVER = -1


@dataclasses.dataclass(frozen=True, eq=False)
class Occupancy:
    """Live elements of one SRAM over a run.

    An element is live from the start of the instruction that writes it to the end of the last
    one that reads that value. Between `times[i]` and `times[i + 1]`, in cycles, `live[i]` are;
    before the first time and after the last there are none.
    """

    memory: MemType
    depth: int
    element_bytes: int
    times: Ints
    live: Ints

    @property
    def peak(self) -> int:
        """Most live elements at any time."""
        return int(self.live.max(initial=0))

    def at(self, cycles: npt.NDArray[np.generic]) -> Ints:
        """Live elements at these times."""
        position = np.searchsorted(self.times, cycles, side="right") - 1
        padded = np.concatenate([self.live, [0]])
        return np.where(position < 0, 0, padded[position])


def sram_occupancy(run: ProfiledRun) -> dict[MemType, Occupancy]:
    """Occupancy of every SRAM.

    Raises
    ------
    ProgramError
        The run's streams do not hold the micro-ops that they load.
    """
    trackers = {memory: _Tracker(sram_depth(run.config, memory)) for memory in MEMORIES}
    touched = Touched(run.config, run.profile)
    for part in run.streams:
        accesses = list(touched.of(part.stream, part.records))
        rows = part.hidden.rows
        # What the tokens order is ordered in time too; of equals the stream's order counts.
        order = np.argsort(rows["start"], kind="stable")
        start, end = ((part.begin + rows[name]).tolist() for name in ("start", "end"))
        for i in order.tolist():
            _note(trackers, accesses[i], start[i], end[i])
    return {memory: tracker.result(memory, run.config) for memory, tracker in trackers.items()}


def _note(
    trackers: dict[MemType, _Tracker], accesses: Sequence[Access], start: int, end: int
) -> None:
    for access in accesses:
        tracker = trackers[access.memory]
        if access.reads and access.writes:
            tracker.update(access.elements, start, end)
        elif access.reads:
            tracker.read(access.elements, end)
        else:
            tracker.write(access.elements, start)


class _Tracker:
    """One SRAM: since when each element holds its value, and when that was read last."""

    def __init__(self, depth: int) -> None:
        self._since = np.full(depth, _NEVER, np.int64)
        self._until = np.full(depth, _NEVER, np.int64)
        self._lives: list[tuple[Ints, Ints]] = []

    def write(self, elements: Ints, start: int) -> None:
        self._close(elements)
        self._since[elements] = start
        self._until[elements] = _NEVER

    def read(self, elements: Ints, end: int) -> None:
        # What was never written holds no value: nobody put anything there.
        known = elements[self._since[elements] != _NEVER]
        self._until[known] = np.maximum(self._until[known], end)

    def update(self, elements: Ints, start: int, end: int) -> None:
        new = elements[self._since[elements] == _NEVER]
        self._since[new] = start
        self._until[elements] = np.maximum(self._until[elements], end)

    def _close(self, elements: Ints) -> None:
        read = elements[self._until[elements] != _NEVER]
        if read.size:
            self._lives.append((self._since[read], self._until[read]))

    def result(self, memory: MemType, config: HwConfig) -> Occupancy:
        self._close(np.arange(len(self._since)))
        begins = np.concatenate([np.zeros(0, np.int64), *(b for b, _ in self._lives)])
        ends = np.concatenate([np.zeros(0, np.int64), *(e for _, e in self._lives)])
        times, where = np.unique(np.concatenate([begins, ends]), return_inverse=True)
        change = np.zeros(len(times), np.int64)
        np.add.at(change, where.reshape(-1)[: len(begins)], 1)
        np.add.at(change, where.reshape(-1)[len(begins) :], -1)
        return Occupancy(
            memory, len(self._since), elem_bytes(config, memory), times, np.cumsum(change)
        )
