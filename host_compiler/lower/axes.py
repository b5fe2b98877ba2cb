"""One spatial axis of a term: which outputs a tap serves, and the window of the source it needs.

Rows and columns are handled alike. Output positions with one phase (position modulo period) and
one set of taps that lie inside the source form an `AxisRun`; within it, source and accumulator
positions advance by constant steps.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

from host_compiler.layer import Pool, Term

__all__ = ["AxisRun", "AxisTaps", "Window", "axis_taps", "pool_window", "pooled_extent", "tiles_of"]


@dataclasses.dataclass(frozen=True)
class AxisTaps:
    """The taps of a term along one axis: (phase, source offset) pairs, and the geometry."""

    offsets: frozenset[tuple[int, int]]
    step: int
    period: int
    extent: int
    """Positions of the source."""

    def runs(self, begin: int, end: int) -> list[AxisRun]:
        """The runs that cover the outputs `begin` to `end` (exclusive), phase by phase."""
        runs: list[AxisRun] = []
        for phase in sorted({phase for phase, _ in self.offsets}):
            first = -(-(begin - phase) // self.period)
            last = (end - 1 - phase) // self.period
            if first <= last:
                runs += self._phase_runs(phase, first, last, begin)
        return runs

    def _phase_runs(self, phase: int, first: int, last: int, begin: int) -> list[AxisRun]:
        inside: list[tuple[int, int, int]] = []  # offset, first and last index with it inside
        for offset in sorted(offset for p, offset in self.offsets if p == phase):
            low = max(first, -(offset // self.step))
            high = min(last, (self.extent - 1 - offset) // self.step)
            if low <= high:
                inside.append((offset, low, high))
        cuts = {first, last + 1}
        for _, low, high in inside:
            cuts |= {low, high + 1}
        edges = sorted(cuts)
        return [
            AxisRun(
                phase,
                self.period * a + phase - begin,
                self.period,
                b - a,
                tuple((o, self.step * a + o) for o, low, high in inside if low <= a <= high),
                self.step,
            )
            for a, b in itertools.pairwise(edges)
        ]

    def window(self, begin: int, end: int) -> Window | None:
        """The source positions that the outputs `begin` to `end` read, None where none."""
        low, high = self.extent, -1
        for run in self.runs(begin, end):
            for _, start in run.sources:
                low = min(low, start)
                high = max(high, start + self.step * (run.count - 1))
        if high < low:
            return None
        return Window(low, high + 1, self.stride)

    @property
    def stride(self) -> int:
        """Every position that is read is a multiple of this apart from any other."""
        offsets = [offset for _, offset in self.offsets]
        return math.gcd(self.step, *(offset - offsets[0] for offset in offsets))


@dataclasses.dataclass(frozen=True)
class AxisRun:
    """Outputs `first`, `first + advance`, ... (relative to the tile), `count` of them.

    `sources` gives for each offset that lies inside the source position that the first output
    reads; each further output reads `step` positions on.
    """

    phase: int
    first: int
    advance: int
    count: int
    sources: tuple[tuple[int, int], ...]
    step: int
    width: int = 0
    """For columns that lie apart from others: accumulators from one row to the next."""


@dataclasses.dataclass(frozen=True)
class Window:
    """Source positions `begin`, `begin + stride`, ... below `end`."""

    begin: int
    end: int
    stride: int = 1

    def __len__(self) -> int:
        return (self.end - 1 - self.begin) // self.stride + 1


def axis_taps(term: Term, axis: int) -> AxisTaps:
    """The taps along rows (axis 0) or columns (axis 1)."""
    offsets = frozenset((tap.phase[axis], tap.dx if axis else tap.dy) for tap in term.taps)
    return AxisTaps(offsets, term.step[axis], term.period[axis], term.source.shape[2 + axis])


def pool_window(pool: Pool, axis: int, begin: int, end: int, extent: int) -> tuple[int, int]:
    """The inputs (begin, end) that pooled outputs `begin` to `end` need."""
    low = begin * pool.strides[axis] - pool.pads[axis]
    reach = (pool.kernel[axis] - 1) * pool.dilations[axis] + 1
    high = (end - 1) * pool.strides[axis] - pool.pads[axis] + reach
    return max(0, low), min(extent, high)


def pooled_extent(pool: Pool, axis: int, extent: int) -> int:
    """How many outputs pooling gives along an axis."""
    reach = (pool.kernel[axis] - 1) * pool.dilations[axis] + 1
    padded = extent + pool.pads[axis] + pool.pads[2 + axis]
    return (padded - reach) // pool.strides[axis] + 1


def tiles_of(extent: int, size: int) -> list[tuple[int, int]]:
    """Ranges of at most `size` that cover `extent`, as even as possible, larger ones first."""
    count = -(-extent // max(1, min(size, extent)))
    base, more = divmod(extent, count)
    ranges, begin = [], 0
    for number in range(count):
        end = begin + base + (number < more)
        ranges.append((begin, end))
        begin = end
    return ranges
