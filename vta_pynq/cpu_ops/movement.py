"""Operators that only move or copy elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.scales import axis_of
from vta_pynq.errors import ProgramError, ShapeError

_AXIS = Attribute("int", "axis, negative from the end", required=True)
# onnx.TensorProto's numbers of data types.
_ONNX_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 11: "float64",
}  # fmt: skip


def _listed(inputs: Sequence[Any], index: int, attributes: Attributes, name: str) -> Any:
    """The operand at `index` as a list, else the attribute, else None."""
    if len(inputs) > index and inputs[index] is not None:
        return inputs[index].reshape(-1).tolist()
    return attributes.get(name)


@operator("identity")
def _identity(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """The operand."""
    return [inputs[0]]


@operator("reshape", (1, 2), shape=Attribute("ints", "shape, without an operand for it", least=-1))
def _reshape(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """The same elements in another shape: 0 keeps an extent, -1 follows from the others."""
    shape = _listed(inputs, 1, attributes, "shape")
    if shape is None:
        raise ProgramError("shape must be given, not left out; compile the model again")
    x = inputs[0]
    # An empty operand has no extent worth keeping: there 0 means 0.
    return [x.reshape([x.shape[i] if n == 0 and x.size else n for i, n in enumerate(shape)])]


@operator("transpose", perm=Attribute("ints", "axes in their new order; default reversed"))
def _transpose(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Axes in another order."""
    x = inputs[0].transpose(attributes.get("perm", range(inputs[0].ndim)[::-1]))
    out = allocate(x.shape, x.dtype)
    np.copyto(out, x)
    return [out]


@operator("concat", (1, None), axis=_AXIS)
def _concat(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Operands one after another along `axis`."""
    axis = axis_of(int(attributes["axis"]), inputs[0].ndim)
    if len({x.dtype for x in inputs}) != 1 or len({x.ndim for x in inputs}) != 1:
        raise ShapeError(
            "inputs must have one dtype and rank, not several; compile the model again"
        )
    shape = list(inputs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in inputs)
    out = allocate(shape, inputs[0].dtype)
    np.concatenate(inputs, axis, out=out)
    return [out]


@operator(
    "slice", (1, 5), optional=True,
    starts=Attribute("ints", "first index, without an operand for it"),
    ends=Attribute("ints", "index after the last, likewise"),
    axes=Attribute("ints", "axes of both, likewise; default the first ones"),
    steps=Attribute("ints", "steps, likewise; default 1"),
)  # fmt: skip
def _slice(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """A part of the operand: data, starts, ends, axes, steps."""
    x = inputs[0]
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        _listed(inputs, index + 1, attributes, name) for index, name in enumerate(names)
    )
    if starts is None or ends is None:
        raise ProgramError("starts and ends must be given; compile the model again")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(int(axis), x.ndim)
        index[axis] = _numpy_slice(int(start), int(end), int(step), x.shape[axis])
    return [x[tuple(index)]]


def _numpy_slice(start: int, end: int, step: int, extent: int) -> slice:
    """ONNX's slice: bounds are clamped, and an end before the first element is said by -1."""
    start, end = (n + extent if n < 0 else n for n in (start, end))
    if step > 0:
        return slice(min(max(start, 0), extent), min(max(end, 0), extent), step)
    start, end = min(max(start, 0), extent - 1), min(max(end, -1), extent - 1)
    return slice(start, None if end < 0 else end, step) if extent else slice(0, 0)


@operator(
    "split", (1, 2), axis=Attribute("int", "axis; default 0"),
    split=Attribute("ints", "lengths, without an operand for them", least=0),
    num_outputs=Attribute("int", "how many parts, where no lengths are given", least=1),
)  # fmt: skip
def _split(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Consecutive parts along `axis`; the last of `num_outputs` equal ones may be shorter."""
    x = inputs[0]
    axis = axis_of(int(attributes.get("axis", 0)), x.ndim)
    extent = x.shape[axis]
    lengths = _listed(inputs, 1, attributes, "split")
    if lengths is None:
        if "num_outputs" not in attributes:
            raise ProgramError("split or num_outputs must be given; compile the model again")
        count = int(attributes["num_outputs"])
        part = -(-extent // count)
        lengths = [part] * (count - 1) + [extent - part * (count - 1)]
    if sum(lengths) != extent or min(lengths, default=0) < 0:
        raise ShapeError(
            f"lengths must sum to {extent}, not {list(lengths)}; compile the model again"
        )
    return np.split(x, np.cumsum(lengths[:-1]).astype(np.intp), axis)


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@operator(
    "pad", (1, 4), optional=True,
    mode=Attribute("str", "default constant", choices=tuple(_PAD_MODES)),
    pads=Attribute("ints", "begins, then ends, without an operand for them"),
    value=Attribute("float", "what a constant border holds, without an operand; default 0"),
    axes=Attribute("ints", "axes of the pads, without an operand; default all"),
)  # fmt: skip
def _pad(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """A border around the operand: data, pads, value, axes; negative pads cut off."""
    x = inputs[0]
    pads = _listed(inputs, 1, attributes, "pads")
    if pads is None:
        raise ProgramError("pads must be given; compile the model again")
    value = attributes.get("value", 0)
    if len(inputs) > 2 and inputs[2] is not None:
        value = inputs[2].reshape(()).item()
    axes = _listed(inputs, 3, attributes, "axes")
    axes = list(range(x.ndim)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        raise ShapeError(f"pads must be {2 * len(axes)}, not {len(pads)}; compile the model again")
    widths = [(0, 0)] * x.ndim
    for number, axis in enumerate(axes):
        widths[axis_of(int(axis), x.ndim)] = (int(pads[number]), int(pads[number + len(axes)]))
    kept = x[
        tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape, strict=True))
    ]
    added = [(max(a, 0), max(b, 0)) for a, b in widths]
    mode = _PAD_MODES[attributes.get("mode", "constant")]
    if mode == "constant":
        return [np.pad(kept, added, constant_values=x.dtype.type(value))]
    return [np.pad(kept, added, mode=mode)]  # type: ignore[call-overload]


@operator("cast", to=Attribute("int", "ONNX's number of the data type", required=True),
          saturate=Attribute("int", "of no effect for these types"))  # fmt: skip
def _cast(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Another data type: float32, float64, bool or an integer; real values are truncated."""
    dtype = _ONNX_DTYPES.get(int(attributes["to"]))
    if dtype is None:
        raise ProgramError(
            f"to must be one of {', '.join(map(str, _ONNX_DTYPES))}, not {attributes['to']}; "
            "compile the model again"
        )
    return [inputs[0].astype(dtype)]


@operator("gather", 2, axis=Attribute("int", "axis; default 0"))
def _gather(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Slices of the first operand along `axis` at the indices that the second holds."""
    x, indices = inputs
    if indices.dtype.kind not in "iu":
        raise TypeError("indices are not integers")
    return [np.take(x, indices, axis_of(int(attributes.get("axis", 0)), x.ndim))]
