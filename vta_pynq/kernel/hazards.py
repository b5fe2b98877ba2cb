"""Accumulator reuse within one instruction: exact check, and orders that respect it.

The published HLS design does not interlock its pipelines: a micro-op that reads an accumulator
too soon after another micro-op of the same instruction wrote it gets the old value (docs/isa.md,
"Hazards, who guarantees what"). Between instructions the pipeline drains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["Nest", "Reuse", "cut", "find_hazard", "interleaved", "occurrences"]

_LOOK_LIMIT = 1 << 20

Indices = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Nest:
    """Micro-ops and the two loops around them: (count, dst, src, wgt step), outer first.

    `dst`, `src`, `wgt` are int64 arrays of one length; a loop that is not there counts 1.
    """

    dst: Indices
    src: Indices
    wgt: Indices
    outer: tuple[int, int, int, int] = (1, 0, 0, 0)
    inner: tuple[int, int, int, int] = (1, 0, 0, 0)

    def __len__(self) -> int:
        return len(self.dst)

    def swapped(self) -> Nest:
        """The same iterations with the loops exchanged."""
        return dataclasses.replace(self, outer=self.inner, inner=self.outer)

    def pick(self, rows: npt.NDArray[np.intp] | slice) -> Nest:
        """The same loops around some of the micro-ops, in the order of `rows`."""
        return dataclasses.replace(self, dst=self.dst[rows], src=self.src[rows], wgt=self.wgt[rows])

    def flat(self) -> Nest:
        """The same work without loops, in the order of execution."""
        steps = np.indices((self.outer[0], self.inner[0])).reshape(2, -1, 1)
        dst, src, wgt = (
            (steps[0] * self.outer[k] + steps[1] * self.inner[k] + uops).reshape(-1)
            for k, uops in ((1, self.dst), (2, self.src), (3, self.wgt))
        )
        return Nest(dst, src, wgt)

    def touched(self, name: str) -> Indices:
        """Every index of operand `name` (dst, src or wgt), sorted, each once."""
        indices: Indices = np.unique(getattr(self, name))
        column = 1 + ("dst", "src", "wgt").index(name)
        for loop in (self.inner, self.outer):
            if loop[column]:  # a loop that repeats the same index adds nothing
                steps = np.arange(loop[0])[:, None] * loop[column]
                indices = np.unique(indices + steps)
        return indices

    @property
    def total(self) -> int:
        """Micro-ops that are executed."""
        return self.outer[0] * self.inner[0] * len(self.dst)


@dataclasses.dataclass(frozen=True)
class Reuse:
    """Least distance from a write to a read as destination, and to one as source operand.

    A source index stands for the accumulators `sources` after it, which wrap at `depth`.
    """

    dst: int
    src: int
    sources: tuple[int, ...] = (0,)
    depth: int = 1 << 32

    def read(self, src: Indices) -> list[Indices]:
        """The accumulators that micro-ops with these source indices read."""
        return [(src + offset) % self.depth if offset else src for offset in self.sources]


def find_hazard(nest: Nest, reuse: Reuse) -> tuple[int, int] | None:
    """The accumulator and the distance of a read that comes too early; None where there is none.

    Exact; an operand form whose loops are too long to look at counts as a hazard.
    """
    for distance in range(1, reuse.dst):
        hit = _dst_hit(nest, distance)
        if hit is not None:
            return hit, distance
    if reuse.src > 1:
        if nest.total > _LOOK_LIMIT:
            return int(nest.dst[0]), 1
        flat = nest.flat()
        for distance in range(1, reuse.src):
            for read in reuse.read(flat.src):
                hits = np.flatnonzero(flat.dst[:-distance] == read[distance:])
                if hits.size:
                    return int(flat.dst[hits[0]]), distance
    return None


def _dst_hit(nest: Nest, distance: int) -> int | None:
    # The difference of two destinations depends only on the micro-ops and on how many steps of
    # each loop lie between them, so few cases stand for all iterations.
    dst, n = nest.dst, len(nest)
    hits = np.flatnonzero(dst[distance:] == dst[:-distance])
    if hits.size:
        return int(dst[hits[0]])
    for uop in range(max(0, n - distance), n):
        steps, later = divmod(uop + distance, n)
        for outer, inner in _carries(nest, steps):
            if dst[later] + outer * nest.outer[1] + inner * nest.inner[1] == dst[uop]:
                return int(dst[uop])
    return None


def _carries(nest: Nest, steps: int) -> Iterator[tuple[int, int]]:
    """Every way in which `steps` iterations of the nest can advance its two loops."""
    count_out, count_in = nest.outer[0], nest.inner[0]
    for outer in range(steps // count_in, (count_in - 1 + steps) // count_in + 1):
        if outer < count_out:
            yield outer, steps - outer * count_in


def occurrences(values: Indices) -> npt.NDArray[np.intp]:
    """For each element, how many equal ones come before it."""
    order = np.argsort(values, kind="stable")
    sorted_ = values[order]
    first = np.r_[True, sorted_[1:] != sorted_[:-1]]
    starts = np.flatnonzero(first)
    rank = np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))
    result = np.empty(len(values), np.intp)
    result[order] = rank
    return result


def interleaved(nest: Nest) -> Nest:
    """The micro-ops so that those with one destination lie as far apart as possible."""
    return nest.pick(np.argsort(occurrences(nest.dst), kind="stable"))


def cut(flat: Nest, reuse: Reuse) -> list[Nest]:
    """A loop-free nest in the fewest consecutive pieces without a hazard inside."""
    pieces, begin = [], 0
    written: dict[int, int] = {}
    reads = [read.tolist() for read in reuse.read(flat.src)]
    for at, dst in enumerate(flat.dst.tolist()):
        if at - written.get(dst, -reuse.dst) < reuse.dst or any(
            at - written.get(read[at], -reuse.src) < reuse.src for read in reads
        ):
            pieces.append(flat.pick(slice(begin, at)))
            begin = at
            written.clear()
        written[dst] = at
    pieces.append(flat.pick(slice(begin, None)))
    return pieces
