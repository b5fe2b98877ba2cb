"""The order of accumulators in which windows are reduced in place and the result lies dense.

Rows and columns are sorted by their position modulo the pool's stride, those of the *anchors*
first: each window has one, which collects its maximum. Columns of one class lie together, row
after row. So the anchors' rows and columns, all that is stored, are one dense block at the start.
"""

from __future__ import annotations

import dataclasses
import math

from host_compiler.layer import Pool
from host_compiler.lower.addends import Strip
from host_compiler.lower.axes import AxisRun, pooled_extent

__all__ = ["AxisOrder", "PoolLayout", "anchors_of"]


def anchors_of(pool: Pool, extent: tuple[int, int]) -> tuple[int, int] | None:
    """Which position of a window is its anchor, by axis; None where there is no suitable one.

    Every window's anchor must lie inside the plane, no window may read another one's anchor, and
    there must be one column of the anchors' class for each window.
    """
    found = []
    for axis in range(2):
        kernel, stride, pad = pool.kernel[axis], pool.strides[axis], pool.pads[axis]
        last = (pooled_extent(pool, axis, extent[axis]) - 1) * stride - pad
        low, high = max(pad, kernel - stride), min(stride, kernel, extent[axis] - last) - 1
        if low > high or (pool.dilations[axis] > 1 and kernel > 1):
            return None
        found.append(low)
    return found[0], found[1]


@dataclasses.dataclass(frozen=True)
class AxisOrder:
    """Positions 0 to `length` of a tile's axis sorted by class: `first` modulo `stride` first."""

    length: int
    stride: int
    first: int

    def classes(self) -> list[int]:
        """The classes in order."""
        rest = [p for p in range(min(self.stride, self.length)) if p != self.first]
        return [self.first, *rest]

    def count(self, number: int) -> int:
        """Positions of a class."""
        return -(-(self.length - number) // self.stride)

    def start(self, number: int) -> int:
        """Positions of the classes before a class."""
        order = self.classes()
        return sum(self.count(p) for p in order[: order.index(number)])

    def parts(self, first: int, advance: int, count: int) -> list[tuple[int, int, int, int, int]]:
        """A progression cut by class: (class, index in it, advance there, count, items before)
        and how many items lie between two of a part: `period`."""
        period = self.period(advance)
        result = []
        for k in range(min(period, count)):
            at = first + k * advance
            number = at % self.stride
            length = -(-(count - k) // period)
            result.append((number, at // self.stride, advance * period // self.stride, length, k))
        return result

    def period(self, advance: int) -> int:
        """After how many steps of `advance` a class comes again."""
        return self.stride // math.gcd(advance, self.stride)


@dataclasses.dataclass(frozen=True)
class PoolLayout:
    """The accumulators of one block of a tile."""

    rows: AxisOrder
    cols: AxisOrder

    def column(self, number: int) -> tuple[int, int]:
        """First accumulator of a column class, and columns in it."""
        return self.cols.start(number) * self.rows.length, self.cols.count(number)

    def row_runs(self, run: AxisRun) -> list[AxisRun]:
        """A run of rows as runs of sorted rows."""
        period = self.rows.period(run.advance)
        return [
            dataclasses.replace(
                run,
                first=self.rows.start(number) + index,
                advance=advance,
                count=count,
                sources=tuple((o, at + k * run.step) for o, at in run.sources),
                step=run.step * period,
            )
            for number, index, advance, count, k in self.rows.parts(
                run.first, run.advance, run.count
            )
        ]

    def col_runs(self, run: AxisRun) -> list[AxisRun]:
        """A run of columns as runs within the classes."""
        period = self.cols.period(run.advance)
        runs = []
        for number, index, advance, count, k in self.cols.parts(run.first, run.advance, run.count):
            base, width = self.column(number)
            runs.append(
                dataclasses.replace(
                    run,
                    first=base + index,
                    advance=advance,
                    count=count,
                    sources=tuple((o, at + k * run.step) for o, at in run.sources),
                    step=run.step * period,
                    width=width,
                )
            )
        return runs

    def row_strips(self, strip: Strip) -> list[Strip]:
        """A strip of rows as strips of sorted rows."""
        return [
            Strip(self.rows.start(number) + index, advance, count, strip.sign)
            for number, index, advance, count, _ in self.rows.parts(
                strip.first, strip.advance, strip.count
            )
        ]

    def col_strips(self, strip: Strip) -> list[tuple[Strip, int]]:
        """A strip of columns as strips within the classes, each with its row stride."""
        result = []
        parts = self.cols.parts(strip.first, strip.advance, strip.count)
        for number, index, advance, count, _ in parts:
            base, width = self.column(number)
            result.append((Strip(base + index, advance, count, strip.sign), width))
        return result
