"""Maxima and means of windows and planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import kernels
from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.windows import WINDOW_ATTRIBUTES, window_of
from vta_pynq.errors import ShapeError

_DTYPES = frozenset({np.dtype("float32"), np.dtype("int8"), np.dtype("uint8")})
_CEIL = Attribute("int", "1 lets the last windows reach beyond the padding; default 0")


@operator(
    "max_pool", shared=WINDOW_ATTRIBUTES, ceil_mode=_CEIL,
    storage_order=Attribute("int", "of no effect: there is one result"),
)  # fmt: skip
def _max_pool(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Largest value of every window; padding takes no part. float32, int8 or uint8."""
    x = inputs[0]
    if x.dtype not in _DTYPES:
        raise ShapeError(f"input must be float32, int8 or uint8, not {x.dtype}; convert it")
    window = window_of(x, attributes)
    out = allocate((*x.shape[:2], *window.extent), x.dtype)
    kernels.max_pool(np.ascontiguousarray(x), window, out)
    return [out]


@operator(
    "average_pool", shared=WINDOW_ATTRIBUTES, ceil_mode=_CEIL,
    count_include_pad=Attribute("int", "1 counts the padding as zeros; default 0"),
)  # fmt: skip
def _average_pool(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Mean of every window, float32."""
    x = inputs[0]
    if x.dtype != np.float32:
        raise ShapeError(f"input must be float32, not {x.dtype}; convert it")
    window = window_of(x, attributes)
    out = allocate((*x.shape[:2], *window.extent), x.dtype)
    kernels.sum_pool(np.ascontiguousarray(x), window, out)
    include = bool(attributes.get("count_include_pad", 0))
    out /= window.counts(x.shape[2], x.shape[3], include).astype(np.float32)
    return [out]


def _planes(x: Array) -> tuple[int, ...]:
    if x.ndim < 3 or not x.size:
        raise ShapeError(
            f"input must have 3 or more dimensions and elements, not {list(x.shape)}; "
            "compile the model again"
        )
    return tuple(range(2, x.ndim))


@operator("global_average_pool")
def _global_average(
    inputs: Sequence[Any], attributes: Attributes, allocate: Allocate
) -> list[Array]:
    """Mean of every plane."""
    x = inputs[0]
    return [np.asarray(x.mean(_planes(x), keepdims=True), x.dtype)]


@operator("global_max_pool")
def _global_max(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Largest value of every plane."""
    x = inputs[0]
    return [np.asarray(x.max(_planes(x), keepdims=True))]
