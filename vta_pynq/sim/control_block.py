"""Register-exact model of the control block (`hls/rtl/vta_control.v`) of the own design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import (
    CONTROL,
    COUNTERS,
    ERROR_LANE_BITS,
    control_parameters,
)
from vta_pynq.isa.register_types import REGISTER_BYTES, Access, IpBlock
from vta_pynq.isa.table import Module
from vta_pynq.sim.run_log import CYCLES, RunLog

__all__ = ["ControlModel", "ControlOwner"]

_LARGEST = (1 << 8 * REGISTER_BYTES) - 1


def _bit(register: str, field: str) -> int:
    return CONTROL.register(register).field(field).mask


_REQUEST = _bit("RESET", "REQUEST")
_PENDING = _bit("RESET", "PENDING")
_DONE = _bit("STATUS", "DONE")
_ERROR = _bit("STATUS", "ERROR")
_RUNNING = _bit("STATUS", "RUNNING")
_FREEZE = _bit("COUNTER_CONTROL", "FREEZE")
_CLEAR = _bit("COUNTER_CONTROL", "CLEAR")
_ENABLES = _bit("INTERRUPT_ENABLE", "DONE") | _bit("INTERRUPT_ENABLE", "ERROR")


class ControlOwner(Protocol):
    """What the block asks of the design that it belongs to; with the design locked."""

    def access(self) -> None:
        """A register is about to be accessed."""

    def request_reset(self) -> None:
        """RESET.REQUEST was written."""

    @property
    def reset_pending(self) -> bool:
        """Whether a reset waits for the end of a run."""

    @property
    def working(self) -> tuple[Module, ...]:
        """The modules that execute something."""


class ControlModel:
    """The registers of the control block.

    A reset never shows as active: it takes less time than an access. FORCE hurries nothing,
    because a run of an engine cannot be cut off; see docs/overlays.md.

    Parameters
    ----------
    owner
        The design.
    built
        The configuration that the hardware says it was built with.
    log
        Where runs are counted.

    Attributes
    ----------
    irq
        Called with the level of the interrupt output whenever it may have changed.
    frozen
        Whether runs are not to be counted.
    """

    def __init__(self, owner: ControlOwner, built: HwConfig, log: RunLog) -> None:
        self.block: IpBlock = CONTROL
        self.irq: Callable[[bool], None] = lambda level: None
        self.frozen = False
        self._owner = owner
        self._log = log
        self._done = self._running = False
        self._errors = self._enables = 0
        self._fixed: Mapping[str, int] = {
            **{r.name: r.reset for r in CONTROL.registers if r.access is Access.READ_ONLY},
            **control_parameters(built),
        }
        self._by_offset = {register.offset: register.name for register in CONTROL.registers}
        self._counters = {counter.register for counter in COUNTERS}
        self._errors_mask = sum(field.mask for field in CONTROL.register("ERRORS").fields)

    # ---- what the design tells -----------------------------------------------------------

    def launch(self) -> None:
        """Fetch asks for instructions."""
        self._running = self._running or not self._done

    def finish(self) -> None:
        """Compute executed FINISH."""
        self._done, self._running = True, False
        self._drive()

    def report(self, errors: Mapping[Module, int]) -> None:
        """Modules met errors: bits of `HARDWARE_ERRORS` by module."""
        for module, bits in errors.items():
            self._errors |= bits << module * ERROR_LANE_BITS
        self._drive()

    def reset(self) -> None:
        """What the soft reset does to the block itself."""
        self._done = self._running = False
        self._errors = 0
        self._drive()

    def _drive(self) -> None:
        self.irq(bool(self._status() & self._enables))

    def _status(self) -> int:
        return (
            (_DONE if self._done else 0)
            | (_ERROR if self._errors else 0)
            | (_RUNNING if self._running else 0)
        )

    # ---- the bus -------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        """Read a register; absent ones read 0."""
        self._owner.access()
        name = self._by_offset.get(offset, "")
        if name == "STATUS":
            return self._status()
        if name == "ERRORS":
            return self._errors
        if name == "INTERRUPT_ENABLE":
            return self._enables
        if name == "RESET":
            return _PENDING if self._owner.reset_pending else 0
        if name == "HOLD":
            return sum(_bit("HOLD", module.name) for module in self._owner.working)
        if name == "COUNTER_CONTROL":
            return _FREEZE if self.frozen else 0
        if name in self._counters:
            return min(self._log.totals().get(name, 0), _LARGEST)
        if name in ("CYCLES_LO", "CYCLES_HI"):
            cycles = self._log.totals().get(CYCLES, 0)
            return cycles & _LARGEST if name == "CYCLES_LO" else cycles >> 8 * REGISTER_BYTES
        return self._fixed.get(name, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register; what is read-only or absent ignores it."""
        self._owner.access()
        name = self._by_offset.get(offset, "")
        if name == "STATUS":
            self._done = self._done and not value & _DONE
        elif name == "ERRORS":
            self._errors &= ~value & self._errors_mask
        elif name == "INTERRUPT_ENABLE":
            self._enables = value & _ENABLES
        elif name == "RESET" and value & _REQUEST:
            self._owner.request_reset()
        elif name == "COUNTER_CONTROL":
            self.frozen = bool(value & _FREEZE)
            if value & _CLEAR:
                self._log.clear()
        self._drive()
