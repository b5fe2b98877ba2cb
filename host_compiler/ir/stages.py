"""What happens to an accumulator between the sum and the store: a list of stages.

Every stage maps wide integers to wide integers; the arithmetic never overflows 32 bits in a
graph that the verifier accepts for hardware, and the reference computes it in 64.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["AddTerm", "FixedPoint", "PoolStage", "Requant", "Rounding", "Stage"]

Rounding = Literal["half_even", "half_up"]
"""`half_even` is what ONNX's QuantizeLinear does; `half_up` is add-half-then-shift."""


@dataclasses.dataclass(frozen=True, eq=False)
class Requant:
    """Rescale, round, move to the zero point and clip.

    y = clip(round(acc * m) + zero_point, qmin, qmax), where m is `negative_multiplier` for
    acc < 0 if that is given (leaky rectifier) and `multiplier` otherwise.

    `multiplier` is float64 of shape () or (channels,): the exact real factor from the
    accumulator's scale to the output's. Clipping bounds lie in the output's integers; an
    activation such as Relu or Clip is expressed by them. Rounding of ties is `rounding`.
    """

    multiplier: npt.NDArray[np.float64]
    zero_point: int = 0
    qmin: int = -128
    qmax: int = 127
    rounding: Rounding = "half_even"
    negative_multiplier: npt.NDArray[np.float64] | None = None

    @staticmethod
    def _shifts(factors: npt.NDArray[np.float64]) -> npt.NDArray[np.int64] | None:
        mantissa, exponent = np.frexp(factors)
        return None if np.any(mantissa != 0.5) else 1 - exponent.astype(np.int64)

    @property
    def shifts(self) -> npt.NDArray[np.int64] | None:
        """Right-shift amounts where every multiplier is an exact power of two, otherwise None.

        Shape as `multiplier`. Negative amounts are left shifts.
        """
        return self._shifts(self.multiplier)

    @property
    def negative_shifts(self) -> npt.NDArray[np.int64] | None:
        """The same for `negative_multiplier`; None also where there is none."""
        if self.negative_multiplier is None:
            return None
        return self._shifts(self.negative_multiplier)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoint:
    """Rescale by a fixed-point factor, as an ALU that multiplies does it.

    y = clip(r(r(acc, pre_shifts) * factors, post_shifts) + zero_point, qmin, qmax), where
    r(a, s) = (a + 2^(s-1)) >> s for s > 0 and a for s = 0. The arrays are int64 of shape () or
    (channels,).
    """

    pre_shifts: npt.NDArray[np.int64]
    factors: npt.NDArray[np.int64]
    post_shifts: npt.NDArray[np.int64]
    zero_point: int = 0
    qmin: int = -128
    qmax: int = 127


@dataclasses.dataclass(frozen=True)
class AddTerm:
    """Add another tensor of the accumulator's shape (a residual).

    acc = ((acc - acc_zero_point) << shift) + coefficient * (z - zero_point), where z is the
    graph value named `value` (it is among the node's inputs too).
    """

    value: str
    coefficient: int = 1
    zero_point: int = 0
    shift: int = 0
    acc_zero_point: int = 0


@dataclasses.dataclass(frozen=True)
class PoolStage:
    """Take the maximum over spatial windows; padding takes no part.

    `kernel`, `strides` and `dilations` are (height, width); `pads` is (top, left, bottom, right).
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)


Stage = Requant | FixedPoint | AddTerm | PoolStage
