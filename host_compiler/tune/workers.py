"""Judging in parallel processes, with deadlines; a process that dies costs one trial."""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from host_compiler.tune.judge import Task, Trial, Verdict

__all__ = ["DEADLINE_S", "Workers"]

DEADLINE_S = 120.0
"""For one trial; one takes about a tenth of a second."""
_STOP_S = 2.0
_ATTEMPTS = 2

Done = tuple[int, Verdict]


def _serve(pipe: Connection) -> None:
    """Judge what comes until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    task: Task[Any] | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            kind, content = pipe.recv()
            if kind == "task":
                task = content
                continue
            assert task is not None, "a trial follows its task"
            pipe.send(task.verdict(content))


class _Worker:
    """A process and what it is at."""

    def __init__(self) -> None:
        # Not fork: the caller may have threads, onnxruntime's among them.
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.task: Task[Any] | None = None
        self.trial: int | None = None
        self.until_s = 0.0

    def begin(self, task: Task[Any], number: int, trial: object, deadline_s: float) -> None:
        """Hand a trial over."""
        with contextlib.suppress(OSError):  # it died; that shows when it is waited for
            if self.task is not task:
                self.pipe.send(("task", task))
                self.task = task
            self.pipe.send(("trial", trial))
        self.trial, self.until_s = number, time.monotonic() + deadline_s

    def stop(self) -> None:
        """End the process; whatever it does is lost."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_STOP_S)


class Workers:
    """A judge that asks the cycle model in `count` processes. A context manager.

    Verdicts come in the order of the trials, whichever is done first. A trial that takes longer
    than `deadline_s` fails, one whose process died is tried once more in another.
    """

    name = "model"

    def __init__(self, count: int, deadline_s: float = DEADLINE_S) -> None:
        assert count >= 1
        self._count, self._deadline_s = count, deadline_s
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        while self._workers:
            self._workers.pop().stop()

    def judge(self, task: Task[Trial], trials: Sequence[Trial]) -> list[Verdict]:
        """One verdict for each trial, in their order."""
        waiting = collections.deque((number, 0) for number in range(len(trials)))
        verdicts: dict[int, Verdict] = {}
        attempts: dict[int, int] = {}
        while len(self._workers) < min(self._count, len(trials)):
            self._workers.append(_Worker())
        while len(verdicts) < len(trials):
            for worker in self._workers:
                if worker.trial is None and waiting:
                    number, attempts_before = waiting.popleft()
                    attempts[number] = attempts_before + 1
                    worker.begin(task, number, trials[number], self._deadline_s)
            for number, verdict in self._collect():
                if verdict.passing and verdict.failure == _DIED and attempts[number] < _ATTEMPTS:
                    waiting.append((number, attempts[number]))
                else:
                    verdicts[number] = verdict
        return [verdicts[number] for number in range(len(trials))]

    def _collect(self) -> list[Done]:
        """Wait for a verdict, a death or a deadline."""
        busy = {worker.pipe: worker for worker in self._workers if worker.trial is not None}
        left = min(worker.until_s for worker in busy.values()) - time.monotonic()
        done: list[Done] = []
        ready: list[Any] = wait(list(busy), max(0.0, left))
        for pipe in ready:
            worker = busy.pop(pipe)
            number = worker.trial
            assert number is not None
            try:
                done.append((number, pipe.recv()))
                worker.trial = None
            except (EOFError, OSError):
                done.append((number, Verdict(None, failure=_DIED, passing=True)))
                self._replace(worker)
        now = time.monotonic()
        for worker in busy.values():
            if worker.until_s <= now:
                assert worker.trial is not None
                failure = f"took longer than {self._deadline_s:g} s"
                done.append((worker.trial, Verdict(None, failure=failure, passing=True)))
                self._replace(worker)
        return done

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._workers[self._workers.index(worker)] = _Worker()


_DIED = "its process died"
