"""A thread that runs one job after another, and goes away when there is nothing to do."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

__all__ = ["Worker"]

_IDLE_S = 2.0


class Worker:
    """Runs jobs in order in one daemon thread, which is started when needed.

    The thread ends after two idle seconds, so a worker that nobody stops leaks nothing. A forked
    child starts its own.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.Queue[tuple[Callable[[], None], threading.Event]] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self.stopping = False

    def submit(self, job: Callable[[], None]) -> threading.Event:
        """Queue `job`; the event is set when it has returned or raised."""
        finished = threading.Event()
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._thread, self._jobs = os.getpid(), None, queue.Queue()
            self._jobs.put((job, finished))
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
        return finished

    def _serve(self) -> None:
        while True:
            try:
                job, finished = self._jobs.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            try:
                job()
            finally:
                finished.set()
                del job, finished  # an idle worker keeps nothing alive

    def stop(self, timeout_s: float) -> bool:
        """Let queued jobs finish; whether they did within `timeout_s`."""
        self.stopping = True
        return self.submit(lambda: None).wait(timeout_s)
