"""Registers of the processing systems' clocks, as far as PYNQ's `Clocks` reads and writes them.

Zynq-7000: UG585, appendix B. Zynq UltraScale+: UG1087, CRL_APB and CRF_APB. After reset all PLLs
run at the board's `pll_mhz`; what is written is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.boards import Board
from vta_pynq.sim.slaves import RegisterFile

__all__ = ["clock_registers"]

_RANGE_BYTES = 0x1000


@dataclasses.dataclass(frozen=True)
class _Block:
    """A block of registers: the PLLs' control registers in it, and what others hold."""

    base: int
    plls: tuple[int, ...]
    others: Mapping[int, int]


@dataclasses.dataclass(frozen=True)
class _Family:
    """A PLL makes reference x factor / `output_divisor`; the factor lies at bit `factor_bit`."""

    blocks: tuple[_Block, ...]
    factor_bit: int
    output_divisor: int = 1
    divides_bit: int = 0


_ARM_CLK_CTRL_DIVISOR = 2 << 8
_ACPU_CTRL_DIVISOR = 1 << 8
_PLL_DIV2 = 1 << 16

_FAMILIES = {
    "zynq7000": _Family(
        (_Block(0xF8000000, (0x100, 0x104, 0x108), {0x120: _ARM_CLK_CTRL_DIVISOR}),),
        factor_bit=12,
    ),
    "zynqmp": _Family(
        (
            _Block(0xFF5E0000, (0x20, 0x30), {}),  # IOPLL, RPLL
            _Block(0xFD1A0000, (0x20, 0x2C, 0x38), {0x60: _ACPU_CTRL_DIVISOR}),  # APLL, DPLL, VPLL
        ),
        factor_bit=8,
        output_divisor=2,
        divides_bit=_PLL_DIV2,
    ),
}


def clock_registers(board: Board) -> list[tuple[int, int, RegisterFile]]:
    """Base address, bytes and registers of each block that a board's clocks have.

    Raises
    ------
    ConfigError
        Nothing is known of the clocks of its family.
    """
    family = _FAMILIES.get(board.family)
    if family is None:
        known = ", ".join(_FAMILIES)
        raise ConfigError(
            f"board {board.name}: family must be one of {known} to be simulated, not "
            f"{board.family!r}"
        )
    factor = round(board.pll_mhz * family.output_divisor / board.ps_clock_mhz)
    control = factor << family.factor_bit | family.divides_bit
    found = []
    for block in family.blocks:
        registers = RegisterFile()
        registers.values.update({**dict.fromkeys(block.plls, control), **block.others})
        found.append((block.base, _RANGE_BYTES, registers))
    return found
