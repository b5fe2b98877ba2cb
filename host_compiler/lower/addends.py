"""What a stage adds to its sums: one vector for every rectangle of the plane with the same taps
inside, so that zero points are exact at padded borders."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from host_compiler.lower.axes import axis_taps
from host_compiler.lower.canonical import Addend

__all__ = ["AddendWork", "Strip"]

Ints = npt.NDArray[np.int64]
_AxisSign = tuple[tuple[int, frozenset[int]], ...]
_ACC_BITS = 32


@dataclasses.dataclass(frozen=True)
class Strip:
    """Positions `first`, `first + advance`, ... of a tile's axis with one signature."""

    first: int
    advance: int
    count: int
    sign: int


class AddendWork:
    """An addend on a plane of `extent` (height, width)."""

    def __init__(self, addend: Addend, extent: tuple[int, int]) -> None:
        self._addend = addend
        self._signs: list[list[_AxisSign]] = []
        self._of_position: list[list[int]] = []
        self._period: list[int] = []
        for axis in range(2):
            self._classify(axis, extent[axis])
        self._sums = [
            (c.term.tiles.sum(axis=4, dtype=np.int64) * c.term.used[..., None])
            .sum(axis=2)
            .reshape(len(c.term.tiles), -1)
            for c in addend.corrections
        ]
        self._vectors: dict[tuple[int, int], Ints] = {}

    def _classify(self, axis: int, extent: int) -> None:
        taps = [axis_taps(c.term, axis) for c in self._addend.corrections]
        known: dict[_AxisSign, int] = {}
        positions = []
        for p in range(extent):
            sign = []
            for t in taps:
                phase, at = p % t.period, p // t.period * t.step
                inside = (o for f, o in t.offsets if f == phase and 0 <= at + o < t.extent)
                sign.append((phase, frozenset(inside)))
            positions.append(known.setdefault(tuple(sign), len(known)))
        self._signs.append(list(known))
        self._of_position.append(positions)
        self._period.append(math.lcm(1, *(t.period for t in taps)))

    def strips(self, axis: int, begin: int, end: int) -> list[Strip]:
        """The positions `begin` to `end` of an axis, by signature."""
        of, period = self._of_position[axis], self._period[axis]
        result = []
        for first in range(begin, min(begin + period, end)):
            at = first
            while at < end:
                run = at
                while run < end and of[run] == of[at]:
                    run += period
                result.append(Strip(at - begin, period, (run - at) // period, of[at]))
                at = run
        return result

    def vectors(self) -> list[Ints]:
        """Every vector that occurs."""
        return [
            self.vector(row, col)
            for row in range(len(self._signs[0]))
            for col in range(len(self._signs[1]))
        ]

    def vector(self, row: int, col: int) -> Ints:
        """What is added where rows and columns have these signatures: int64 (C,) in 32 bits."""
        key = row, col
        if key not in self._vectors:
            total = self._addend.constant.copy()
            signs = zip(self._signs[0][row], self._signs[1][col], strict=True)
            for number, (down, across) in enumerate(signs):
                correction = self._addend.corrections[number]
                for tap in correction.term.taps:
                    if (
                        tap.phase == (down[0], across[0])
                        and tap.dy in down[1]
                        and tap.dx in across[1]
                    ):
                        part = self._sums[number][tap.weight][: len(total)]
                        total -= (correction.term.zero_point * part) << correction.shift
            # Sums wrap, so only the low bits count.
            self._vectors[key] = total.astype(f"<i{_ACC_BITS // 8}").astype(np.int64)
        return self._vectors[key]
