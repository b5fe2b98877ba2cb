"""What LOAD and STORE do in a design: rows, elements, bus beats, bursts, padding."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.table import MemType
from vta_pynq.timing.parameters import MoveTiming
from vta_pynq.timing.profiles import HwProfile

__all__ = ["Cycles", "MoveShape"]

Cycles: TypeAlias = npt.NDArray[np.int64]

_ROW_COUNTER_RANGE = 1 << 16  # y_size is 16 bits wide


@dataclasses.dataclass(frozen=True)
class MoveShape:
    """What n LOADs or STOREs of one memory type do in a design: arrays of int64, shape (n,).

    `element` is the bytes of one DRAM element, `start` and `stride` are bytes too; `x`, `y` and
    the pads are elements and rows as the design executes them.
    """

    element: int
    start: Cycles
    stride: Cycles
    x: Cycles
    y: Cycles
    pad_top: Cycles
    pad_bottom: Cycles
    pad_sides: Cycles

    @classmethod
    def of(
        cls,
        records: npt.NDArray[np.void],
        rows: npt.NDArray[np.intp],
        memory: MemType,
        profile: HwProfile,
        element: int,
    ) -> MoveShape:
        """Read the chosen rows of `vta_pynq.isa.INSN_DTYPE`, all of memory type `memory`."""

        def wide(name: str) -> Cycles:
            values: Cycles = records[name][rows].astype(np.int64)
            return values

        x, y = wide("x_size"), wide("y_size")
        top, bottom = wide("y_pad_0"), wide("y_pad_1")
        sides = wide("x_pad_0") + wide("x_pad_1")
        first_row_only = memory is MemType.UOP and not profile.loads_uop_rows
        if first_row_only:
            y = np.minimum(x, 1)
        elif profile.zero_rows_wrap:
            y = np.where((y == 0) & (x > 0), _ROW_COUNTER_RANGE, y)
        ignores_pads = first_row_only or memory is MemType.OUT
        if ignores_pads or (memory is MemType.WGT and not profile.pads_weights):
            top, bottom, sides = top * 0, bottom * 0, sides * 0
        start = wide("dram_base") * element
        return cls(element, start, wide("x_stride") * element, x, y, top, bottom, sides)

    @property
    def elements(self) -> Cycles:
        """Elements moved."""
        return self.x * self.y

    @property
    def data_rows(self) -> Cycles:
        """Rows with data."""
        return np.where(self.x > 0, self.y, 0)

    @property
    def empty_rows(self) -> Cycles:
        """Rows without."""
        return np.where(self.x > 0, 0, self.y)

    @property
    def has_padding(self) -> bool:
        """Whether any of them has."""
        return bool((self.pad_top | self.pad_bottom | self.pad_sides).any())

    @property
    def padded(self) -> Cycles:
        """Zeros written, in elements."""
        width = self.x + self.pad_sides
        padded: Cycles = width * (self.pad_top + self.pad_bottom) + self.y * self.pad_sides
        return padded

    def beats(self, move: MoveTiming, bus_bytes: int) -> Cycles:
        """Bus beats of the payload."""
        if move.packed and self.element < bus_bytes:
            return self.units_touched(bus_bytes)
        return self.elements * -(-self.element // bus_bytes)

    def units_touched(self, unit_bytes: int) -> Cycles:
        """Aligned units of DRAM that the rows touch, summed over rows; `unit_bytes` is 2^k.

        Row starts modulo the unit repeat, so one period of rows stands for all.
        """
        period = max(unit_bytes // self.element, 1)
        total = np.zeros(len(self.x), np.int64)
        rows = self.data_rows
        for k in range(min(period, int(rows.max(initial=0)))):
            offset = (self.start + k * self.stride) % unit_bytes
            touched = (offset + self.x * self.element - 1) // unit_bytes + 1
            total += touched * np.maximum((rows - k + period - 1) // period, 0)
        return total

    def walker_extra(self, idle: int) -> Cycles:
        """Cycles that padding adds where a second unit writes it (Chisel).

        The read command waits a cycle for each row above. From the start until data arrives,
        `idle` cycles and those, a zero can be written each cycle; while data arrives, none. The
        unit goes over the rows without side padding, one a cycle, only on its way to the bottom.
        """
        width = self.x + self.pad_sides
        before = idle + self.pad_top
        top, bottom = width * self.pad_top, width * self.pad_bottom
        early = top + np.where(bottom > 0, self.y, 0)
        late = np.where(
            top > before, early - before + bottom, np.maximum(early + bottom - before, 0)
        )
        late = np.where((top <= before) & (early > before), bottom, late)
        late = np.where(self.pad_sides > 0, np.maximum(self.padded - before, 0), late)
        extra: Cycles = self.pad_top + np.where(self.padded > 0, late, 0)
        return extra
