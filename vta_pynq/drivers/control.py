"""The driver of the control block: identity, soft reset, status, interrupt, counters."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import ClassVar

from vta_pynq.config import Capability
from vta_pynq.drivers.registers import RegisterDriver
from vta_pynq.errors import DeviceError
from vta_pynq.isa.control_block import (
    CAPABILITY_BITS,
    CONTROL,
    COUNTERS,
    ERROR_LANE_BITS,
    HARDWARE_ERRORS,
    CounterKind,
)
from vta_pynq.isa.registers import REGISTER_BYTES
from vta_pynq.isa.table import Module

__all__ = [
    "ControlDriver",
    "HardwareCounters",
    "HardwareIdentity",
    "HardwareState",
    "ModuleCounters",
]

_POLL_S = 100e-6
RESET_TIMEOUT_S = 1.0
"""What a soft reset may wait for the end of instructions, in seconds; they take milliseconds."""


def _bit(register: str, field: str) -> int:
    return CONTROL.register(register).field(field).mask


_DONE = _bit("STATUS", "DONE")
_ERROR = _bit("STATUS", "ERROR")
_RUNNING = _bit("STATUS", "RUNNING")
_REQUEST = _bit("RESET", "REQUEST")
_FORCE = _bit("RESET", "FORCE")
_IN_RESET = _bit("RESET", "PENDING") | _bit("RESET", "ACTIVE")
_ENABLES = _bit("INTERRUPT_ENABLE", "DONE") | _bit("INTERRUPT_ENABLE", "ERROR")
_FREEZE = _bit("COUNTER_CONTROL", "FREEZE")
_CLEAR = _bit("COUNTER_CONTROL", "CLEAR")


@dataclasses.dataclass(frozen=True)
class HardwareIdentity:
    """What the hardware says about itself.

    `fingerprint` is that of its configuration, as `HwConfig.fingerprint`; `source` the first
    digits of the commit that it was built from, empty where the build did not tell.
    """

    magic: int
    version: tuple[int, int]
    fingerprint: str
    capabilities: frozenset[Capability]
    source: str

    @property
    def is_ours(self) -> bool:
        """Whether a control block of a version that this software knows answered."""
        expected = CONTROL.register("MAGIC").reset
        return self.magic == expected and self.version[0] == CONTROL.register("VERSION").reset >> 8


@dataclasses.dataclass(frozen=True)
class HardwareState:
    """One look at STATUS."""

    done: bool
    error: bool
    running: bool


@dataclasses.dataclass(frozen=True)
class ModuleCounters:
    """Cycles of one module in runs; `waits` and `pushes` are by token, or queue for fetch."""

    busy: int
    starved: int
    waits: Mapping[str, int]
    pushes: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return self.busy + self.starved + sum(self.waits.values()) + sum(self.pushes.values())


@dataclasses.dataclass(frozen=True)
class HardwareCounters:
    """The counters since they were cleared: cycles from launch to FINISH, over all runs."""

    cycles: int
    modules: Mapping[Module, ModuleCounters]


class ControlDriver(RegisterDriver):
    """The control block of the project's own design."""

    bindto: ClassVar[list[str]] = [CONTROL.vlnv]

    def identity(self) -> HardwareIdentity:
        """Read who the hardware says it is."""
        names = ("MAGIC", "VERSION", "FINGERPRINT_HI", "FINGERPRINT_LO", "CAPABILITIES", "SOURCE")
        magic, version, high, low, capabilities, source = map(self.get, names)
        return HardwareIdentity(
            magic=magic,
            version=(version >> 8 & 0xFF, version & 0xFF),
            fingerprint=f"{high << 8 * REGISTER_BYTES | low:016x}",
            capabilities=frozenset(
                capability for capability, bit in CAPABILITY_BITS.items() if capabilities >> bit & 1
            ),
            source=f"{source:08x}" if source else "",
        )

    # ---- status --------------------------------------------------------------------------

    def state(self) -> HardwareState:
        """Look at STATUS, which changes nothing."""
        value = self.get("STATUS")
        return HardwareState(
            done=bool(value & _DONE), error=bool(value & _ERROR), running=bool(value & _RUNNING)
        )

    def clear_done(self) -> None:
        """Forget that a run has finished, before the next one starts."""
        self.set("STATUS", _DONE)

    def take_errors(self) -> tuple[tuple[str, str], ...]:
        """The errors since they were last taken: module and name of the error bit."""
        value = self.get("ERRORS")
        self.set("ERRORS", value)
        return tuple(
            (module.name.lower(), name)
            for module in Module
            for bit, name in enumerate(HARDWARE_ERRORS)
            if value >> module * ERROR_LANE_BITS + bit & 1
        )

    def enable_interrupt(self, enable: bool) -> None:
        """Let the end of a run, and an error, drive the interrupt, or nothing."""
        self.set("INTERRUPT_ENABLE", _ENABLES if enable else 0)

    # ---- soft reset ----------------------------------------------------------------------

    def reset(self, timeout_s: float = RESET_TIMEOUT_S, *, force: bool = False) -> None:
        """Reset queues, tokens, the four modules and the status; SRAM and counters stay.

        Nothing may access the four modules meanwhile. `force` does not wait until no memory
        access is under way; one that is cut off can hang the bus, which only a download mends.

        Raises
        ------
        DeviceError
            The modules did not come to rest in time; the reset is still pending.
        """
        self.set("RESET", _REQUEST | _FORCE if force else _REQUEST)
        deadline_s = time.monotonic() + timeout_s
        late = False
        while self.get("RESET") & _IN_RESET:
            if late:
                raise DeviceError(
                    f"control: a soft reset must end within {timeout_s:g} s, but waits for "
                    f"{' and '.join(self.holding()) or 'the modules'}; download the overlay again"
                )
            time.sleep(_POLL_S)
            late = time.monotonic() > deadline_s  # one more look after the deadline

    def holding(self) -> tuple[str, ...]:
        """What would hold a soft reset back now: AXI ports and modules."""
        value = self.get("HOLD")
        fields = CONTROL.register("HOLD").fields
        return tuple(field.name.lower() for field in fields if value & field.mask)

    # ---- counters ------------------------------------------------------------------------

    def clear_counters(self) -> None:
        """Set all counters to zero and let them count."""
        self.set("COUNTER_CONTROL", _CLEAR)

    def freeze_counters(self, freeze: bool = True) -> None:
        """Let the counters stand, or count again."""
        self.set("COUNTER_CONTROL", _FREEZE if freeze else 0)

    def counters(self) -> HardwareCounters:
        """Read all counters, frozen meanwhile so that they belong together."""
        frozen = self.get("COUNTER_CONTROL")
        self.freeze_counters()
        try:
            values = {counter: self.get(counter.register) for counter in COUNTERS}
            cycles = self.get("CYCLES_HI") << 8 * REGISTER_BYTES | self.get("CYCLES_LO")
        finally:
            self.set("COUNTER_CONTROL", frozen)

        def of(module: Module, kind: CounterKind) -> dict[str, int]:
            return {
                counter.channel: value
                for counter, value in values.items()
                if counter.module is module and counter.kind is kind
            }

        modules = {
            module: ModuleCounters(
                busy=of(module, CounterKind.BUSY)[""],
                starved=of(module, CounterKind.STARVED)[""],
                waits=of(module, CounterKind.WAIT),
                pushes=of(module, CounterKind.PUSH),
            )
            for module in Module
        }
        return HardwareCounters(cycles, modules)
