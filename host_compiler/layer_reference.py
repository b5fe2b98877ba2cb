"""What a layer in normal form computes, in plain numpy and apart from the lowering, which is held
against this: by the tests, and by a tuner that measures on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.layer import (
    AddBias,
    Layer,
    Multiply,
    Pool,
    Requantise,
    ShiftLeft,
    Term,
)

__all__ = ["run_layer"]

Sums = npt.NDArray[np.int64]
Tensors = Mapping[str, npt.NDArray[np.int8]]


def run_layer(layer: Layer, tensors: Tensors, block: int) -> list[npt.NDArray[np.int8]]:
    """Compute a layer.

    `tensors` maps buffer names to the logical int8 arrays (N, channels, H, W) of whole buffers,
    channels padded to whole blocks. The result is one int8 array for each plane.
    """
    acc = np.zeros(layer.sum_shape, np.int64)
    for step in layer.steps:
        acc = _STEPS[type(step)](step, acc, tensors, block)
    if layer.planes == 1:
        return [acc.astype(np.int8)]
    return [(acc >> 8 * plane).astype(np.int8) for plane in range(layer.planes)]


def _term(step: Term, acc: Sums, tensors: Tensors, block: int) -> Sums:
    ref = step.source
    n, channels, height, width = ref.shape
    first = ref.block_offset * block
    source = tensors[ref.buffer][:, first : first + channels].astype(np.int64) - step.zero_point
    weights, out_blocks, in_blocks = step.tiles.shape[:3]
    dense = step.tiles.astype(np.int64) * step.used[..., None, None]
    dense = dense.transpose(0, 1, 3, 2, 4).reshape(weights, out_blocks * block, in_blocks * block)
    acc = acc.copy()
    outs = acc.shape[1]
    for tap in step.taps:
        weight = dense[tap.weight, :outs, :channels]
        for y in range(tap.phase[0], acc.shape[2], step.period[0]):
            iy = y // step.period[0] * step.step[0] + tap.dy
            if not 0 <= iy < height:
                continue
            xs = np.arange(tap.phase[1], acc.shape[3], step.period[1])
            ix = xs // step.period[1] * step.step[1] + tap.dx
            inside = (ix >= 0) & (ix < width)
            acc[:, :, y, xs[inside]] += np.einsum(
                "ncx,oc->nox", source[:, :, iy, ix[inside]], weight
            )
    return acc


def _spread(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.reshape(1, -1, 1, 1) if np.ndim(values) else values


def _rounding_shift(acc: Sums, shifts: npt.NDArray[Any]) -> Sums:
    shifts = _spread(np.asarray(shifts))
    right, left = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return np.where(shifts > 0, (acc + half) >> right, acc << left)


def _requantise(step: Requantise, acc: Sums, *_: object) -> Sums:
    y = _rounding_shift(acc, step.shifts)
    if step.half_even:
        y = np.rint(acc / np.exp2(_spread(np.asarray(step.shifts)))).astype(np.int64)
    if step.negative_shifts is not None:
        y = np.where(acc < 0, _rounding_shift(acc, step.negative_shifts), y)
    return np.clip(y + step.zero_point, step.qmin, step.qmax)


def _multiply(step: Multiply, acc: Sums, *_: object) -> Sums:
    y = _rounding_shift(acc, step.pre_shifts) * _spread(step.factors)
    y = _rounding_shift(y, step.post_shifts)
    return np.clip(y + step.zero_point, step.qmin, step.qmax)


def _pool(step: Pool, acc: Sums, *_: object) -> Sums:
    top, left, bottom, right = step.pads
    lowest = np.iinfo(np.int64).min
    x = np.pad(acc, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=lowest)
    height, width = (
        (x.shape[2 + i] - step.dilations[i] * (step.kernel[i] - 1) - 1) // step.strides[i] + 1
        for i in range(2)
    )
    best = np.full((*x.shape[:2], height, width), lowest)
    for ky in range(step.kernel[0]):
        for kx in range(step.kernel[1]):
            y0, x0 = ky * step.dilations[0], kx * step.dilations[1]
            best = np.maximum(
                best,
                x[
                    :,
                    :,
                    y0 : y0 + height * step.strides[0] : step.strides[0],
                    x0 : x0 + width * step.strides[1] : step.strides[1],
                ],
            )
    return best


_STEPS: dict[type, Callable[..., Sums]] = {
    Term: _term,
    AddBias: lambda step, acc, *_: acc + _spread(step.bias.astype(np.int64)),
    ShiftLeft: lambda step, acc, *_: acc << step.bits,
    Requantise: _requantise,
    Multiply: _multiply,
    Pool: _pool,
}
