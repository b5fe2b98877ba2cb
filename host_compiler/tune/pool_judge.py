"""Judging trials on the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import importlib
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from host_compiler.tune.judge import Task, Trial, Verdict
from vta_pynq.errors import CompileError

__all__ = ["PoolJudge"]

DEADLINE_S = 120.0
"""For one trial, as in `host_compiler.tune.workers`; a batch has so much for each of its trials
that a worker gets."""


def _verdict(task: Task[Any], trial: object) -> Verdict:
    return task.verdict(trial)


def _same(task: Task[Any]) -> Task[Any]:
    return task


class PoolJudge:
    """A judge that asks the cycle model on every worker of a Dask scheduler. A context manager.

    Verdicts come in the order of the trials and do not depend on the workers, which need this
    package with its `compiler` extra. A worker that is lost costs nothing but time; a trial that
    several workers died at, or that is not done in time, fails.

    Parameters
    ----------
    client
        A `distributed.Client`, or the scheduler's address.

    Raises
    ------
    CompileError
        Dask distributed is not installed, or there is no scheduler at the address.
    """

    name = "model"

    def __init__(self, client: Any, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._mine = isinstance(client, str)
        if self._mine:
            try:
                distributed: Any = importlib.import_module("distributed")
                client = distributed.Client(client, timeout=5, set_as_default=False)
            except ImportError as error:
                raise CompileError(
                    f"pool: the package distributed must be installed, not missing ({error}); run "
                    "pip install 'vta-pynq[pool]'"
                ) from None
            except (OSError, ValueError) as error:
                raise CompileError(
                    f"pool: scheduler must answer at {client}, and does not ({error}); run 'dask "
                    "scheduler' there"
                ) from None
        self._client = client

    def __enter__(self) -> PoolJudge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the scheduler, if this judge joined it."""
        if self._mine:
            self._client.close()

    def judge(self, task: Task[Trial], trials: Sequence[Trial]) -> list[Verdict]:
        """One verdict for each trial, in their order."""
        distributed: Any = importlib.import_module("distributed")
        if not trials:
            return []
        run = uuid.uuid4().hex
        shared = self._client.submit(_same, task, key=f"vta_tune_layer-{run}")
        futures = [
            self._client.submit(_verdict, shared, trial, key=f"vta_tune_trial-{run}{number:08x}")
            for number, trial in enumerate(trials)
        ]
        devices = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        deadline_s = self._deadline_s * -(-len(trials) // devices)
        with contextlib.suppress(TimeoutError):  # those that are not done fail below
            for _ in distributed.as_completed(futures, loop=self._client.loop, timeout=deadline_s):
                continue
        try:
            return [self._outcome(future, deadline_s) for future in futures]
        finally:
            self._client.cancel([*futures, shared])

    def _outcome(self, future: Any, deadline_s: float) -> Verdict:
        distributed: Any = importlib.import_module("distributed")
        if not future.done():
            failure = f"took longer than {deadline_s:g} s"
            return Verdict(None, failure=failure, passing=True)
        try:
            verdict: Verdict = future.result()
        except distributed.KilledWorker:
            return Verdict(None, failure="its process died", passing=True)
        return verdict
