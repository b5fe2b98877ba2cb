"""Judging by a device's clock: every trial runs there, and its output is compared bit by bit."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np

from host_compiler.lower.target import Target
from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.database import SIMULATED
from host_compiler.tune.judge import Task, Trial, Verdict, verdict_on
from host_compiler.tune.subject import Subject
from host_compiler.tune.trial_program import (
    expected,
    idle_program,
    random_feeds,
    standalone,
    trial_program,
)
from vta_pynq.errors import DeviceError
from vta_pynq.program import Program

__all__ = ["WRONG", "DeviceJudge", "Runner"]

WRONG = "wrong output"
"""How the failures of trials begin whose output was not what the layer computes."""

_START_S = 120.0
"""For loading the overlay."""
_TIMEOUT_S = 60.0
"""For one run on the device: a board takes a hundredth of a second, csim many."""
_SLACK_S = 60.0
"""For everything around the runs of a trial."""
_STOP_S = 5.0
_LEAST_S = 1e-9
"""A layer that is not slower than doing nothing: the clock cannot tell."""
_SEED = 1
"""Of the inputs that every trial gets."""

Answer = dict[str, Any]


class Runner:
    """The process that has the device (`python -m vta_pynq.runtime.trials`).

    Attributes
    ----------
    facts
        Its first answer: device, configuration, profile, clock.

    Raises
    ------
    DeviceError
        There is no such device or overlay, or the process does not answer.
    """

    def __init__(self, device: str, overlay: str) -> None:
        words = [sys.executable, "-m", "vta_pynq.runtime.trials"]
        words += ["--device", device, "--overlay", overlay]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._where = f"device {device!r}"
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.facts = self._answer(_START_S)
            if "error" in self.facts:
                raise DeviceError(self.facts["error"])
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        lines = cast("IO[str]", self._process.stdout)
        with contextlib.suppress(ValueError, OSError):
            for line in lines:
                self._answers.put(line)
        self._answers.put("")

    def _answer(self, timeout_s: float) -> Answer:
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            line = None
        if line:
            return cast("Answer", json.loads(line))
        what = "end" if line == "" else f"be silent for {timeout_s:g} s"
        raise DeviceError(
            f"{self._where}: the process that runs trials must answer, not {what}; see what it "
            "printed, and run 'vta doctor'"
        )

    def ask(self, request: Answer, timeout_s: float) -> Answer:
        """Send a request and wait for its answer.

        Raises
        ------
        DeviceError
            The process ended, or does not answer in time.
        """
        with contextlib.suppress(OSError):  # it ended, which shows as the missing answer
            requests = cast("IO[str]", self._process.stdin)
            requests.write(json.dumps(request) + "\n")
            requests.flush()
        return self._answer(timeout_s)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            cast("IO[str]", self._process.stdin).close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_S)
        cast("IO[str]", self._process.stdout).close()


@dataclasses.dataclass(frozen=True, eq=False)
class _Bench:
    """What all trials of a layer share: the layer alone, files, and the cost of doing nothing."""

    subject: Subject
    feeds: Path
    wanted: Path
    idle_s: float
    idle_cycles: int


class DeviceJudge:
    """Judges by the median time of several runs on a device. A context manager.

    The least time of a program that does nothing with the same tensors is taken off, so what
    counts is the layer's own time. A trial whose output differs anywhere from what the layer
    computes does not count; nor does one that the device fails at.

    Parameters
    ----------
    device
        As `VTA_DEVICE` takes it: `board`, `sim`, `csim`, or a remote one.
    overlay
        Its name; the target's configuration by default.
    target
        What trials are made for; it must be what the overlay holds.
    repeat
        Timed runs of each trial.

    Attributes
    ----------
    name
        The device, for the database; a simulated one says so.
    simulated
        Whether its clock says nothing about hardware.
    clock_mhz
        Of the accelerator; None where it is not known.

    Raises
    ------
    DeviceError
        There is no such device or overlay, or it holds another design than the target.
    """

    def __init__(
        self, device: str, target: Target, overlay: str | None = None, repeat: int = 5
    ) -> None:
        self._device, self._target = device, target
        self._overlay, self._repeat = overlay or target.config.name, repeat
        self._folder = tempfile.TemporaryDirectory(prefix="vta-tune-")
        self._bench: _Bench | None = None
        self._runner: Runner | None = None
        try:
            facts = self._open().facts
            found, wanted = facts["profile"], target.profile.name
            if found != wanted:
                raise DeviceError(
                    f"device {device!r}: profile of overlay {self._overlay} must be the target's, "
                    f"{wanted}, not {found}; pass --target {found}"
                )
        except BaseException:
            self.close()
            raise
        self.simulated = bool(facts["simulated"])
        self.name = (SIMULATED if self.simulated else "") + str(facts["device"])
        self.clock_mhz: float | None = facts["clock_mhz"]

    def __enter__(self) -> DeviceJudge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that has the device, and remove the files of trials."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        self._folder.cleanup()

    def model_error(self, verdict: Verdict) -> float | None:
        """How far the model is off: its time over the measured one, less 1; None if unknown."""
        seconds = verdict.seconds
        if verdict.cycles is None or seconds is None or seconds <= _LEAST_S or not self.clock_mhz:
            return None
        return verdict.cycles / (self.clock_mhz * 1e6) / seconds - 1

    def judge(self, task: Task[Trial], trials: Sequence[Trial]) -> list[Verdict]:
        """One verdict for each trial, in their order."""
        assert isinstance(task, Subject), "only layers are measured"
        return [self._judge(task, cast("Schedule", trial)) for trial in trials]

    def _judge(self, subject: Subject, schedule: Schedule) -> Verdict:
        model = subject.verdict(schedule)
        if not model.counts:
            return model
        if self._bench is None or self._bench.subject.key != subject.key:
            self._bench = self._set_up(subject)
        bench = self._bench
        try:
            answer = self._measure(trial_program(bench.subject.plan(schedule)), bench)
        except DeviceError as error:
            return dataclasses.replace(model, failure=f"device: {error}", passing=True)
        if "error" in answer:
            return dataclasses.replace(model, failure=f"device: {answer['error']}")
        if answer["wrong"]:
            failure = f"{WRONG}: {answer['wrong']} of {answer['values']} values differ"
            return dataclasses.replace(model, failure=failure)
        # The idle program's cycles are in what was taken off.
        saved_s = 0.0 if not self.clock_mhz else bench.idle_cycles / (self.clock_mhz * 1e6)
        seconds = statistics.median(answer["seconds"]) - bench.idle_s + saved_s
        return dataclasses.replace(model, seconds=max(seconds, _LEAST_S))

    def _open(self) -> Runner:
        if self._runner is None:
            self._runner = Runner(self._device, self._overlay)
        return self._runner

    def _measure(self, program: Program, bench: _Bench | None, feeds: Path | None = None) -> Answer:
        """Have a program run; a process that fails at it is replaced."""
        path = Path(self._folder.name) / "trial.vta"
        program.save(path)
        given = feeds if bench is None else bench.feeds
        runner = self._open()
        try:
            request = {
                "program": str(path),
                "feeds": str(given),
                "wanted": None if bench is None else str(bench.wanted),
                "repeat": self._repeat,
                "timeout_s": _TIMEOUT_S,
            }
            return runner.ask(request, _SLACK_S + (self._repeat + 1) * _TIMEOUT_S)
        except DeviceError:
            runner.close()
            self._runner = None
            raise

    def _set_up(self, subject: Subject) -> _Bench:
        """Inputs, the wanted outputs, and the time of an idle program.

        Raises
        ------
        DeviceError
            Not even that one runs.
        """
        block, folder = self._target.config.block, Path(self._folder.name)
        alone = dataclasses.replace(subject, layer=standalone(subject.layer))
        arrays = random_feeds(alone.layer, block, _SEED)
        feeds, wanted = folder / "feeds.npz", folder / "wanted.npz"
        np.savez(feeds, **cast("Any", arrays))
        np.savez(wanted, **cast("Any", expected(alone.layer, arrays, block)))
        idle = idle_program(alone.layer, self._target)
        answer = self._measure(idle, None, feeds)
        if "error" in answer:
            raise DeviceError(answer["error"])
        cycles = verdict_on(idle.streams(), self._target).cycles or 0
        # The least: what disturbs it is not part of what every submission costs.
        return _Bench(alone, feeds, wanted, min(answer["seconds"]), cycles)
