"""A thread that runs one job after another, and goes away when there is nothing to do."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

__all__ = ["Job", "Worker"]

_IDLE_S = 2.0


class Job:
    """A submitted call. A bare lock, because `threading.Event` costs more than a short run."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._pending = threading.Lock()
        self._pending.acquire()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the call has returned; whether it has."""
        if not self._pending.acquire(timeout=timeout_s):
            return False
        self._pending.release()
        return True

    def run(self) -> None:
        """Make the call."""
        try:
            self._call()
        finally:
            self._pending.release()


class Worker:
    """Runs jobs in order in one daemon thread, which is started when needed.

    Jobs must not raise. The thread ends after two idle seconds, so a worker that nobody stops
    leaks nothing. A forked child starts its own.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self.stopping = False

    def submit(self, call: Callable[[], None]) -> Job:
        """Queue a call."""
        job = Job(call)
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._thread, self._jobs = os.getpid(), None, queue.SimpleQueue()
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
        return job

    def _serve(self) -> None:
        while True:
            try:
                self._jobs.get(timeout=_IDLE_S).run()
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return

    def stop(self, timeout_s: float) -> bool:
        """Let queued jobs finish; whether they did within `timeout_s`."""
        self.stopping = True
        return self.submit(lambda: None).wait(timeout_s)
