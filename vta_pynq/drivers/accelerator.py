"""The accelerator: submitting one stream to the four blocks and waiting for its end.

How the end is seen depends on the design: `vta_pynq.drivers.completion`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import numbers
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vta_pynq.drivers.blocks import ComputeDriver, FetchDriver, LoadDriver, StoreDriver
from vta_pynq.drivers.completion import Completion, FlagCompletion, StatusCompletion
from vta_pynq.drivers.control import ControlDriver, HardwareCounters
from vta_pynq.drivers.diagnosis import Observation, Stall, describe
from vta_pynq.drivers.interrupt_wait import InterruptWait
from vta_pynq.errors import DeviceError, DeviceTimeout, VtaError

__all__ = ["Accelerator", "check_timeout"]

_LOG = logging.getLogger("vta_pynq.drivers")

_FIRST_PAUSE_S = 20e-6
_LONGEST_PAUSE_S = 1e-3
_PAUSE_SHARE = 1 / 8
"""A pause is this share of the time waited so far: few polls, and at most an eighth too late."""
_OBSERVE_S = 5e-3
_OBSERVATIONS = 2


def check_timeout(timeout_s: float) -> None:
    """Refuse what is no deadline: without one a stream that hangs would hang its caller.

    Raises
    ------
    DeviceError
        `timeout_s` is no finite number of at least 0.
    """
    if not (isinstance(timeout_s, numbers.Real) and 0 <= timeout_s < math.inf):
        raise DeviceError(
            f"accelerator: timeout_s must be a finite number of seconds, at least 0, not "
            f"{timeout_s!r}; give a long one where it does not matter"
        )


class Accelerator:
    """Runs one stream at a time on the blocks of one loaded overlay.

    Parameters
    ----------
    fetch, load, compute, store
        The drivers of the blocks.
    reset_logic
        Brings the logic back to its state after a download.
    explain_stall
        Says why a stream, the instructions as an (n, 2) uint64 array, cannot finish; None where
        it sees no reason.
    check_usable
        Raises `DeviceError` where the logic no longer is what the drivers were made for.
    control
        The driver of the control block, of a design that has one.

    Attributes
    ----------
    lock
        Re-entrant; whoever submits and waits in separate steps holds it over both.
    prepared_s
        When the blocks were last set up after a download, in seconds of `time.monotonic`.
    submissions
        Streams submitted since then.
    """

    def __init__(
        self,
        fetch: FetchDriver,
        load: LoadDriver,
        compute: ComputeDriver,
        store: StoreDriver,
        reset_logic: Callable[[], None],
        explain_stall: Callable[[npt.NDArray[np.uint64]], Stall | None] | None = None,
        check_usable: Callable[[], None] | None = None,
        control: ControlDriver | None = None,
    ) -> None:
        self.fetch = fetch
        self.load = load
        self.compute = compute
        self.store = store
        self.control = control
        self._completion: Completion = (
            FlagCompletion(fetch, compute)
            if control is None
            else StatusCompletion(control, fetch, compute)
        )
        self._interrupt = InterruptWait(self._completion)
        self.lock = threading.RLock()
        self._reset_logic = reset_logic
        self._explain_stall = explain_stall
        self._check_usable = check_usable
        self.prepared_s = 0.0
        self.submissions = 0
        self._running = False
        self._stream: npt.NDArray[np.uint64] | None = None
        self._count = 0
        self._started_s = 0.0
        self.prepare()

    @property
    def running(self) -> bool:
        """Whether a stream was submitted and not waited for."""
        return self._running

    def check(self) -> None:
        """Refuse where the logic no longer is what the drivers were made for.

        Raises
        ------
        DeviceError
            The overlay was closed, or another one was loaded since.
        """
        if self._check_usable is not None:
            self._check_usable()

    def prepare(self) -> None:
        """Set the blocks up after a download: bases zero, load, compute and store serving."""
        with self.lock:
            for block in (self.load, self.compute, self.store):
                block.prepare()
            self.prepared_s = time.monotonic()
            self.submissions = 0
            self._running = False

    def submit(
        self, insn_phys: int, count: int, stream: npt.NDArray[np.uint64] | None = None
    ) -> None:
        """Start `count` instructions at byte address `insn_phys` and return at once.

        The instructions, and all that they read, must have been flushed. `stream` gives the
        instructions once more, for the explanation of a timeout only; it is not copied.

        Raises
        ------
        DeviceError
            A stream is running, there is no instruction, an address does not fit, or another
            design was loaded since.
        """
        with self.lock:
            if self._running:
                raise DeviceError(
                    "accelerator: a run must have ended before the next is submitted; "
                    "call wait() or reset()"
                )
            if count < 1:
                raise DeviceError(
                    f"accelerator: instruction count must be at least 1, not {count}; "
                    "end every program with FINISH"
                )
            self.check()
            self._completion.arm()
            self._stream, self._count = stream, count
            self._started_s = time.monotonic()
            self.submissions += 1
            self.fetch.submit(insn_phys, count)
            self._running = True

    def finished(self) -> bool:
        """Whether the submitted stream has ended; one look at the hardware, no waiting.

        True where nothing is running.

        Raises
        ------
        HardwareError
            The hardware reports an error; `reset` makes it usable again.
        """
        with self.lock:
            if not self._running:
                return True
            if not self._completion.look():
                return False
            self._running = False
            self._stream = None
            return True

    def wait(self, timeout_s: float = 1.0, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Wait until the submitted stream has ended.

        `timeout_s` counts from the submission. With `loop`, an event loop that another thread
        runs, this one sleeps until the interrupt arrives there, where the design has one;
        otherwise it polls with a growing pause.

        Raises
        ------
        DeviceTimeout
            It did not end in time; the logic has been reset and may be used again.
        VtaError
            The device failed; the logic has been reset and may be used again.
        """
        check_timeout(timeout_s)
        with self.lock:
            try:
                if loop is not None and self._interrupt.usable and not self.finished():
                    self._interrupt.announced_in(loop, self._started_s, timeout_s)
                while not self.finished():
                    time.sleep(self._pause(timeout_s))
            except VtaError:
                self.reset()
                raise

    async def wait_async(self, timeout_s: float = 1.0) -> None:
        """Like `wait`, letting other coroutines run meanwhile.

        Where the design has an interrupt, nothing is polled until it comes: at the end of the
        run on the own design, or when a published one with fetch's interrupt connected has
        handed out all instructions.
        """
        check_timeout(timeout_s)
        try:
            if self._interrupt.usable:
                await self._interrupt.announced(self._started_s, timeout_s)
            while not self.finished():
                await asyncio.sleep(self._pause(timeout_s))
        except VtaError:
            self.reset()
            raise

    def run(
        self,
        insn_phys: int,
        count: int,
        timeout_s: float = 1.0,
        stream: npt.NDArray[np.uint64] | None = None,
    ) -> None:
        """`submit` and `wait`."""
        check_timeout(timeout_s)
        with self.lock:
            self.submit(insn_phys, count, stream)
            self.wait(timeout_s)

    def counters(self) -> HardwareCounters:
        """The counters since `clear_counters`: cycles of runs, and where each module spent them.

        Raises
        ------
        DeviceError
            The design has none.
        """
        return self._counting().counters()

    def clear_counters(self) -> None:
        """Set the counters to zero.

        Raises
        ------
        DeviceError
            The design has none.
        """
        self._counting().clear_counters()

    def _counting(self) -> ControlDriver:
        if self.control is None:
            raise DeviceError(
                "accelerator: the design must have counters, and the published one has none; "
                "load an overlay of design vta1"
            )
        return self.control

    def _pause(self, timeout_s: float) -> float:
        """How long to sleep before the next look.

        Raises
        ------
        DeviceTimeout
            The deadline has passed and a last look, taken after it, saw no end.
        """
        waited_s = time.monotonic() - self._started_s
        left_s = timeout_s - waited_s
        if left_s <= 0:
            # The thread may have been asleep over the deadline: the last look decides.
            if self.finished():
                return 0.0
            raise DeviceTimeout(self._describe_stall(timeout_s))
        pause_s = min(max(waited_s * _PAUSE_SHARE, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        return min(pause_s, left_s)

    # ---- when it does not end ------------------------------------------------------------

    def _observe(self) -> Observation:
        """Look at the blocks a few times: which are still completing instructions?"""
        active: set[str] = set()
        idle = False
        for look in range(_OBSERVATIONS + 1):
            if look:
                time.sleep(_OBSERVE_S)
            idle = self.fetch.status().idle
            for block in (self.load, self.compute, self.store):
                # The first read only clears the bit: it tells of any time before.
                if block.status().done and look:
                    active.add(block.block.name)
        return Observation(
            fetch_idle=idle,
            compute_started=self._completion.begun,
            done_flag=self.compute.done(),
            active=tuple(sorted(active)),
        )

    def _describe_stall(self, timeout_s: float) -> str:
        stall = None
        if self._explain_stall is not None and self._stream is not None:
            stall = self._explain_stall(self._stream)
        return describe(self._observe(), timeout_s, self._count, stall)

    def reset(self) -> None:
        """Bring the logic back to its state after a download and set the blocks up again.

        Queues, tokens and the done flag are new afterwards. A design with a control block has a
        soft reset, which leaves SRAM as it is; where it does not end, and on the published
        design, which has none, the bitstream is downloaded again.
        """
        with self.lock:
            self._running = False
            self._stream = None
            if not self._soft_reset():
                self._reset_logic()
            self.prepare()

    def _soft_reset(self) -> bool:
        """Reset by register; whether that was possible."""
        if self.control is None:
            return False
        try:
            self.check()
            self.control.reset()
        except VtaError as error:  # stuck in a memory access, or the bus itself fails
            _LOG.warning("%s", error)
            return False
        return True
