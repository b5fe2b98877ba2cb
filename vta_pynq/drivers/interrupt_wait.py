"""Sleeping until an interrupt, without trusting that it comes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time

from vta_pynq.drivers.completion import Completion

__all__ = ["InterruptWait"]

_GUARD_S = 1.0
"""How long an interrupt may be waited for without a look whether it was lost."""
_LOST_LIMIT = 2


class InterruptWait:
    """Waits for what the interrupt of `completion` announces.

    pynq delivers interrupts in the event loop that was current when the overlay was loaded. In
    any other they are lost: after some that were, `usable` is false, and polling is better.
    """

    def __init__(self, completion: Completion) -> None:
        self._completion = completion
        self._lost = 0

    @property
    def usable(self) -> bool:
        """Whether the design has an interrupt, and it came when it should have."""
        return self._completion.interrupt is not None and self._lost < _LOST_LIMIT

    async def announced(self, started_s: float, timeout_s: float) -> None:
        """Sleep until the interrupt says that there is something to look at, or the deadline.

        `started_s` is when the deadline's time began, in seconds of `time.monotonic`.
        """
        interrupt = self._completion.interrupt
        self._completion.listen(True)
        try:
            # Enabled first: an end that is not seen here will interrupt. A wake-up may be an
            # old one: the controller keeps the level that it saw.
            while not self._completion.announced():
                left_s = timeout_s - (time.monotonic() - started_s)
                if left_s <= 0:
                    return
                try:
                    await asyncio.wait_for(interrupt.wait(), min(left_s, _GUARD_S))
                except asyncio.TimeoutError:
                    self._lost += left_s > _GUARD_S and self._completion.announced()
        finally:
            self._completion.listen(False)

    def announced_in(
        self, loop: asyncio.AbstractEventLoop, started_s: float, timeout_s: float
    ) -> None:
        """`announced`, for a thread that does not run `loop`; back at once where that cannot."""
        if not loop.is_running():
            return
        coroutine = self.announced(started_s, timeout_s)
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # it was closed this moment
            coroutine.close()
            return
        while not future.done():
            try:
                future.result(_GUARD_S)
            except concurrent.futures.CancelledError:
                return  # the loop was stopped
            except concurrent.futures.TimeoutError:
                # A loop that is blocked, or was stopped without a word, never tells.
                late = time.monotonic() - started_s >= timeout_s
                if late or self._completion.announced():
                    future.cancel()
                    return
