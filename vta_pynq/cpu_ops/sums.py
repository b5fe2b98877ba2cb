"""Integer sums that the accelerator has too: what the partitioner leaves to the processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.windows import WINDOW_ATTRIBUTES, window_of
from vta_pynq.errors import ProgramError, ShapeError


def _need_bytes(inputs: Sequence[Any]) -> None:
    if any(x.dtype not in (np.int8, np.uint8, np.int32) for x in inputs):
        raise ShapeError("inputs must be int8, uint8 or int32; compile the model again")


@operator(
    "weighted_sum", (1, None),
    coefficients=Attribute("ints", "factor of every operand", required=True),
    zero_points=Attribute("ints", "subtracted from every operand first; default 0"),
)  # fmt: skip
def _weighted_sum(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """int32 sum of coefficient * (x - zero_point) over operands of one shape, modulo 2^32."""
    _need_bytes(inputs)
    factors = attributes["coefficients"]
    offsets = attributes.get("zero_points", [0] * len(inputs))
    if len(factors) != len(inputs) or len(offsets) != len(inputs):
        raise ProgramError(
            f"coefficients and zero_points must be {len(inputs)}, one for each operand, not "
            f"{len(factors)} and {len(offsets)}; compile the model again"
        )
    if len({x.shape for x in inputs}) != 1:
        raise ShapeError("inputs must have one shape, not several; compile the model again")
    total = np.zeros(inputs[0].shape, np.int64)
    for x, factor, offset in zip(inputs, factors, offsets, strict=True):
        total += (x.astype(np.int64) - int(offset)) * int(factor)
    return [total.astype(np.int32)]


@operator(
    "sum_pool", shared=WINDOW_ATTRIBUTES,
    ceil_mode=Attribute("int", "1 lets the last windows reach beyond the padding; default 0"),
    x_zero_point=Attribute("int", "subtracted from every value; default 0"),
)  # fmt: skip
def _sum_pool(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """int32 sum of every window of 8-bit values less the zero point; padding adds nothing."""
    _need_bytes(inputs)
    x = inputs[0].astype(np.int64) - int(attributes.get("x_zero_point", 0))
    return [window_of(x, attributes).views(x, 0).sum((4, 5)).astype(np.int32)]
