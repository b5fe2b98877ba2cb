"""Register-exact model of one HLS block: the `ap_ctrl_hs` protocol over AXI-Lite.

What each bit does follows the slave that Vivado HLS 2018.3, the tool of the published
bitstreams, generates: starting sets AP_START until the block takes it, AP_DONE is set by every
completion and cleared by the read that sees it, AP_READY is a pulse of one cycle that a read
practically never meets, and a status bit of an interrupt toggles when 1 is written to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vta_pynq.isa.registers import Access, IpBlock, SideEffect

__all__ = ["BlockOwner", "HlsBlock"]


class BlockOwner(Protocol):
    """What a block tells the design that it belongs to; called with the design locked."""

    def access(self) -> None:
        """A register is about to be accessed."""

    def started(self) -> None:
        """AP_START or AUTO_RESTART was written."""


class HlsBlock:
    """The registers of one block.

    Attributes
    ----------
    started, auto_restart
        AP_START and AUTO_RESTART. A block that is started is not idle.
    values
        The data registers by name; the design writes those that are read-only for the bus.
    sources
        What a data register shows, asked when it is read, for those that nobody writes.
    irq
        Called with the level of the interrupt output whenever it may have changed.
    """

    def __init__(self, block: IpBlock, owner: BlockOwner) -> None:
        self.block = block
        self.started = False
        self.auto_restart = False
        self.values = {register.name: 0 for register in block.registers}
        self.sources: dict[str, Callable[[], int]] = {}
        self.irq: Callable[[bool], None] = lambda level: None
        self._owner = owner
        self._done = False
        self._by_offset = {register.offset: register for register in block.registers}
        control = block.register("CTRL")
        self._start_bit = control.field("AP_START").mask
        self._done_bit = control.field("AP_DONE").mask
        self._idle_bit = control.field("AP_IDLE").mask
        self._auto_bit = control.field("AUTO_RESTART").mask
        self._done_interrupt = block.register("IP_IER").field("CHAN0_INT_EN").mask
        self._ready_interrupt = block.register("IP_IER").field("CHAN1_INT_EN").mask

    def read(self, offset: int) -> int:
        """Read a register, clearing what a read clears; absent registers read 0."""
        self._owner.access()
        register = self._by_offset.get(offset)
        if register is None:
            return 0
        if register.name == "CTRL":
            return self._read_control()
        source = self.sources.get(register.name)
        value = self.values[register.name] if source is None else source()
        if register.access is Access.WRITE_ONLY:
            return 0
        for field in register.fields:
            if field.side_effect is SideEffect.CLEAR_ON_READ:
                self.values[register.name] &= ~field.mask
        return value

    def _read_control(self) -> int:
        value = (
            (self._start_bit if self.started else self._idle_bit)
            | (self._done_bit if self._done else 0)
            | (self._auto_bit if self.auto_restart else 0)
        )
        self._done = False
        return value

    def write(self, offset: int, value: int) -> None:
        """Write a register; what is read-only or absent ignores it."""
        self._owner.access()
        register = self._by_offset.get(offset)
        if register is None or register.access is Access.READ_ONLY:
            return
        if register.name == "CTRL":
            self.auto_restart = bool(value & self._auto_bit)
            self.started = self.started or bool(value & self._start_bit)
            self._owner.started()
            return
        toggled = 0
        writable = 0
        for field in register.fields:
            if field.side_effect is SideEffect.TOGGLE_ON_WRITE:
                toggled |= field.mask
            elif field.access is not Access.READ_ONLY:
                writable |= field.mask
        kept = self.values[register.name] & ~writable
        self.values[register.name] = (kept ^ value & toggled) | value & writable
        self._drive()

    def complete(self) -> None:
        """The block has finished an invocation: set AP_DONE and status, restart or go idle."""
        self._done = True
        self.started = self.started and self.auto_restart
        enabled = self.values["IP_IER"]
        self.values["IP_ISR"] |= enabled & (self._done_interrupt | self._ready_interrupt)
        self._drive()

    def output(self, name: str, value: int) -> None:
        """The block writes an output register, which sets its valid bit."""
        self.values[name] = value
        self.values[f"{name}_ctrl"] = 1

    def reset(self) -> None:
        """What the block's reset input does."""
        self.started = self.auto_restart = self._done = False
        self.values = dict.fromkeys(self.values, 0)
        self._drive()

    def _drive(self) -> None:
        self.irq(bool(self.values["GIER"] and self.values["IP_ISR"]))
