"""Between logical tensors and the accelerator's blocked layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import kernels
from vta_pynq.cpu_ops.grid import Blocking, Grid, blocking_of
from vta_pynq.cpu_ops.numpy_kernels import whole_values
from vta_pynq.cpu_ops.quantisation import LAYOUT, OFFSET, check_planes, real_values
from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.scales import AXIS, BYTES, INT8_DTYPES, dtype_range, scales, zero_point
from vta_pynq.errors import ProgramError, ShapeError

_DTYPE = Attribute("str", "8-bit type of the result; default int8", choices=INT8_DTYPES)
_FILL = Attribute("int", "value where there is no source; default zero_point")
_LAYOUT = Attribute("str", LAYOUT.doc, required=True)
_QUANTISED = {
    "scale": Attribute("float", "quantise a float32 operand with this scale"),
    "zero_point": Attribute("int", "zero point of the quantisation; default 0"),
    "offset": OFFSET,
    "dtype": _DTYPE,
    "fill": _FILL,
}


def _blocking(attributes: Attributes) -> Blocking:
    found = blocking_of(attributes["layout"])
    if found is None:
        raise ProgramError(
            f"layout must block the first two axes as NCHW1n16c does, not {attributes['layout']}; "
            "compile the model again"
        )
    return found


def _fill(attributes: Attributes, dtype: str) -> int:
    value = int(attributes.get("fill", attributes.get("zero_point", 0)))
    low, high = dtype_range(dtype)
    if not low <= value <= high:
        raise ProgramError(
            f"fill must be in {low}..{high} ({dtype}), not {value}; compile the model again"
        )
    return value


def _bytes_of(x: Array, attributes: Attributes, dtype: str) -> Array:
    """The operand as contiguous bytes of `dtype`, quantised where it is real."""
    if x.dtype in BYTES:
        if "scale" in attributes:
            raise ShapeError(
                f"input must be float32 with a scale, not {x.dtype}; compile the model again"
            )
        return np.ascontiguousarray(x)
    if x.dtype != np.float32 or "scale" not in attributes:
        raise ShapeError(
            f"input must be int8, uint8, or float32 with a scale, not {x.dtype}; "
            "compile the model again"
        )
    if attributes.get("offset", 0):
        raise ProgramError("offset must be 0 with a scale; compile the model again")
    out = np.empty(x.shape, dtype)
    steps = scales(attributes).astype(np.float32).reshape(1)
    grid = Grid(1, 1, x.size, 1)
    kernels.quantise(np.ascontiguousarray(x), steps, grid, zero_point(attributes, dtype), out)
    return out


@operator(
    "pack", layout=_LAYOUT,
    shape=Attribute("ints", "logical shape of the operand; default its own", least=0),
    shared=_QUANTISED,
)  # fmt: skip
def _pack(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """A dense tensor to a blocked layout; padding is `fill`.

    int8 and uint8 get `offset` added modulo 256 (-128 makes int8 of uint8), float32 is quantised
    as by `quantize`.
    """
    blocking = _blocking(attributes)
    dtype = str(attributes.get("dtype", "int8"))
    x = inputs[0].reshape(attributes.get("shape", inputs[0].shape))
    stored = blocking.layout.stored_shape(x.shape)
    fill = _fill(attributes, dtype)
    out = allocate(stored, dtype)
    pixels = math.prod(x.shape[2:])
    values = _bytes_of(x, attributes, dtype).reshape(x.shape[0], x.shape[1], pixels)
    target = out.reshape(stored[0], stored[1], pixels, *stored[-2:])
    offset = int(attributes.get("offset", 0))
    kernels.pack(values, blocking.batch, blocking.block, fill, offset, target)
    return [out]


def _stored(x: Array, blocking: Blocking, shape: Sequence[int]) -> Array:
    stored = blocking.layout.stored_shape(shape)
    if x.size != math.prod(stored):
        raise ShapeError(
            f"input must have {math.prod(stored)} elements for {list(shape)}, not {x.size}; "
            "compile the model again"
        )
    pixels = math.prod(shape[2:])
    return np.ascontiguousarray(x).reshape(stored[0], stored[1], pixels, *stored[-2:])


@operator(
    "unpack", (1, 4), layout=_LAYOUT,
    shape=Attribute("ints", "logical shape of the result", required=True, least=0),
    scale=Attribute("scale", "make float32 of it, as `dequantize` does"),
    zero_point=Attribute("int", "zero point of the quantisation; default 0"),
    axis=AXIS, offset=OFFSET,
    dtype=Attribute("str", "8-bit type of the result; default the operand's", choices=INT8_DTYPES),
)  # fmt: skip
def _unpack(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """A blocked layout to a dense tensor of `shape`: bytes plus `offset`, or float32.

    Four int8 planes or one int32 operand give int32, or float32 with a scale.
    """
    blocking = _blocking(attributes)
    shape = tuple(int(n) for n in attributes["shape"])
    real = "scale" in attributes
    wide = len(inputs) > 1 or inputs[0].dtype == np.int32
    if wide and {"dtype", "offset"} & set(attributes):
        raise ProgramError("dtype and offset must not be given for int32; compile the model again")
    if wide:
        x = _stored(whole_values(check_planes(inputs)), blocking, shape)
        kept = x.transpose(0, 3, 1, 4, 2).reshape(x.shape[0] * x.shape[3], -1, x.shape[2])
        values = np.ascontiguousarray(kept[: shape[0], : shape[1]]).reshape(shape)
        return [real_values(values, attributes, allocate)] if real else [values]
    x = inputs[0]
    if x.dtype not in BYTES:
        raise ShapeError(
            f"input must be int8, uint8 or int32, not {x.dtype}; compile the model again"
        )
    dtype = attributes.get("dtype", x.dtype)
    flat = (*shape[:2], math.prod(shape[2:]))
    offset = int(attributes.get("offset", 0))
    held = np.empty(shape, dtype) if real else allocate(shape, dtype)
    kernels.unpack(_stored(x, blocking, shape), offset, held.reshape(flat))
    return [real_values(held, attributes, allocate) if real else held]


@operator(
    "pack_first",
    channels=Attribute("ints", "source channel of each lane, -1: none", required=True, least=-1),
    dy=Attribute("ints", "row offset of every lane", required=True),
    dx=Attribute("ints", "column offset of every lane", required=True),
    strides=Attribute("ints", "source rows and columns per result pixel", required=True, least=1),
    extent=Attribute("ints", "rows and columns of the result", required=True, least=0),
    batch=Attribute("int", "images of an element; default 1", least=1),
    block=Attribute("int", "lanes of an element; default 16", least=1),
    shared=_QUANTISED,
)  # fmt: skip
def _pack_first(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """A few-channel image (N, C, H, W) to blocked lanes that hold whole kernel columns or rows.

    result[n/batch][lane/block][y][x][n%batch][lane%block] =
    input[n, channels[lane], y * strides[0] + dy[lane], x * strides[1] + dx[lane]],
    and `fill` outside the image, where channels[lane] is -1, and for missing images. The lanes
    must fill whole blocks. Values are converted as by `pack`.
    """
    x = inputs[0]
    if x.ndim != 4:
        raise ShapeError(f"input must have 4 dimensions, not {x.ndim}; compile the model again")
    lanes = _lanes(attributes, x.shape[1])
    batch, block = int(attributes.get("batch", 1)), int(attributes.get("block", 16))
    if lanes.shape[0] % block or len(attributes["strides"]) != 2 or len(attributes["extent"]) != 2:
        raise ProgramError(
            f"lanes must fill blocks of {block} and strides and extent be two, not "
            f"{lanes.shape[0]}, {list(attributes['strides'])} and {list(attributes['extent'])}; "
            "compile the model again"
        )
    dtype = str(attributes.get("dtype", "int8"))
    fill = _fill(attributes, dtype)
    rows, columns = (int(n) for n in attributes["extent"])
    stored = (-(-x.shape[0] // batch), lanes.shape[0] // block, rows, columns, batch, block)
    out = allocate(stored, dtype)
    strides = (int(attributes["strides"][0]), int(attributes["strides"][1]))
    values = _bytes_of(x, attributes, dtype)
    kernels.gather(values, lanes, strides, fill, int(attributes.get("offset", 0)), out)
    return [out]


_FAR = 1 << 24
"""Bound on offsets, strides and extents, so that products of two fit 64 bits everywhere."""


def _lanes(attributes: Attributes, channels: int) -> Array:
    """int32 (lanes, 3): channel, dy, dx."""
    parts = [attributes[name] for name in ("channels", "dy", "dx")]
    if len({len(part) for part in parts}) != 1 or not parts[0]:
        raise ProgramError(
            f"channels, dy and dx must be equally many, not {[len(p) for p in parts]}; "
            "compile the model again"
        )
    far = [*parts[1], *parts[2], *attributes["strides"], *attributes["extent"]]
    if max(map(abs, far)) > _FAR:
        raise ProgramError(
            f"dy, dx, strides and extent must be at most {_FAR}, not {max(map(abs, far))}; "
            "compile the model again"
        )
    if max(parts[0]) >= channels:
        raise ShapeError(
            f"channels must be below the input's {channels}, not {max(parts[0])}; "
            "compile the model again"
        )
    return np.ascontiguousarray(np.array(parts, np.int32).T)
