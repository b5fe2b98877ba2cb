"""Element-wise steps on accumulators, as the tensor ALU can do them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Multiply, Pool, Requantise
from vta_pynq.isa.table import AluOp

__all__ = ["AluStep", "CopyAside", "Join", "PoolMax", "Range", "multiply_steps", "requantise_steps"]

Ints = npt.NDArray[np.int64]

_ACC_MAX = (1 << 31) - 1
_VECTOR_SHIFT = 15
"""Largest register shift amount that every implementation reads alike (docs/isa.md, "ALU")."""
_MAX_SHIFT = 31
_IMM_MAX = (1 << 15) - 1


@dataclasses.dataclass(frozen=True)
class Range:
    """Bounds of the accumulators of each channel, inclusive."""

    low: Ints
    high: Ints

    def shifted(self, shifts: Ints) -> Range:
        """Bounds after a rounding right shift (left where negative)."""
        return Range(rounding_shift(self.low, shifts), rounding_shift(self.high, shifts))

    def plus(self, value: Ints | int) -> Range:
        """Bounds after an addition."""
        return Range(self.low + value, self.high + value)


@dataclasses.dataclass(frozen=True, eq=False)
class AluStep:
    """acc = op(acc, operand): an immediate, or one value for each channel, int64 (C,).

    With `aside` it works on the second copy of the accumulators.
    """

    op: AluOp
    operand: int | Ints
    aside: bool = False


@dataclasses.dataclass(frozen=True)
class CopyAside:
    """Copy the accumulators aside."""


@dataclasses.dataclass(frozen=True)
class Join:
    """acc = op(acc, copy)."""

    op: AluOp


@dataclasses.dataclass(frozen=True)
class PoolMax:
    """Maximum over windows; the spatial extent changes."""

    pool: Pool


Step = AluStep | CopyAside | Join | PoolMax


def rounding_shift(values: Ints, shifts: Ints) -> Ints:
    """(values + half) >> shifts; left where negative."""
    right, left = np.maximum(shifts, 0), np.minimum(np.maximum(-shifts, 0), _MAX_SHIFT)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return np.where(shifts > 0, (values + half) >> right, values << left)


def uniform(values: npt.NDArray[Any], channels: int) -> int | Ints:
    """The one value of an array if it fits an immediate, or all of them as int64 (channels,)."""
    spread = np.broadcast_to(np.asarray(values, np.int64), (channels,))
    one = bool((spread == spread[0]).all()) and -_IMM_MAX <= spread[0] <= _IMM_MAX
    return int(spread[0]) if one else spread.copy()


def requantise_steps(step: Requantise, before: Range) -> tuple[Ints, list[Step], Range]:
    """What to add to the sums beforehand, the steps, and the range of the result."""
    channels = len(before.low)
    shifts = np.broadcast_to(np.asarray(step.shifts, np.int64), (channels,))
    zeros = np.zeros(channels, np.int64)
    if step.half_even:
        return _half_even_steps(step, shifts, before)
    if step.negative_shifts is None:
        first, shifting = _shift_steps(shifts, step.zero_point, before, step)
        after = before.shifted(shifts).plus(step.zero_point)
        clip = _clip(after, step.qmin, step.qmax)
        return first, [*shifting, *clip], _clipped(after, step)
    leak = np.broadcast_to(np.asarray(step.negative_shifts, np.int64), (channels,))
    steps: list[Step] = [CopyAside()]
    join = AluOp.ADD
    if (leak >= shifts).all():
        join = AluOp.MAX  # the two slopes cross at zero: the result is the larger line
    elif (leak <= shifts).all():
        join = AluOp.MIN
    else:  # by sign, then the sum of both halves
        steps += [AluStep(AluOp.MAX, 0), AluStep(AluOp.MIN, 0, aside=True)]
    for aside, amounts in ((False, shifts), (True, leak)):
        add, body = _shift_steps(amounts, 0, before, step)
        steps += _add(add, aside)
        steps += [dataclasses.replace(s, aside=aside) for s in body]
    steps.append(Join(join))
    ranges = [before.shifted(amounts) for amounts in (shifts, leak)]
    after = Range(
        np.minimum(np.minimum(ranges[0].low, ranges[1].low), 0),
        np.maximum(np.maximum(ranges[0].high, ranges[1].high), 0),
    ).plus(step.zero_point)
    if step.zero_point:
        steps.append(AluStep(AluOp.ADD, step.zero_point))
    return zeros, [*steps, *_clip(after, step.qmin, step.qmax)], _clipped(after, step)


def _half_even_steps(
    step: Requantise, shifts: Ints, before: Range
) -> tuple[Ints, list[Step], Range]:
    """Ties to even, with a = acc + half: max((a - 1) >> s, (a >> (s + 1)) << 1).

    The first term rounds ties down. The second is the even neighbour: on a tie it is the larger
    of the two where the lower one is odd, and anywhere else it does not exceed the first.
    """
    channels = len(shifts)
    half = np.int64(1) << (shifts - 1)
    first, steps = half, list[Step]()
    worst = np.maximum(np.abs(before.low), np.abs(before.high)) + half
    if worst.max() > _ACC_MAX:
        # Beyond this bound every value saturates; inside it adding half stays in 32 bits.
        reach = max(abs(step.qmin - step.zero_point), abs(step.qmax - step.zero_point)) + 1
        bound = np.minimum(np.int64(reach) << shifts, _ACC_MAX - half)
        steps += [
            AluStep(AluOp.MAX, uniform(-bound, channels)),
            AluStep(AluOp.MIN, uniform(bound, channels)),
            *_add(half, False),
        ]
        first = np.zeros(channels, np.int64)
    steps += [CopyAside(), AluStep(AluOp.ADD, -1), *_right(shifts, channels)]
    steps += [dataclasses.replace(s, aside=True) for s in _right(shifts + 1, channels)]
    steps += [AluStep(AluOp.SHR, -1, aside=True), Join(AluOp.MAX)]
    if step.zero_point:
        steps.append(AluStep(AluOp.ADD, step.zero_point))
    after = Range((before.low + half - 1) >> shifts, (before.high + half) >> shifts)
    after = after.plus(step.zero_point)
    return first, [*steps, *_clip(after, step.qmin, step.qmax)], _clipped(after, step)


def multiply_steps(step: Multiply, before: Range) -> tuple[Ints, list[Step], Range]:
    """The same for a fixed-point rescale (`Capability.ALU_MUL`)."""
    channels = len(before.low)
    pre, factors, post = (
        np.broadcast_to(np.asarray(a, np.int64), (channels,))
        for a in (step.pre_shifts, step.factors, step.post_shifts)
    )
    first, steps = _shift_steps(pre, 0, before, step)
    mid = before.shifted(pre)
    products = (mid.low * factors, mid.high * factors)
    mid = Range(np.minimum(*products), np.maximum(*products))
    add, tail = _shift_steps(post, step.zero_point, mid, step)
    after = mid.shifted(post).plus(step.zero_point)
    result = [*steps, AluStep(AluOp.MUL, uniform(factors, channels)), *_add(add, False), *tail]
    return first, [*result, *_clip(after, step.qmin, step.qmax)], _clipped(after, step)


def _add(values: Ints, aside: bool) -> list[Step]:
    amount = uniform(values, len(values))
    if isinstance(amount, int) and not amount:
        return []
    return [AluStep(AluOp.ADD, amount, aside)]


def _clip(values: Range, qmin: int, qmax: int) -> list[Step]:
    steps: list[Step] = []
    if values.low.min() < qmin:
        steps.append(AluStep(AluOp.MAX, qmin))
    if values.high.max() > qmax:
        steps.append(AluStep(AluOp.MIN, qmax))
    return steps


def _clipped(values: Range, step: Requantise | Multiply) -> Range:
    return Range(
        np.clip(values.low, step.qmin, step.qmax), np.clip(values.high, step.qmin, step.qmax)
    )


def _shift_steps(
    shifts: Ints, zero_point: int, before: Range, step: Requantise | Multiply
) -> tuple[Ints, list[AluStep]]:
    """An addition beforehand, and steps: rounding shift, then plus `zero_point`."""
    channels = len(shifts)
    right = np.clip(shifts, 0, _MAX_SHIFT)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    steps: list[AluStep] = []
    if (shifts >= 0).all():
        first = half + (np.int64(zero_point) << right)
        worst = np.maximum(np.abs(before.low), np.abs(before.high)) + np.abs(first)
        if worst.max() <= _ACC_MAX:
            return first, _right(right, channels)
    # Adding half could leave 32 bits, or some channel shifts left. Shifting by one less, adding
    # 1 and shifting once more rounds alike: floor((floor(a / 2^(s-1)) + 1) / 2).
    rounds = (right > 0).astype(np.int64)
    if rounds.any():
        steps += _right(right - rounds, channels)
        steps += [s for s in _add(rounds, False) if isinstance(s, AluStep)]
        steps += _right(rounds, channels)
    left = np.maximum(-shifts, 0)
    if left.any() and isinstance(step, Requantise):
        # Beyond this bound every value saturates, shifted or not: keeps the shift in 32 bits.
        bound = max(abs(step.qmin - step.zero_point), abs(step.qmax - step.zero_point)) + 1
        steps += [AluStep(AluOp.MAX, -bound), AluStep(AluOp.MIN, bound)]
        left = np.minimum(left, bound.bit_length() + 1)
    if left.any():
        most = int(left.max())
        steps.append(AluStep(AluOp.SHR, -most))
        steps += _right(most - left, channels)
    if zero_point:
        steps.append(AluStep(AluOp.ADD, zero_point))
    return np.zeros(channels, np.int64), steps


def _right(amounts: Ints, channels: int) -> list[AluStep]:
    """Right shifts by an amount for each channel, none of them rounded."""
    amount = uniform(amounts, channels)
    if isinstance(amount, int):
        return [AluStep(AluOp.SHR, amount)] if amount else []
    steps = []
    rest = amount
    while rest.any():
        part = np.minimum(rest, _VECTOR_SHIFT)
        steps.append(AluStep(AluOp.SHR, part))
        rest = rest - part
    return steps
