"""ALU immediates that exceed the field or the portable range, as several that do not."""

from __future__ import annotations

from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import ALU_FORMAT, AluOp
from vta_pynq.timing.profiles import PROFILES

__all__ = ["SHIFT_RANGE", "split_immediate"]

SHIFT_RANGE = (
    max(profile.shift_imm_range[0] for profile in PROFILES.values()),
    min(profile.shift_imm_range[1] for profile in PROFILES.values()),
)
"""Shift amounts that every implementation reads alike (docs/isa.md, "Portable subset")."""

_MAX_ADDS = 16


def _imm_range(config: HwConfig) -> tuple[int, int]:
    field = next(field for field in ALU_FORMAT.fields if field.name == "imm")
    return field.value_range(config)


def split_immediate(config: HwConfig, op: AluOp, imm: int) -> list[int]:
    """Immediates that, applied one after the other, do what `imm` means.

    Shifts beyond the accumulator's width give its sign, or 0 to the left.

    Raises
    ------
    KernelError
        The operation with that immediate is not a short sequence of legal ones.
    """
    if op == AluOp.SHR:
        return _shifts(config.acc_width, imm)
    low, high = _imm_range(config)
    if low <= imm <= high:
        return [imm]
    if op == AluOp.ADD and low * _MAX_ADDS <= imm <= high * _MAX_ADDS:
        step = high if imm > 0 else low
        count, rest = divmod(imm, step)
        return [step] * count + ([rest] if rest else [])
    limit = f" ({low * _MAX_ADDS}..{high * _MAX_ADDS} by repetition)" if op == AluOp.ADD else ""
    raise KernelError(
        f"ALU {op.name}: imm must be in {low}..{high}{limit}, not {imm}; load the constant into "
        "the accumulator and use the register form"
    )


def _shifts(acc_width: int, amount: int) -> list[int]:
    left, right = SHIFT_RANGE
    amount = max(-acc_width, min(acc_width - 1, amount))
    parts = []
    while not left <= amount <= right:
        step = left if amount < 0 else right
        parts.append(step)
        amount -= step
    return [*parts, amount] if amount or not parts else parts
