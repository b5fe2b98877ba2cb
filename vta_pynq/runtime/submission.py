"""The accelerator's queue: one user at a time, in the order of asking, always from a clean state.

Designs keep tokens, SRAM and the done flag from one stream to the next, and the published one has
no reset but a download. Streams that pass through here leave no tokens behind; after any other
the logic is reset first.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.drivers.accelerator import Accelerator, check_timeout
from vta_pynq.errors import VtaError
from vta_pynq.runtime.fair import FairPool

__all__ = ["DeviceQueue", "Submission"]


@dataclasses.dataclass(frozen=True)
class Submission:
    """Instructions in flushed memory: `words` at byte address `insn_phys`; `where` for errors."""

    where: str
    insn_phys: int
    words: npt.NDArray[np.uint64]


_GUARD = threading.Lock()
_QUEUES: weakref.WeakKeyDictionary[Any, DeviceQueue] = weakref.WeakKeyDictionary()


class DeviceQueue:
    """The queue of one device; take it from `of`."""

    def __init__(self) -> None:
        self._turn = FairPool(object(), name="accelerator")
        self._last: tuple[int, float, int] | None = None
        self._last_s = 0.0

    @classmethod
    def of(cls, device: Any) -> DeviceQueue:
        """The one queue of a pynq device, whatever overlays there are for it."""
        with _GUARD:
            return _QUEUES.setdefault(device, cls())

    def run(
        self,
        accelerator: Accelerator,
        submissions: Sequence[Submission],
        timeout_s: float,
        *,
        unclean: bool = False,
        seconds: list[float] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Run submissions one after the other with nothing of others in between.

        `unclean` says that they leave the logic in a state that only a reset clears. `seconds`
        is given the time of each, from its start until its end was seen. `loop` is an event loop
        in which interrupts may be waited for; see `Accelerator.wait`.

        Raises
        ------
        DeviceError
            `timeout_s` is no deadline, or the overlay is closed; nothing was run.
        DeviceTimeout
            One did not end `timeout_s` after its start; the logic has been reset.
        VtaError
            The device failed; the logic has been reset.
        """
        check_timeout(timeout_s)
        with self._turn.lend(), accelerator.lock:
            accelerator.check()  # before a reset: it would replace another overlay's logic
            if not self._is_clean(accelerator):
                accelerator.reset()
            try:
                for submission in submissions:
                    begin = time.perf_counter()
                    _run_one(accelerator, submission, timeout_s, loop)
                    if seconds is not None:
                        seconds.append(time.perf_counter() - begin)
            finally:
                self._last = None if unclean else _state(accelerator)
                self._last_s = time.monotonic()

    def _is_clean(self, accelerator: Accelerator) -> bool:
        """Whether no stream of others ran since the last of ours, nor still runs."""
        if accelerator.running:
            return False
        new = not accelerator.submissions and accelerator.prepared_s >= self._last_s
        return new or _state(accelerator) == self._last


def _state(accelerator: Accelerator) -> tuple[int, float, int]:
    return id(accelerator), accelerator.prepared_s, accelerator.submissions


def _run_one(
    accelerator: Accelerator,
    submission: Submission,
    timeout_s: float,
    loop: asyncio.AbstractEventLoop | None,
) -> None:
    before = accelerator.submissions
    try:
        accelerator.submit(submission.insn_phys, len(submission.words), submission.words)
        accelerator.wait(timeout_s, loop)
    except VtaError as error:
        if accelerator.submissions > before:  # started, and not reset by `wait`
            accelerator.reset()
        # The same exception, with the place in front: its class says what the caller can do.
        error.args = (f"{submission.where}: {error}", *error.args[1:])
        raise
    except BaseException:
        # Interrupted while the accelerator works on memory that the caller may now give back.
        accelerator.reset()
        raise
