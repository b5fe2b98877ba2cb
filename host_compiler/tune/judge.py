"""Judging trials: what a verdict is, who gives it, and the cycle model as the judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from host_compiler.lower.lowered import Unfit
from host_compiler.lower.target import Target
from vta_pynq.errors import VtaError
from vta_pynq.stream import InstructionStream
from vta_pynq.timing import simulate

__all__ = ["Judge", "ModelJudge", "Task", "Verdict", "guarded", "verdict_on"]

Trial = TypeVar("Trial", bound=Hashable)
_Trial = TypeVar("_Trial", bound=Hashable, contravariant=True)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a trial came to.

    Attributes
    ----------
    cycles, bytes_moved
        By the cycle model; None where the trial cannot be lowered.
    seconds
        Median by a device's clock, where one was asked.
    failure
        Why the trial does not count; empty where it does.
    passing
        Whether another attempt may come to something else: a deadline passed, a process died.
    """

    cycles: int | None
    bytes_moved: int = 0
    seconds: float | None = None
    failure: str = ""
    passing: bool = False

    @property
    def counts(self) -> bool:
        """Whether the trial may be used."""
        return not self.failure and self.cycles is not None

    @property
    def rank(self) -> tuple[float, int, int]:
        """Orders the verdicts of one judge: the best is least."""
        assert self.cycles is not None, "only trials that count are ranked"
        first = self.cycles if self.seconds is None else self.seconds
        return first, self.cycles, self.bytes_moved


class Task(Protocol[_Trial]):
    """Something that trials are of: a layer, whose trials are schedules, or a network.

    Other processes get it pickled.
    """

    def verdict(self, trial: _Trial) -> Verdict:
        """The cycle model's verdict; nothing that a trial can do raises."""


class Judge(Protocol):
    """Judges trials; `name` tells in a database who judged."""

    name: str

    def judge(self, task: Task[Trial], trials: Sequence[Trial]) -> list[Verdict]:
        """One verdict for each trial, in their order."""


class ModelJudge:
    """The cycle model, in this process, one trial after the other and without a deadline."""

    name = "model"

    def judge(self, task: Task[Trial], trials: Sequence[Trial]) -> list[Verdict]:
        """One verdict for each trial, in their order."""
        return [task.verdict(trial) for trial in trials]


def verdict_on(streams: Iterable[InstructionStream], target: Target) -> Verdict:
    """The cycle model's verdict on streams that run one after the other.

    The default profile's timing counts where the target's has no notion of time.
    """
    profile = dataclasses.replace(target.profile, timing=target.timing)
    reports = [simulate(stream, profile) for stream in streams]
    return Verdict(
        sum(report.total_cycles for report in reports),
        sum(sum(report.bytes_moved.values()) for report in reports),
    )


def guarded(work: Callable[[], Verdict]) -> Verdict:
    """What `work` returns, or the failure that it raised."""
    try:
        return work()
    except Unfit:
        return Verdict(None, failure="does not fit")
    except VtaError as error:
        return Verdict(None, failure=f"refused: {error}")
    except Exception as error:
        # A schedule that no search tried before may meet a bug of the lowering. It must cost this
        # trial alone, and is told at the end.
        return Verdict(None, failure=f"bug: {type(error).__name__}: {error}")
