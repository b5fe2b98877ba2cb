"""Between real numbers, quantised tensors and accumulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import kernels
from vta_pynq.cpu_ops.grid import channel_grid
from vta_pynq.cpu_ops.numpy_kernels import whole_values
from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.scales import AXIS, BYTES, INT8_DTYPES, dtype_range, scales, zero_point
from vta_pynq.errors import ProgramError, ShapeError

__all__ = ["LAYOUT", "OFFSET", "check_planes", "real_values"]

LAYOUT = Attribute("str", "activation layout such as NCHW1n16c")
OFFSET = Attribute("int", "added to the integers, modulo 256; default 0")
_DTYPE = Attribute("str", "type of the result; default int8", choices=INT8_DTYPES)
_ZERO_POINT = Attribute("int", "value that stands for 0; default 0")
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32")
_INTEGER_TYPES = frozenset(map(np.dtype, _INTEGERS))


@operator(
    "quantize",
    scale=Attribute("scale", "real value of one step", required=True),
    zero_point=_ZERO_POINT, dtype=_DTYPE, axis=AXIS,
)  # fmt: skip
def _quantize(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """round(x / scale) + zero_point, ties to even, limited; float32 arithmetic (QuantizeLinear)."""
    x = inputs[0]
    if x.dtype != np.float32:
        raise ShapeError(f"input must be float32, not {x.dtype}; convert it")
    dtype = str(attributes.get("dtype", "int8"))
    offset = zero_point(attributes, dtype)
    scale = scales(attributes)
    grid = channel_grid(x.shape, attributes, scale.ndim > 0)
    out = allocate(x.shape, dtype)
    steps = grid.per_channel(scale).astype(np.float32)
    kernels.quantise(np.ascontiguousarray(x), steps, grid, offset, out)
    return [out]


@operator(
    "dequantize",
    scale=Attribute("scale", "real value of one step", required=True),
    zero_point=_ZERO_POINT, axis=AXIS,
)  # fmt: skip
def _dequantize(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """(x - zero_point) * scale in float32 (DequantizeLinear)."""
    return [real_values(inputs[0], attributes, allocate)]


def real_values(x: Array, attributes: Attributes, allocate: Allocate) -> Array:
    """What `dequantize` makes of a dense operand."""
    if x.dtype not in _INTEGER_TYPES:
        raise ShapeError(f"input must be {', '.join(_INTEGERS)}, not {x.dtype}; convert it")
    dense = {name: value for name, value in attributes.items() if name != "layout"}
    scale = scales(attributes)
    grid = channel_grid(x.shape, dense, scale.ndim > 0)
    out = allocate(x.shape, np.float32)
    steps = grid.per_channel(scale).astype(np.float32)
    offset = zero_point(attributes, x.dtype)
    kernels.dequantise(np.ascontiguousarray(x), steps, grid, offset, out)
    return out


def check_planes(inputs: Sequence[Array]) -> list[Array]:
    """One int32 operand or four of bytes, contiguous.

    Raises
    ------
    ShapeError
        They are something else.
    """
    if len(inputs) == 1 and inputs[0].dtype == np.int32:
        return [np.ascontiguousarray(inputs[0])]
    if len(inputs) != 4 or any(x.dtype not in BYTES for x in inputs):
        given = ", ".join(str(x.dtype) for x in inputs)
        raise ShapeError(
            f"inputs must be one int32 or four int8 planes, lowest first, not {given}; "
            "compile the model again"
        )
    if len({x.shape for x in inputs}) != 1:
        raise ShapeError("planes must have one shape, not several; compile the model again")
    return [np.ascontiguousarray(x) for x in inputs]


def _limits(attributes: Attributes, dtype: str) -> tuple[int, int, int]:
    offset = zero_point(attributes, dtype)
    least, most = dtype_range(dtype)
    low, high = int(attributes.get("qmin", least)), int(attributes.get("qmax", most))
    if not least <= low <= high <= most:
        raise ProgramError(
            f"qmin and qmax must be in order in {least}..{most} ({dtype}), not {low} and {high}; "
            "compile the model again"
        )
    return offset, low, high


@operator(
    "requantize", (1, 4),
    scale=Attribute("scale", "of the input's step over that of the result", required=True),
    negative_scale=Attribute("scale", "the same for negative values (leaky rectifier)"),
    zero_point=_ZERO_POINT, dtype=_DTYPE, axis=AXIS, layout=LAYOUT,
    qmin=Attribute("int", "lower bound of the result"),
    qmax=Attribute("int", "upper bound of the result"),
    rounding=Attribute("str", "of ties; default half_even", choices=("half_even", "half_up")),
    precision=Attribute(
        "str", "arithmetic; default double; onnxruntime's QLinear operators have single",
        choices=("double", "single"),
    ),
)  # fmt: skip
def _requantize(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """clip(round(x * scale) + zero_point, qmin, qmax) of int32, or of its four byte planes.

    The planes come lowest first. With `layout` operands and result are stored blocked, scales go
    along the channels, and padding channels become the zero point where scales are a list.
    """
    planes = check_planes(inputs)
    x = planes[0]
    dtype = str(attributes.get("dtype", "int8"))
    limits = _limits(attributes, dtype)
    scale = scales(attributes)
    negative = scales(attributes, "negative_scale") if "negative_scale" in attributes else None
    per_channel = scale.ndim > 0 or (negative is not None and negative.ndim > 0)
    grid = channel_grid(x.shape, attributes, per_channel)
    number = np.float32 if attributes.get("precision") == "single" else np.float64
    steps = grid.per_channel(scale).astype(number)
    leaks = None if negative is None else grid.per_channel(negative).astype(number)
    out = allocate(x.shape, dtype)
    half_up = attributes.get("rounding") == "half_up"
    kernels.requantise(planes, steps, leaks, grid, limits, half_up, out)
    return [out]


@operator(
    "offset",
    offset=Attribute("int", "what is added", required=True),
    dtype=Attribute("str", "type of the result", required=True, choices=_INTEGERS),
)
def _offset(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """x + offset as another integer type, without saturation."""
    x = inputs[0]
    if x.dtype.kind not in "iu":
        raise ShapeError(f"input must be integers, not {x.dtype}; compile the model again")
    dtype = np.dtype(attributes["dtype"])
    out = allocate(x.shape, dtype)
    if x.dtype.itemsize == 1 and dtype.itemsize == 1:
        # Modulo 256 the sign of either type does not matter.
        shift = np.uint8(int(attributes["offset"]) & 255)
        np.add(x.view(np.uint8), shift, out=out.view(np.uint8))
    else:
        out[...] = (x.astype(np.int64) + int(attributes["offset"])).astype(dtype)
    return [out]


@operator("join_planes", 4)
def _join_planes(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """int32 values out of four int8 planes, lowest first."""
    return [whole_values(check_planes(inputs))]
