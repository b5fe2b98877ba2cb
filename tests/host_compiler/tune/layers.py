"""Small layers to tune, and judges that misbehave."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from bench.schedule_layers import ConvShape, conv_layer
from host_compiler.lower import Target
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.search import plan_layer
from host_compiler.tune.judge import ModelJudge, Verdict
from host_compiler.tune.subject import Subject, subjects_of
from vta_pynq.config import HwConfig

SMALL = ConvShape("small", 8, 48, 96, 1, 1)


def subject(shape: ConvShape = SMALL, config: HwConfig | None = None, seed: int = 0) -> Subject:
    """A layer with its default schedule: few candidates, so that there is something to find."""
    plan = plan_layer(conv_layer(shape, seed=seed), Target(config or HwConfig()), timed=1)
    (found,) = subjects_of([plan])
    return found


class CountingJudge(ModelJudge):
    """Counts the trials that it judges, and can be interrupted after some of them."""

    def __init__(self, most: int | None = None) -> None:
        self.judged: list[Schedule] = []
        self.most = most

    def judge(self, task: Subject, trials: Sequence[Schedule]) -> list[Verdict]:
        if self.most is not None and len(self.judged) + len(trials) > self.most:
            raise KeyboardInterrupt
        self.judged += trials
        return super().judge(task, trials)


class OddTask:
    """A task whose trials are words for what the process does."""

    def verdict(self, trial: str) -> Verdict:
        kind, _, rest = trial.partition(" ")
        if kind == "die":
            os._exit(3)
        if kind == "once" and not os.path.exists(rest):
            with open(rest, "x", encoding="ascii"):
                os._exit(3)
        if kind == "sleep":
            time.sleep(float(rest))
        return Verdict(len(trial))
