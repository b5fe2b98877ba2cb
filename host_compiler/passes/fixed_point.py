"""Any scale as a fixed-point factor for an ALU that multiplies 32-bit integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host_compiler.ir import Accumulate, AddTerm, FixedPoint, PoolStage, Requant
from host_compiler.passes.bounds import sum_bounds

__all__ = ["fixed_point_of"]

Ints = npt.NDArray[np.int64]

_ACC_BITS = 31
_FACTOR_BITS = range(14, 7, -1)
_MAX_ERROR = 0.45
"""In units of the result; with the last rounding the result is then off by at most 1."""


def fixed_point_of(node: Accumulate, index: int, channels: int) -> FixedPoint | None:
    """The Requant at `index` of the node's stages in fixed point; None where it is not possible.

    acc * m is computed as ((acc >> pre) * factor) >> post with both shifts rounding. The
    accumulators' bound says how far they must be shifted for the product to fit 32 bits; of
    the factor widths that leaves, each channel takes the one with the smallest error. The
    error inside the clipping range stays below half a unit, so that the result is exact
    within 1.
    """
    stage = node.stages[index]
    assert isinstance(stage, Requant)
    if stage.negative_multiplier is not None or not (stage.multiplier > 0).all():
        return None
    bound = _bound(node, index, channels)
    if bound is None:
        return None
    multiplier = np.broadcast_to(stage.multiplier, (channels,))
    reach = max(abs(stage.qmin - stage.zero_point), abs(stage.qmax - stage.zero_point)) + 1
    found = [_best(float(m), int(b), reach) for m, b in zip(multiplier, bound, strict=True)]
    triples = [t for t in found if t is not None]
    if len(triples) != len(found):
        return None
    table = np.array(triples, np.int64)
    if (table == table[0]).all():
        table = table[0]
    pre, factors, post = (np.array(table[..., i]) for i in range(3))
    return FixedPoint(pre, factors, post, stage.zero_point, stage.qmin, stage.qmax)


def _bound(node: Accumulate, index: int, channels: int) -> Ints | None:
    """Largest magnitude of the accumulators that reach the stage, int64 (channels,)."""
    low, high = sum_bounds(node, channels)
    bound = np.maximum(np.abs(low), np.abs(high))
    for stage in node.stages[:index]:
        if isinstance(stage, AddTerm):
            largest = max(abs(-128 - stage.zero_point), abs(127 - stage.zero_point))
            bound = (bound + abs(stage.acc_zero_point)) << stage.shift
            bound = bound + abs(stage.coefficient) * largest
        elif not isinstance(stage, PoolStage):
            bound = np.full(channels, max(abs(stage.qmin), abs(stage.qmax)), np.int64)
    return None if (bound >= 1 << _ACC_BITS).any() else bound


def _best(multiplier: float, bound: int, reach: int) -> tuple[int, int, int] | None:
    """(pre shift, factor, post shift) with the smallest error for |acc| <= bound."""
    best: tuple[float, tuple[int, int, int]] | None = None
    for bits in _FACTOR_BITS:
        post = bits - 1 - int(np.floor(np.log2(multiplier)))
        for pre in range(_ACC_BITS):
            if pre >= post:
                break
            scaled = (bound >> pre) + 1
            factor = round(multiplier * 2.0 ** (post))
            shift = post - pre
            if not 0 < factor < 1 << 15 or not 0 < shift < _ACC_BITS:
                continue
            if scaled * factor + (1 << shift) >= 1 << _ACC_BITS:
                continue
            relative = abs(factor * 2.0**-post / multiplier - 1)
            rounding = 0.5 * 2.0**pre * multiplier if pre else 0.0
            error = relative * reach + rounding
            if best is None or error < best[0]:
                best = error, (pre, factor, shift)
            break
    return best[1] if best is not None and best[0] <= _MAX_ERROR else None
