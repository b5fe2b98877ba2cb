"""Scales and zero points of attributes, checked."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Array, Attribute, Attributes
from vta_pynq.errors import ProgramError, ShapeError

__all__ = [
    "AXIS",
    "BYTES",
    "INT8_DTYPES",
    "axis_of",
    "dtype_range",
    "scales",
    "zero_point",
]

INT8_DTYPES = ("int8", "uint8")
BYTES = frozenset(map(np.dtype, INT8_DTYPES))
"""The same as dtypes; asking one for its name takes as long as a small operator."""
AXIS = Attribute("int", "axis that a list of scales runs along; default 1")


def scales(attributes: Attributes, name: str = "scale") -> Array:
    """The attribute as float64, shape () or (n,); positive and finite in float32."""
    value = attributes[name]
    # A step has the same scales at every run, and a small tensor should not wait for numpy.
    values = _scale_array(value if isinstance(value, (int, float)) else tuple(value))
    if values is None:
        raise ProgramError(
            f"{name} must be positive and finite in float32, not {repr(value)[:60]}; "
            "compile the model again"
        )
    return values


@functools.lru_cache(maxsize=1024)
def _scale_array(value: float | tuple[float, ...]) -> Array | None:
    """Read-only; None where a scale is no scale."""
    values = np.array(value, np.float64)
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
    if values.size == 0 or not np.all(np.isfinite(single)) or np.any(single <= 0):
        return None
    values.flags.writeable = False
    return values


def zero_point(attributes: Attributes, dtype: str | np.dtype[Any], name: str = "zero_point") -> int:
    """The attribute (default 0) within the range of `dtype`."""
    value = int(attributes.get(name, 0))
    low, high = dtype_range(dtype)
    if not low <= value <= high:
        raise ProgramError(
            f"{name} must be in {low}..{high} ({dtype}), not {value}; compile the model again"
        )
    return value


@functools.lru_cache(maxsize=64)
def dtype_range(dtype: str | np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    info: Any = np.iinfo(dtype)
    return int(info.min), int(info.max)


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front.

    Raises
    ------
    ShapeError
        The operand has no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(
            f"axis must be in {-rank}..{rank - 1} for {rank} dimensions, not {axis}; "
            "compile the model again"
        )
    return axis % rank
