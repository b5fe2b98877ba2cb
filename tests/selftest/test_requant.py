"""The reference meaning of REQUANT against exact integers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from vta_pynq.isa.encode import INSN_DTYPE
from vta_pynq.selftest.requant import operand_places, requantised


def insn(**fields: int) -> np.void:
    record = np.zeros(1, INSN_DTYPE)
    for name, value in {"clip_lo": -128, "clip_hi": 127, **fields}.items():
        record[name] = value
    return record[0]


def edges(bits: int) -> list[int]:
    top = 1 << bits - 1
    return [-top, -top + 1, -129, -128, -2, -1, 0, 1, 2, 127, 128, top - 2, top - 1]


def in_width(value: int, bits: int) -> int:
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@pytest.mark.parametrize("shift", [0, 1, 2, 8, 15, 16, 30, 31])
def test_requantised_equals_exact_rounding_of_the_quotient(shift: int) -> None:
    factors = [-32768, -32767, -1, 0, 1, 3, 32767]
    grid = list(itertools.product(edges(32), edges(32)[::3], factors))
    x, bias, factor = (np.array(column, np.int64) for column in zip(*grid, strict=True))
    found = requantised(insn(use_bias=1, use_mul=1, shift=shift), x, bias, factor, 32)
    for value, add, times, got in zip(*(a.tolist() for a in (x, bias, factor, found)), strict=True):
        exact = Fraction(in_width(value + add, 32) * times, 1 << shift)
        half_up = floor(exact + Fraction(1, 2)) if shift else int(exact)
        assert got == min(max(half_up, -128), 127), (value, add, times)


def test_requantised_multiplier_is_the_low_16_bits() -> None:
    x, factor = np.array([3, 3, 3]), np.array([0x10002, 0x8000, 0xFFFF])
    wide = insn(use_mul=1, shift=0)
    assert requantised(wide, x, None, factor, 32).tolist() == [6, -128, -3]


def test_requantised_where_the_bounds_cross_gives_the_upper_one() -> None:
    x = np.array([-100, 0, 100])
    assert requantised(insn(clip_lo=50, clip_hi=20), x, None, None, 32).tolist() == [20, 20, 20]


def test_operand_places_follow_the_flags_and_wrap_at_the_depth() -> None:
    assert operand_places(insn(), 5, 8) == (None, None)
    assert operand_places(insn(use_bias=1), 5, 8) == (5, None)
    assert operand_places(insn(use_mul=1), 5, 8) == (None, 5)
    assert operand_places(insn(use_bias=1, use_mul=1), 5, 8) == (5, 6)
    assert operand_places(insn(use_bias=1, use_mul=1), 7, 8) == (7, 0)
