"""Rescaling in integers: when a shift is exact, and fixed-point factors that provably are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host_compiler.ir import Requant
from host_compiler.layer import Requantise

__all__ = ["MAX_SHIFT", "exact_factor", "is_shift", "requantise_step", "rounds_to_even"]

MAX_SHIFT = 31
"""Largest right shift of a 32-bit accumulator that means anything."""

_MAX_CHECKED_SUMS = 1 << 20
_ACC_LIMIT = (1 << 31) - 1


def is_shift(stage: Requant) -> bool:
    """Whether shifts alone compute the stage exactly (up to the rounding of ties)."""
    shifts, negative = stage.shifts, stage.negative_shifts
    if shifts is None or (stage.negative_multiplier is not None and negative is None):
        return False
    if negative is not None and np.any(negative < shifts):
        return False  # max(a, b) of the two results needs a leak smaller than the slope
    every = [shifts] if negative is None else [shifts, negative]
    return all(bool(np.all(np.abs(s) <= MAX_SHIFT)) for s in every)


def rounds_to_even(stage: Requant) -> bool:
    """Whether the accelerator can round the ties of a stage to even.

    max((acc + half - 1) >> s, ((acc + half) >> (s + 1)) << 1) does, for shifts of at least 1.
    """
    shifts = stage.shifts
    return (
        shifts is not None
        and stage.negative_multiplier is None
        and bool((shifts >= 1).all())
        and bool((shifts < MAX_SHIFT).all())
    )


def requantise_step(stage: Requant) -> Requantise:
    """The shift form of a stage for which `is_shift` holds."""
    shifts = stage.shifts
    assert shifts is not None, "is_shift must hold"
    even = stage.rounding == "half_even" and rounds_to_even(stage)
    return Requantise(shifts, stage.zero_point, stage.qmin, stage.qmax, stage.negative_shifts, even)


def exact_factor(multiplier: float, bound: int) -> tuple[int, int, int] | None:
    """Integers (f, s, c) with (v * f + c + 2^(s-1)) >> s = round(v * multiplier), ties upwards.

    It holds for every integer |v| <= `bound` and keeps the sum inside 32 bits: checked, not
    estimated. None where no such triple exists or the range is too large to check.
    """
    if bound > _MAX_CHECKED_SUMS or not 0 < multiplier < 1:
        return None
    sums = np.arange(-bound, bound + 1, dtype=np.int64)
    wanted = np.floor(sums * multiplier + 0.5).astype(np.int64)
    for shift in range(1, MAX_SHIFT):
        factor = round(multiplier * (1 << shift))
        half = 1 << shift - 1
        # A tie v * multiplier = n + 1/2 must not fall below by the factor's error, on either
        # side of zero: half the largest error lifts them all.
        for offset in (0, bound // 2 + 1):
            if bound * factor + half + offset > _ACC_LIMIT:
                return None
            found: npt.NDArray[np.int64] = (sums * factor + half + offset) >> shift
            if factor and np.array_equal(found, wanted):
                return factor, shift, offset
    return None
