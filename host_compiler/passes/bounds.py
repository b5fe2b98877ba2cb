"""How large a sum can become."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import Accumulate, Conv, ConvTranspose, SumPool, WeightedSum

__all__ = ["sum_bounds"]

Ints = npt.NDArray[np.int64]

_LOW, _HIGH = -128, 127


def sum_bounds(node: Accumulate, channels: int) -> tuple[Ints, Ints]:
    """Inclusive bounds of the sum before the stages, int64 (channels,), for any int8 inputs."""
    if isinstance(node, WeightedSum):
        zeros = np.zeros(channels, np.int64)
        low, high = zeros, zeros
        for factor, zero_point in zip(node.coefficients, node.zero_points, strict=True):
            ends = (factor * (_LOW - zero_point), factor * (_HIGH - zero_point))
            low, high = low + min(ends), high + max(ends)
        return low, high
    if isinstance(node, SumPool):
        ones = np.ones((channels, node.kernel[0] * node.kernel[1]), np.int64)
        return _product_bounds(ones, node.x_zero_point)
    assert isinstance(node, Conv | ConvTranspose), type(node).__name__
    weight: npt.NDArray[Any] = node.weight.astype(np.int64)
    if isinstance(node, ConvTranspose):
        ins, outs = weight.shape[:2]
        grouped = weight.reshape(node.group, ins // node.group, outs, -1)
        weight = grouped.swapaxes(1, 2)
    low, high = _product_bounds(weight.reshape(channels, -1), node.x_zero_point)
    bias = np.zeros(channels, np.int64) if node.bias is None else node.bias.astype(np.int64)
    return low + bias, high + bias


def _product_bounds(weight: Ints, zero_point: int) -> tuple[Ints, Ints]:
    """Bounds of weight (channels, taps) times values in the int8 range, or zero in padding."""
    positive = np.maximum(weight, 0).sum(axis=1)
    negative = np.minimum(weight, 0).sum(axis=1)
    low, high = min(_LOW - zero_point, 0), max(_HIGH - zero_point, 0)
    return positive * low + negative * high, positive * high + negative * low
