"""A layer as stages: a sum of terms, one addition per channel, then element-wise steps.

Everything that commutes is brought together: biases, zero points and rounding constants become
one addition at the end of a sum, and a maximum over windows moves before the rescale in front of
it (both are monotone), where it leaves fewer elements to rescale.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from host_compiler.layer import (
    AddBias,
    Layer,
    LayerStep,
    Multiply,
    Pool,
    Requantise,
    ShiftLeft,
    Term,
)
from host_compiler.lower.alu_steps import (
    AluStep,
    PoolMax,
    Range,
    Step,
    multiply_steps,
    requantise_steps,
)
from vta_pynq.isa.table import AluOp

__all__ = ["Addend", "Correction", "Stage", "stages_of", "used_pairs"]

Ints = npt.NDArray[np.int64]
_INT8 = (-128, 127)
_RANGE_LIMIT = 1 << 44  # bounds beyond 32 bits only need to stay beyond
_MAX_LEFT = 32


@dataclasses.dataclass(frozen=True, eq=False)
class Correction:
    """-zero_point * weights of the taps that lie inside, for a term, shifted left."""

    term: Term
    shift: int


@dataclasses.dataclass(frozen=True, eq=False)
class Addend:
    """What a sum still needs: a constant for each channel, int64 (C,), and corrections that
    depend on which taps lie inside the source."""

    constant: Ints
    corrections: tuple[Correction, ...]

    def __bool__(self) -> bool:
        return bool(self.constant.any()) or bool(self.corrections)


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """Terms, then the addend, then element-wise steps."""

    terms: tuple[Term, ...]
    addend: Addend
    steps: tuple[Step, ...]


def used_pairs(term: Term) -> npt.NDArray[np.bool_]:
    """Which (out block, in block) pairs any tap of the term uses."""
    weights = sorted({tap.weight for tap in term.taps})
    pairs: npt.NDArray[np.bool_] = term.used[weights].any(axis=0)
    return pairs


def stages_of(layer: Layer) -> list[Stage]:
    """The stages of a layer; together they compute what its steps say."""
    builder = _Stages(layer)
    for step in _pool_first(layer.steps):
        builder.take(step)
    return builder.finish()


def _pool_first(steps: Iterable[LayerStep]) -> list[LayerStep]:
    """Move each Pool before the rescale in front of it: both never decrease."""
    result: list[LayerStep] = []
    for step in steps:
        if isinstance(step, Pool):
            at = len(result)
            while at and isinstance(result[at - 1], Requantise):
                at -= 1
            result.insert(at, step)
        else:
            result.append(step)
    return result


class _Stages:
    def __init__(self, layer: Layer) -> None:
        self._channels = layer.sum_shape[1]
        self._stages: list[Stage] = []
        zeros = np.zeros(self._channels, np.int64)
        self._range = Range(zeros, zeros)
        self._terms: list[Term] = []
        self._constant = zeros
        self._corrections: list[Correction] = []

    def take(self, step: LayerStep) -> None:
        """Add the next step."""
        if isinstance(step, Term):
            self._terms.append(step)
            self._range = _sum_range(self._range, step)
            if step.zero_point:
                self._corrections.append(Correction(step, 0))
        elif isinstance(step, AddBias):
            self._constant = self._constant + step.bias.astype(np.int64)
            self._range = self._range.plus(step.bias.astype(np.int64))
        elif isinstance(step, ShiftLeft):
            self._shift_left(step.bits)
        elif isinstance(step, Pool):
            self._close([PoolMax(step)], flush=bool(self._addend()))
        elif isinstance(step, Requantise):
            first, steps, after = requantise_steps(step, self._range)
            self._constant = self._constant + first
            self._close(steps)
            self._range = after
        elif isinstance(step, Multiply):
            first, steps, after = multiply_steps(step, self._range)
            self._constant = self._constant + first
            self._close(steps)
            self._range = after

    def _addend(self) -> Addend:
        return Addend(self._constant, tuple(self._corrections))

    def _shift_left(self, bits: int) -> None:
        if not bits or not (self._stages or self._terms or self._addend()):
            return  # nothing, or zero
        bits = min(bits, _MAX_LEFT)
        if self._terms or self._stages:
            self._close([AluStep(AluOp.SHR, -bits)], flush=False)
        self._constant = self._constant << bits
        self._corrections = [Correction(c.term, c.shift + bits) for c in self._corrections]
        limit = np.int64(_RANGE_LIMIT)
        scaled = (np.clip(a, -limit >> bits, limit >> bits) << bits for a in
                  (self._range.low, self._range.high))  # fmt: skip
        self._range = Range(*scaled)

    def _close(self, steps: list[Step], flush: bool = True) -> None:
        """End the stage; without `flush` the addend stays for a later one."""
        zeros = np.zeros(self._channels, np.int64)
        addend = self._addend() if flush else Addend(zeros, ())
        if self._stages and not self._terms and not addend:
            last = self._stages.pop()
            self._stages.append(dataclasses.replace(last, steps=(*last.steps, *steps)))
        else:
            self._stages.append(Stage(tuple(self._terms), addend, tuple(steps)))
        self._terms = []
        if flush:
            self._constant, self._corrections = zeros, []

    def finish(self) -> list[Stage]:
        """All stages."""
        if self._terms or self._addend() or not self._stages:
            self._close([])
        return self._stages


def _sum_range(before: Range, term: Term) -> Range:
    # A weight counts once for each of its taps that can meet in one accumulator.
    times: Counter[int] = Counter()
    for phase in {tap.phase for tap in term.taps}:
        here = Counter(tap.weight for tap in term.taps if tap.phase == phase)
        times = times | here
    channels = len(before.low)
    low, high = before.low.copy(), before.high.copy()
    smallest, largest = (min(0, _INT8[0] - term.zero_point), max(0, _INT8[1] - term.zero_point))
    for weight, count in times.items():
        tiles, used = term.tiles[weight], term.used[weight][..., None]
        positive, total = (
            (t.sum(axis=3, dtype=np.int64) * used).sum(axis=1).reshape(-1)[:channels]
            for t in (np.maximum(tiles, 0), tiles)
        )
        negative = total - positive
        high += count * (positive * largest + negative * smallest)
        low += count * (positive * smallest + negative * largest)
    return Range(low, high)
