"""Who has the device: one client at a time, for as long as its connection lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vta_pynq.errors import DeviceError

__all__ = ["Sessions"]


class Sessions:
    """At most one holder; what ends a hold calls `released`.

    Clients that never ask to hold the device (PYNQ's own) are let in while nobody holds it.
    """

    def __init__(self, released: Callable[[], None]) -> None:
        self._released = released
        self._guard = threading.Lock()
        self._holder: str | None = None
        self._name = ""
        self._since = 0.0

    def acquire(self, client: str, name: str) -> None:
        """Give the device to a client, without what others left behind.

        Raises
        ------
        DeviceError
            Another one has it; the message says which and since when.
        """
        with self._guard:
            self._check(client)
            if self._holder is not None:  # each hold takes a thread of the server
                raise DeviceError("device: session must hold it once, not again; use one hold")
            self._released()
            self._holder, self._name, self._since = client, name, time.time()

    def release(self, client: str) -> None:
        """End a client's hold, if it has one, and give back what it left behind."""
        with self._guard:
            if self._holder != client:
                return
            self._holder = None
            self._released()

    def check(self, client: str) -> None:
        """Let a client's call through.

        Raises
        ------
        DeviceError
            Another client holds the device.
        """
        with self._guard:
            self._check(client)

    def _check(self, client: str) -> None:
        if self._holder not in (None, client):
            since = time.strftime("%H:%M:%S", time.localtime(self._since))
            raise DeviceError(
                f"device: must be free, but {self._name} has had it since {since}; "
                "wait until it closes its overlay, or stop it"
            )
