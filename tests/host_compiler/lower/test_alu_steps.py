"""Rescale steps carried out in 32-bit arithmetic equal the rescale they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.layer import Requantise
from host_compiler.layer_reference import _requantise
from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, Range, requantise_steps
from vta_pynq.isa.table import AluOp

_SHIFTS = (-16, 15)


def wrap(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int32).astype(np.int64)


def apply(op: AluOp, acc: np.ndarray, operand: np.ndarray) -> np.ndarray:
    if op == AluOp.SHR:
        assert (operand >= -16).all() or operand.ndim == 0
        right = acc >> np.clip(operand, 0, 31)
        return np.where(operand >= 0, right, wrap(acc << np.clip(-operand, 0, 40)))
    return {
        AluOp.MIN: np.minimum, AluOp.MAX: np.maximum,
        AluOp.ADD: lambda a, b: wrap(a + b),
    }[op](acc, operand)  # fmt: skip


def carry_out(steps: list, acc: np.ndarray) -> np.ndarray:
    aside = np.zeros_like(acc)
    for step in steps:
        if isinstance(step, CopyAside):
            aside = acc.copy()
        elif isinstance(step, Join):
            acc = apply(step.op, acc, aside)
        else:
            assert isinstance(step, AluStep)
            operand = np.asarray(step.operand)
            if operand.ndim:
                operand = operand.reshape(1, -1, 1, 1)
                if step.op == AluOp.SHR:
                    assert operand.min() >= 0 and operand.max() <= _SHIFTS[1]
            if step.aside:
                aside = apply(step.op, aside, operand)
            else:
                acc = apply(step.op, acc, operand)
    return acc


@pytest.mark.parametrize("seed", range(60))
def test_requantise_steps_random_equal_interpreter(seed: int) -> None:
    random = np.random.default_rng(seed)
    channels = 5
    limit = 2 ** int(random.integers(8, 32)) - 1
    acc = random.integers(-limit, limit + 1, (2, channels, 4, 4))
    acc[0, :, 0, 0], acc[0, :, 0, 1] = -limit, limit
    low = int(random.choice([0, -6]))
    shape = () if random.integers(2) else (channels,)
    shifts = random.integers(low, 32 if low == 0 else 12, shape)
    negative = None
    if random.integers(3) == 0 and low == 0:
        negative = random.integers(0, 32, shape)
    zero_point = int(random.integers(-128, 128))
    step = Requantise(shifts, zero_point, -128, 127, negative)
    bounds = np.full(channels, limit, np.int64)
    first, steps, after = requantise_steps(step, Range(-bounds, bounds))
    found = carry_out(steps, wrap(acc + first.reshape(1, -1, 1, 1)))
    wanted = _requantise(step, acc)
    np.testing.assert_array_equal(found, wanted, err_msg=f"seed {seed} {step}")
    assert (after.low.reshape(1, -1, 1, 1) <= wanted).all()
    assert (wanted <= after.high.reshape(1, -1, 1, 1)).all()


def test_requantise_steps_relu_takes_three_passes() -> None:
    bounds = np.full(16, 1 << 20, np.int64)
    first, steps, _ = requantise_steps(Requantise(np.array(8), 0, 0, 127), Range(-bounds, bounds))
    assert [(s.op, s.operand) for s in steps if isinstance(s, AluStep)] == [
        (AluOp.SHR, 8), (AluOp.MAX, 0), (AluOp.MIN, 127),
    ]  # fmt: skip
    assert (first == 128).all()


def test_requantise_steps_narrow_range_needs_no_clip() -> None:
    bounds = np.full(16, 100, np.int64)
    _, steps, _ = requantise_steps(Requantise(np.array(0), 0, -128, 127), Range(-bounds, bounds))
    assert steps == []
