"""Judging trials on the workers of a Dask scheduler."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import importlib
import os
import uuid
from collections.abc import Hashable, Sequence
from types import TracebackType
from typing import Any

from host_compiler.lower.target import Target
from host_compiler.tune.judge import Task, Trial, Verdict
from host_compiler.tune.measure import DeviceJudge
from vta_pynq.errors import CompileError

__all__ = ["MeasuringPoolJudge", "PoolJudge"]

DEADLINE_S = 120.0
"""For one trial, as in `host_compiler.tune.workers`; a batch has so much for each of its trials
that a worker gets."""


def _verdict(task: Task[Any], trial: object) -> Verdict:
    return task.verdict(trial)


@dataclasses.dataclass(frozen=True)
class _Measurement:
    """What `DeviceJudge` takes, but for the device, which is the worker's own."""

    target: Target
    overlay: str | None
    repeat: int

    @property
    def key(self) -> tuple[str, str, str | None, int]:
        """Equal for measurements that one judge can do."""
        return self.target.config.name, self.target.profile.name, self.overlay, self.repeat


_JUDGES: dict[tuple[str, str, str | None, int], DeviceJudge] = {}
"""Of this worker: it does one thing at a time, as it has one device."""


def _device_judge(how: _Measurement) -> DeviceJudge:
    if how.key not in _JUDGES:
        while _JUDGES:  # one process at a time has the device
            _JUDGES.popitem()[1].close()
        device = os.environ.get("VTA_DEVICE") or "board"
        judge = DeviceJudge(device, how.target, how.overlay, how.repeat)
        atexit.register(judge.close)
        _JUDGES[how.key] = judge
    return _JUDGES[how.key]


def _measured(how: _Measurement, task: Task[Any], trial: Hashable) -> Verdict:
    return _device_judge(how).judge(task, [trial])[0]


def _facts(how: _Measurement) -> tuple[str, bool, float | None]:
    judge = _device_judge(how)
    return judge.name, judge.simulated, judge.clock_mhz


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

    name: str = "model"

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
            self._submit(shared, trial, f"vta_tune_trial-{run}{number:08x}")
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

    def _submit(self, task: Any, trial: object, key: str) -> Any:
        return self._client.submit(_verdict, task, trial, key=key)

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


class MeasuringPoolJudge(PoolJudge):
    """A judge that measures on the devices of a pool, each trial on one of them.

    Workers need the resource `vta`, and `VTA_DEVICE` where they are not on a board. The boards must
    be of one kind and clock: verdicts of all are compared with each other.

    Parameters
    ----------
    client
        A `distributed.Client`, or the scheduler's address.
    target, overlay, repeat
        As `DeviceJudge` takes them.

    Attributes
    ----------
    name, simulated, clock_mhz
        As those of `DeviceJudge`, of one of the devices.

    Raises
    ------
    CompileError
        Dask distributed is not installed, or there is no scheduler at the address.
    DeviceError
        A worker has no such device or overlay.
    """

    def __init__(
        self,
        client: Any,
        target: Target,
        overlay: str | None = None,
        repeat: int = 5,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        super().__init__(client, deadline_s)
        self._how = _Measurement(target, overlay, repeat)
        facts = self._client.submit(
            _facts, self._how, key=f"vta_tune_facts-{uuid.uuid4().hex}", resources={"vta": 1}
        )
        try:
            self.name, self.simulated, self.clock_mhz = facts.result(timeout=deadline_s)
        except TimeoutError:
            self.close()
            raise CompileError(
                f"pool: a worker with the resource vta must answer within {deadline_s:g} s, and "
                "none does; run 'dask worker ADDRESS --nthreads 1 --resources vta=1' on each board"
            ) from None
        except BaseException:
            self.close()
            raise

    def _submit(self, task: Any, trial: object, key: str) -> Any:
        return self._client.submit(_measured, self._how, task, trial, key=key, resources={"vta": 1})
