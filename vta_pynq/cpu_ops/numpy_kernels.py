"""The kernels in numpy: what the C code must equal, and the path named "numpy"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.grid import Grid
from vta_pynq.cpu_ops.interpolation import Interpolation
from vta_pynq.cpu_ops.registry import Array
from vta_pynq.cpu_ops.windows import Window

__all__ = [
    "dequantise",
    "gather",
    "look_up",
    "max_pool",
    "pack",
    "quantise",
    "requantise",
    "resize_linear",
    "sum_pool",
    "unpack",
    "whole_values",
]


def _limited(value: Array, low: Any, high: Any) -> Array:
    # NaN becomes the lowest value, as onnxruntime's maximum has it.
    limited: Array = np.minimum(np.where(value > low, value, low), high)
    return limited


def look_up(x: Array, table: Array, out: Array) -> None:
    """out[i] = table[byte i of x]."""
    np.take(table, np.ascontiguousarray(x).view(np.uint8), out=out, mode="clip")


def quantise(x: Array, scale: Array, grid: Grid, zero_point: int, out: Array) -> None:
    """out = round(x / scale) + zero_point in float32, limited to the type of out."""
    info: Any = np.iinfo(out.dtype)
    divisor = scale.reshape(1, grid.groups, 1, grid.lanes)
    value = x.reshape(grid.shape) / divisor
    low, high = np.float32(info.min - zero_point), np.float32(info.max - zero_point)
    whole = np.rint(_limited(value, low, high)).astype(np.int32) + zero_point
    out[...] = whole.reshape(out.shape).astype(out.dtype)


def dequantise(x: Array, scale: Array, grid: Grid, zero_point: int, out: Array) -> None:
    """out = (x - zero_point) * scale in float32."""
    shifted = (x.astype(np.int64) - zero_point).astype(np.float32).reshape(grid.shape)
    out[...] = (shifted * scale.reshape(1, grid.groups, 1, grid.lanes)).reshape(out.shape)


def whole_values(planes: Sequence[Array]) -> Array:
    """int32 values: the operand itself, or put together from four planes of bytes."""
    if len(planes) == 1:
        return planes[0]
    total = np.zeros(planes[0].shape, np.uint32)
    for number, plane in enumerate(planes):
        total |= plane.view(np.uint8).astype(np.uint32) << np.uint32(8 * number)
    return total.view(np.int32)


def requantise(
    planes: Sequence[Array],
    scale: Array,
    negative_scale: Array | None,
    grid: Grid,
    limits: tuple[int, int, int],
    half_up: bool,
    out: Array,
) -> None:
    """out = clip(round(acc * scale) + zero_point); `limits` is zero_point, low, high.

    Arithmetic is that of the scales' dtype.
    """
    zero_point, low, high = limits
    lanes = (1, grid.groups, 1, grid.lanes)
    acc = whole_values(planes).reshape(grid.shape)
    real = acc.astype(scale.dtype)
    value = real * scale.reshape(lanes)
    if negative_scale is not None:
        value = np.where(acc < 0, real * negative_scale.reshape(lanes), value)
    number = scale.dtype.type
    value = _limited(value, number(low - zero_point), number(high - zero_point))
    value = np.floor(value + number(0.5)) if half_up else np.rint(value)
    out[...] = (value.astype(np.int32) + zero_point).astype(out.dtype).reshape(out.shape)


def pack(x: Array, batch: int, block: int, fill: int, offset: int, out: Array) -> None:
    """Bytes x (N, C, pixels) plus `offset` to out [N/batch][C/block][pixels][batch][block]."""
    n, c, pixels = x.shape
    padded = np.full((out.shape[0] * batch, out.shape[1] * block, pixels), fill & 255, np.uint8)
    padded[:n, :c] = x.view(np.uint8) + np.uint8(offset & 255)
    split = padded.reshape(out.shape[0], batch, out.shape[1], block, pixels)
    out.view(np.uint8)[...] = split.transpose(0, 2, 4, 1, 3).reshape(out.shape)


def unpack(x: Array, offset: int, out: Array) -> None:
    """Bytes x [N/batch][C/block][pixels][batch][block] plus `offset` to out (N, C, pixels)."""
    outer, groups, pixels, batch, block = x.shape
    whole = x.transpose(0, 3, 1, 4, 2).reshape(outer * batch, groups * block, pixels)
    part = whole[: out.shape[0], : out.shape[1]].view(np.uint8)
    out.view(np.uint8)[...] = part + np.uint8(offset & 255)


def gather(
    x: Array, lanes: Array, strides: tuple[int, int], fill: int, offset: int, out: Array
) -> None:
    """First-layer packing of bytes x (N, C, H, W); see the operator `pack_first`.

    `lanes` is int32 (count, 3): channel or -1, dy, dx. `out` is
    [N/batch][groups][oh][ow][batch][block].
    """
    images, _, height, width = x.shape
    _, groups, oh, ow, batch, block = out.shape
    view = out.view(np.uint8)
    view[...] = np.uint8(fill & 255)
    values = x.view(np.uint8) + np.uint8(offset & 255)
    for number, (channel, dy, dx) in enumerate(lanes.tolist()):
        if channel < 0:
            continue
        rows, columns = np.arange(oh) * strides[0] + dy, np.arange(ow) * strides[1] + dx
        row_ok = np.flatnonzero((rows >= 0) & (rows < height))
        column_ok = np.flatnonzero((columns >= 0) & (columns < width))
        picked = values[:, channel][:, rows[row_ok]][:, :, columns[column_ok]]
        for image in range(images):
            plane = view[image // batch, number // block, :, :, image % batch, number % block]
            plane[np.ix_(row_ok, column_ok)] = picked[image]


def max_pool(x: Array, window: Window, out: Array) -> None:
    """Largest value of every window of x (N, C, H, W); padding takes no part."""
    info: Any = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
    low = -np.inf if x.dtype.kind == "f" else info.min
    np.max(window.views(x, low), axis=(4, 5), out=out, initial=low)


def sum_pool(x: Array, window: Window, out: Array) -> None:
    """Sum of every window of float32 x (N, C, H, W); padding is zero."""
    np.sum(window.views(x, 0), axis=(4, 5), out=out)


def resize_linear(x: Array, rows: Interpolation, columns: Interpolation, out: Array) -> None:
    """Interpolate the planes of float32 x (planes, H, W) along columns, then along rows."""
    wide = (
        x[:, :, columns.first] * columns.weights[0] + x[:, :, columns.second] * columns.weights[1]
    )
    down = rows.weights[:, :, None]
    np.add(wide[:, rows.first] * down[0], wide[:, rows.second] * down[1], out=out)
