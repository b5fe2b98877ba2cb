"""How the end of a run is seen: by the published design's flag, or the control block's status."""

from __future__ import annotations

from typing import Any, Protocol

from vta_pynq.drivers.blocks import ComputeDriver, FetchDriver
from vta_pynq.drivers.control import ControlDriver
from vta_pynq.errors import HardwareError
from vta_pynq.isa.control_block import HARDWARE_ERRORS

__all__ = ["Completion", "FlagCompletion", "StatusCompletion"]


class Completion(Protocol):
    """What tells that the stream which was submitted last has ended."""

    def arm(self) -> None:
        """A stream is about to be submitted: forget what the one before left."""

    def look(self) -> bool:
        """Whether it has ended; one look at the hardware.

        Raises
        ------
        HardwareError
            The hardware reports an error.
        """

    @property
    def begun(self) -> bool:
        """Whether compute has begun any instruction of it, as far as a look now can tell."""

    @property
    def interrupt(self) -> Any:
        """PYNQ's `Interrupt` that announces it; None where there is none."""

    def listen(self, enable: bool) -> None:
        """Enable the interrupt, or disable it."""

    def announced(self) -> bool:
        """Whether what the interrupt announces has happened."""


class FlagCompletion:
    """The published design: one flag, `done_o` of compute, which is stale when a run starts.

    It keeps the 1 of the run before until compute starts the first instruction of the new run,
    which may itself be waiting for a token. How this is right whatever the timing is described
    in docs/overlays.md, "When is a run finished?".
    """

    def __init__(self, fetch: FetchDriver, compute: ComputeDriver) -> None:
        self._fetch = fetch
        self._compute = compute
        self._fresh = False
        self._begun = False

    def arm(self) -> None:
        """Forget what the run before wrote: from here on the valid bit means the new one."""
        self._compute.take_done_written()
        self._fresh = self._begun = False

    def look(self) -> bool:
        """Whether the flag is up, is known to be the new one, and fetch is free."""
        if not self._fresh and self._compute.take_done_written():
            self._fresh = self._begun = True  # this run wrote the flag at least once
        if not self._compute.done():
            self._fresh = True  # a 0 is never the stale 1
            return False
        # FINISH need not be the last instruction: fetch must be free for the next start.
        return self._fresh and self._fetch.status().idle

    @property
    def begun(self) -> bool:
        """Whether the flag was written."""
        return self._begun or self._compute.take_done_written()

    @property
    def interrupt(self) -> Any:
        """Fetch's, on a design that connects it: all instructions are handed out."""
        return self._fetch.interrupt_output

    def listen(self, enable: bool) -> None:
        """Enable fetch's interrupt, or disable it and clear what is pending."""
        self._fetch.interrupt_when_done(enable)

    def announced(self) -> bool:
        """Whether fetch has handed out all instructions."""
        return self._fetch.status().idle


class StatusCompletion:
    """The own design: a status that FINISH sets and only software clears, and error bits."""

    def __init__(self, control: ControlDriver, fetch: FetchDriver, compute: ComputeDriver) -> None:
        self._control = control
        self._fetch = fetch
        self._compute = compute

    def arm(self) -> None:
        """Clear the status; errors of before stay, for nobody has seen them."""
        self._control.clear_done()
        self._compute.take_done_written()

    def look(self) -> bool:
        """Whether FINISH was executed and fetch is free."""
        state = self._control.state()
        if state.error:
            raise self._error()
        return state.done and self._fetch.status().idle

    def _error(self) -> HardwareError:
        errors = self._control.take_errors()
        facts = "; ".join(f"{module}: {name}: {HARDWARE_ERRORS[name]}" for module, name in errors)
        return HardwareError(
            f"accelerator: instructions must be such as the hardware executes, but it reports "
            f"{facts}; the logic has been reset; run 'vta lint' on the program",
            errors,
        )

    @property
    def begun(self) -> bool:
        """Whether compute wrote its status since the submission."""
        return self._compute.take_done_written()

    @property
    def interrupt(self) -> Any:
        """The control block's, at the end of a run and at an error."""
        return self._control.interrupt_output

    def listen(self, enable: bool) -> None:
        """Enable the interrupt, or disable it."""
        self._control.enable_interrupt(enable)

    def announced(self) -> bool:
        """Whether the run has ended, or an error occurred."""
        state = self._control.state()
        return state.done or state.error
