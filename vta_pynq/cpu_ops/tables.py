"""Functions of 8-bit values through a table of 256 entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import kernels
from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes
from vta_pynq.cpu_ops.scales import INT8_DTYPES, dtype_range, scales, zero_point
from vta_pynq.errors import ProgramError

__all__ = ["TABLE_ATTRIBUTES", "byte_values", "quantised", "through_table"]

TABLE_ATTRIBUTES = {
    "in_scale": Attribute("float", "the operand holds int8 or uint8 of this scale"),
    "in_zero_point": Attribute("int", "zero point of the operand; default 0"),
    "out_scale": Attribute("float", "scale of the result; float32 without it"),
    "out_zero_point": Attribute("int", "zero point of the result; default 0"),
    "dtype": Attribute("str", "type of a quantised result; default int8", choices=INT8_DTYPES),
}
"""Attributes of functions that also take quantised values."""


def byte_values(attributes: Attributes, dtype: np.dtype[Any]) -> Array:
    """The 256 real values (float32) of bytes 0..255 that hold `dtype` as in_scale says."""
    held = np.arange(256, dtype=np.uint8).view(dtype).astype(np.int32)
    scale = np.float32(scales(attributes, "in_scale").reshape(()))
    shifted: Any = held - zero_point(attributes, dtype, "in_zero_point")
    return np.asarray(shifted.astype(np.float32) * scale)


def quantised(real: Array, scale: float, offset: int, dtype: str) -> Array:
    """round(real / scale) + offset, ties to even, limited to `dtype`; float32 arithmetic."""
    low, high = dtype_range(dtype)
    value = real / np.float32(scale)
    bottom, top = np.float32(low - offset), np.float32(high - offset)
    # NaN becomes the lowest value, as onnxruntime's maximum has it.
    value = np.minimum(np.where(value > bottom, value, bottom), top)
    result: Array = (np.rint(value).astype(np.int32) + offset).astype(dtype)
    return result


def through_table(
    x: Array, function: Callable[[Array], Array], attributes: Attributes, allocate: Allocate
) -> Array:
    """`function` of the real values of x, float32 or quantised as the attributes say."""
    table = function(byte_values(attributes, x.dtype)).astype(np.float32)
    if "out_scale" in attributes:
        scale = float(scales(attributes, "out_scale").reshape(()))
        dtype = str(attributes.get("dtype", "int8"))
        offset = zero_point(attributes, dtype, "out_zero_point")
        table = quantised(table, scale, offset, dtype)
    elif "dtype" in attributes or "out_zero_point" in attributes:
        raise ProgramError(
            "out_scale must be given with dtype or out_zero_point; compile the model again"
        )
    result = allocate(x.shape, table.dtype)
    kernels.look_up(x, table, result)
    return result
