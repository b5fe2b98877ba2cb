"""REQUANT as the reference interpreter means it: docs/isa.md, "REQUANT", word for word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from vta_pynq.selftest.memory import Ints, wrap

__all__ = ["in_order", "operand_places", "requantised"]


def operand_places(insn: np.void, src: Any, depth: int) -> tuple[Any, Any]:
    """The elements that hold bias and multiplier, from the source index; None where unused."""
    bias = src if insn["use_bias"] else None
    factor = None
    if insn["use_mul"]:
        factor = (src + 1) % depth if insn["use_bias"] else src
    return bias, factor


def requantised(insn: np.void, x: Ints, bias: Any, factor: Any, acc_width: int) -> Ints:
    """The result of one micro-op, or of several that are independent.

    Parameters
    ----------
    insn
        The decoded instruction: `use_bias`, `use_mul`, `shift`, `clip_lo`, `clip_hi`.
    x
        Accumulators before the instruction, sign-extended.
    bias, factor
        What the elements of `operand_places` hold, of the shape of `x`; None where unused.
    acc_width
        Bits of an accumulator.
    """
    value = x
    if bias is not None:
        value = wrap(value + bias, acc_width)
    if factor is not None:
        value = value * wrap(factor, 16)  # 48 bits at most
    shift = int(insn["shift"])
    half = 1 << shift - 1 if shift else 0
    value = (value + half) >> shift
    result: Ints = np.minimum(np.maximum(value, int(insn["clip_lo"])), int(insn["clip_hi"]))
    return result


def in_order(
    insn: np.void, dsts: Ints, srcs: Ints, acc: Ints, acc_width: int
) -> Iterator[tuple[int, Ints]]:
    """Destination and result of each micro-op; `acc` must have each before the next is asked for.

    Parameters
    ----------
    dsts, srcs
        The index of every micro-op, in the order of execution.
    acc
        All accumulators, sign-extended, shape (depth, batch, block).
    """
    for dst, src in zip(dsts.tolist(), srcs.tolist(), strict=True):
        bias, factor = (
            None if place is None else acc[place] for place in operand_places(insn, src, len(acc))
        )
        yield dst, requantised(insn, acc[dst], bias, factor, acc_width)
