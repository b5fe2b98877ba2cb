"""Scales and zero points of attributes, checked and spread over the axes of an operand."""

from __future__ import annotations

from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Array, Attribute, Attributes
from vta_pynq.errors import ProgramError, ShapeError

__all__ = ["AXIS", "INT8_DTYPES", "axis_of", "dtype_range", "scales", "spread", "zero_point"]

INT8_DTYPES = ("int8", "uint8")
AXIS = Attribute("int", "axis that a list of scales runs along; default 1")


def scales(attributes: Attributes, name: str = "scale") -> Array:
    """The attribute as float64, shape () or (n,); positive and finite."""
    values = np.asarray(attributes[name], np.float64)
    if values.size == 0 or not np.all(np.isfinite(values)) or np.any(values <= 0):
        raise ProgramError(
            f"{name} must be positive and finite, not {attributes[name]!r}; compile the model again"
        )
    return values


def zero_point(attributes: Attributes, dtype: str, name: str = "zero_point") -> int:
    """The attribute (default 0) within the range of `dtype`."""
    value = int(attributes.get(name, 0))
    low, high = dtype_range(dtype)
    if not low <= value <= high:
        raise ProgramError(
            f"{name} must be in {low}..{high} ({dtype}), not {value}; compile the model again"
        )
    return value


def dtype_range(dtype: str) -> tuple[int, int]:
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


def spread(values: Array, attributes: Attributes, shape: tuple[int, ...]) -> Array:
    """Values of shape () or (n,) in the shape that multiplies an operand along `axis`."""
    if values.ndim == 0:
        return values
    axis = axis_of(int(attributes.get("axis", 1)), len(shape))
    if values.shape != (shape[axis],):
        raise ShapeError(
            f"scales must be {shape[axis]} along axis {axis}, not {values.size}; "
            "compile the model again"
        )
    return values.reshape([-1 if number == axis else 1 for number in range(len(shape))])
