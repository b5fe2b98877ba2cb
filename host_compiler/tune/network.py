"""A whole network as something to tune: which of its layers' good schedules go well together.

Layers overlap: the next one's weights arrive while the last one's results leave. A schedule that
is best on its own may be worse between its neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from host_compiler.emission import emit
from host_compiler.layout import Tasks
from host_compiler.layout.order import order_tasks
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.entry import TuningKey, schedule_text
from host_compiler.tune.evolution import Outcome
from host_compiler.tune.judge import Judge, Verdict, guarded, verdict_on
from host_compiler.tune.subject import Subject

__all__ = ["Choices", "Network", "choose"]

Choices = tuple[Schedule, ...]
"""A schedule for each distinct layer, in the order of the network's subjects."""

_ALTERNATIVES = 6
"""Schedules of each layer that are tried inside the network, the default one among them."""
_SLOWER = 1.02
"""How much slower than the best an alternative may be on its own."""
_PASSES = 3
"""Times that every layer is looked at; the last ones end as soon as nothing gets better."""


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """The layers of a model in their order, as a task for a judge.

    Attributes
    ----------
    tasks, target
        What is emitted, and for what.
    subjects
        The distinct layers.
    numbers
        Which of them each layer task is, by the task's number.
    """

    tasks: Tasks
    target: Target
    subjects: tuple[Subject, ...]
    numbers: Mapping[int, int]

    @classmethod
    def of(
        cls,
        tasks: Tasks,
        plans: Mapping[int, LayerPlan],
        keys: Mapping[int, TuningKey],
        subjects: Sequence[Subject],
    ) -> Network:
        """The network of planned tasks, whose layers have these keys."""
        place = {subject.key: number for number, subject in enumerate(subjects)}
        target = next(iter(plans.values())).target
        numbers = {number: place[keys[number]] for number in plans}
        return cls(tasks, target, tuple(subjects), numbers)

    def verdict(self, trial: Choices) -> Verdict:
        """The cycle model's verdict on all submissions of the network."""
        return guarded(lambda: self._verdict(trial))

    def _verdict(self, trial: Choices) -> Verdict:
        plans = {}
        for number, which in self.numbers.items():
            layer = self.tasks.tasks[number].layer  # type: ignore[attr-defined]
            prepared = Prepared(layer, self.target, self.subjects[which].most_tiles)
            lowered = Lowered(prepared, trial[which])
            plans[number] = LayerPlan(layer, self.target, trial[which], 0, lowered)
        emitted = emit(self.tasks, order_tasks(self.tasks), plans, self.target, "network")
        streams = () if emitted.kernel is None else emitted.kernel.streams()
        return verdict_on(streams, self.target)


def choose(
    network: Network,
    outcomes: Sequence[Outcome],
    judge: Judge,
    known: Sequence[Choices] = (),
    advance: Callable[[], None] = lambda: None,
) -> tuple[Choices, int, int]:
    """Schedules that go well together: the choices, their cycles, the default schedules' cycles.

    Layer by layer, the largest first, the alternative is taken with which the whole network takes
    the fewest cycles. No alternative is slower on its own than the default. The start is the best
    of the default schedules, the layers' own best, and `known`, so the result is no worse than any.
    """
    subjects = network.subjects
    default = tuple(subject.default for subject in subjects)
    best = tuple(o.best or s.default for o, s in zip(outcomes, subjects, strict=True))
    starts = list(dict.fromkeys((default, best, *known)))
    verdicts = dict(zip(starts, judge.judge(network, starts), strict=True))
    order = sorted(range(len(subjects)), key=lambda n: (-subjects[n].default_cycles, n))
    fine = [s for s in starts if verdicts[s].counts]
    if not fine:
        return default, 0, 0
    chosen = min(fine, key=lambda s: (verdicts[s].rank, starts.index(s)))
    for _ in range(_PASSES):
        before = chosen
        for number in order:
            options = [
                (*chosen[:number], alternative, *chosen[number + 1 :])
                for alternative in _alternatives(subjects[number], outcomes[number])
            ]
            new = [option for option in options if option not in verdicts]
            verdicts |= zip(new, judge.judge(network, new), strict=True)
            counting = [option for option in (chosen, *options) if verdicts[option].counts]
            chosen = min(counting, key=lambda s: (verdicts[s].rank, counting.index(s)))
            advance()
        if chosen == before:
            break
    cycles, plain = verdicts[chosen].cycles, verdicts[default].cycles
    assert cycles is not None
    return chosen, cycles, cycles if plain is None else plain


def _alternatives(subject: Subject, outcome: Outcome) -> list[Schedule]:
    """The default and the best few that differ in more than numbers of slots."""
    least = outcome.verdict.cycles if outcome.verdict is not None else None
    most = subject.default_cycles if least is None else _SLOWER * least
    fine = [
        (verdict.rank, schedule_text(schedule), schedule)
        for schedule, verdict in outcome.results.items()
        if verdict.counts and (verdict.cycles or 0) <= min(most, subject.default_cycles)
    ]
    found = {subject.default: None}
    alike = set()
    for _, _, s in sorted(fine):
        form = s.rows, s.cols, s.blocks, s.group, s.in_blocks, s.channels_outer, s.acc_slots
        if form not in alike and len(found) < _ALTERNATIVES:
            alike.add(form)
            found[s] = None
    return list(found)
