"""Operators that bring an axis together: normalisation, mean, index of the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.scales import axis_of, scales, zero_point
from vta_pynq.cpu_ops.tables import TABLE_ATTRIBUTES, quantised
from vta_pynq.errors import ShapeError

_AXIS = Attribute("int", "axis; default -1")
_KEEP = Attribute("int", "1 keeps the axis with extent 1; default 1", choices=())


def _exponentials(x: Array, axis: int, attributes: Attributes) -> Array:
    """exp(x - max(x)) in float32; of 8-bit values through a table of 256 entries."""
    if x.dtype.kind == "f":
        result: Array = np.exp(x - x.max(axis, keepdims=True))
        return result
    if x.dtype not in (np.int8, np.uint8) or "in_scale" not in attributes:
        raise ShapeError(
            f"input must be real, or 8-bit with in_scale, not {x.dtype}; compile the model again"
        )
    # The zero point cancels out.
    scale = np.float32(scales(attributes, "in_scale").reshape(()))
    table = np.exp(-np.arange(256, dtype=np.float32) * scale)
    below = x.max(axis, keepdims=True).astype(np.int16) - x
    return np.asarray(table[below])


@operator("softmax", axis=_AXIS, shared=TABLE_ATTRIBUTES)
def _softmax(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """exp(x) over its sum along `axis`."""
    x = inputs[0]
    axis = axis_of(int(attributes.get("axis", -1)), x.ndim)
    if not x.size:
        return [np.zeros(x.shape, np.float32 if x.dtype.kind != "f" else x.dtype)]
    powers = _exponentials(x, axis, attributes)
    real = powers / powers.sum(axis, keepdims=True)
    if "out_scale" not in attributes:
        return [real]
    dtype = str(attributes.get("dtype", "int8"))
    scale = float(scales(attributes, "out_scale").reshape(()))
    return [quantised(real, scale, zero_point(attributes, dtype, "out_zero_point"), dtype)]


@operator("log_softmax", axis=_AXIS)
def _log_softmax(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Logarithm of the softmax along `axis`."""
    x = inputs[0]
    axis = axis_of(int(attributes.get("axis", -1)), x.ndim)
    if not x.size:
        return [x]
    shifted = x - x.max(axis, keepdims=True)
    return [shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))]


@operator(
    "reduce_mean", (1, 2), axes=Attribute("ints", "axes, without an operand; default all"),
    keepdims=_KEEP,
    noop_with_empty_axes=Attribute("int", "1: no axes means nothing is reduced; default 0"),
)  # fmt: skip
def _reduce_mean(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Mean along axes."""
    x = inputs[0]
    axes = inputs[1].reshape(-1).tolist() if len(inputs) > 1 else attributes.get("axes", ())
    if not axes and attributes.get("noop_with_empty_axes"):
        return [x]
    which = tuple(axis_of(int(axis), x.ndim) for axis in axes) if axes else None
    if not x.size:
        raise ShapeError(f"input must have elements, not {list(x.shape)}; compile the model again")
    mean = x.mean(which, keepdims=bool(attributes.get("keepdims", 1)))
    return [np.asarray(mean, x.dtype)]


@operator(
    "argmax", axis=Attribute("int", "axis; default 0"), keepdims=_KEEP,
    select_last_index=Attribute("int", "1 takes the last of equal values; default 0"),
)  # fmt: skip
def _argmax(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """int64 index of the largest value along `axis`, the first of equal ones."""
    x = inputs[0]
    axis = axis_of(int(attributes.get("axis", 0)), x.ndim)
    if attributes.get("select_last_index"):
        found = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis)
    else:
        found = np.argmax(x, axis)
    if attributes.get("keepdims", 1):
        found = np.expand_dims(found, axis)
    return [np.asarray(found, np.int64)]


@operator("batch_norm", 5, epsilon=Attribute("float", "default 1e-5", least=0),
          momentum=Attribute("float", "of no effect"),
          training_mode=Attribute("int", "of no effect"))  # fmt: skip
def _batch_norm(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """(x - mean) / sqrt(var + epsilon) * scale + bias per channel: x, scale, bias, mean, var."""
    x, scale, bias, mean, variance = inputs
    shape = (1, -1) + (1,) * (x.ndim - 2)
    factor = scale / np.sqrt(variance + x.dtype.type(attributes.get("epsilon", 1e-5)))
    shift = bias - mean * factor
    if factor.shape != (x.shape[1],) or shift.shape != factor.shape:
        raise ValueError("parameters do not match the channels")
    return [x * factor.reshape(shape) + shift.reshape(shape)]
