"""AXI-Lite slaves of the simulated device other than the accelerator's blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vta_pynq.isa.registers import AXI_INTC, REGISTER_BYTES
from vta_pynq.sim.mapped import Slave

__all__ = ["AxiInterruptController", "Bus", "RegisterFile", "Traffic"]


_WORD_MASK = (1 << (8 * REGISTER_BYTES)) - 1


class RegisterFile:
    """Registers that hold what was written to them: any block that has no model."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """The last value written, or 0."""
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Keep `value`."""
        self.values[offset] = value & _WORD_MASK


_INTC_REGISTERS = {register.offset: register.name for register in AXI_INTC.registers}
_MASTER = AXI_INTC.register("MER").field("ME").mask
_HARDWARE = AXI_INTC.register("MER").field("HIE").mask


class AxiInterruptController:
    """The AXI interrupt controller in normal mode with level inputs (PG099).

    `output` is called with the level of the interrupt output whenever it changes.
    """

    def __init__(self, output: Callable[[bool], None]) -> None:
        self._output = output
        self._level = False
        self._lines = self._isr = self._ier = self._mer = 0

    def set_line(self, index: int, level: bool) -> None:
        """Drive interrupt input `index`."""
        self._lines = self._lines | 1 << index if level else self._lines & ~(1 << index)
        self._update()

    def _update(self) -> None:
        if self._mer & _HARDWARE:
            self._isr |= self._lines
        level = bool(self._isr & self._ier) and bool(self._mer & _MASTER)
        if level != self._level:
            self._level = level
            self._output(level)

    def read(self, offset: int) -> int:
        """Read a register; those that are write-only or absent read 0."""
        values = {
            "ISR": self._isr,
            "IPR": self._isr & self._ier,
            "IER": self._ier,
            "MER": self._mer,
        }
        return values.get(_INTC_REGISTERS.get(offset, ""), 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register and drive the output accordingly."""
        name = _INTC_REGISTERS.get(offset)
        if name == "IER":
            self._ier = value
        elif name == "IAR":
            self._isr &= ~value
        elif name == "SIE":
            self._ier |= value
        elif name == "CIE":
            self._ier &= ~value
        elif name == "MER":
            self._mer = value & _MASTER | (self._mer | value) & _HARDWARE
        self._update()


class Traffic:
    """One slave behind the bus: accesses one at a time, and counts of them."""

    def __init__(self, slave: Slave, lock: threading.RLock) -> None:
        self.slave = slave
        self.reads = 0
        self.writes = 0
        self._lock = lock

    def read(self, offset: int) -> int:
        """Read the slave."""
        with self._lock:
            self.reads += 1
            return self.slave.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write the slave."""
        with self._lock:
            self.writes += 1
            self.slave.write(offset, value)


class Bus:
    """The address decoder in front of the slaves; addresses and sizes in bytes.

    `lock` is held during every access.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._slaves: list[tuple[int, int, Traffic]] = []

    def attach(self, base: int, size: int, slave: Slave) -> None:
        """Let `slave` answer from `base` on."""
        self._slaves.append((base, size, Traffic(slave, self._lock)))

    @property
    def accesses(self) -> int:
        """Reads and writes so far, of all slaves."""
        return sum(t.reads + t.writes for _, _, t in self._slaves)

    def find(self, address: int, length: int) -> tuple[Slave, int]:
        """The slave that answers for `length` bytes at `address`, and the offset in it.

        Raises
        ------
        RuntimeError
            Nothing answers there; on a board the access would hang or kill the process.
        """
        for base, size, slave in self._slaves:
            if base <= address and address + length <= base + size:
                return slave, address - base
        raise RuntimeError(
            f"bus error: {length} bytes at 0x{address:08x} must lie in one slave of the loaded "
            "design; check the address map in the .hwh file"
        )
