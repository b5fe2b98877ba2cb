"""The search: generations of trials, bred from the best so far and sifted by the estimate.

A generation has a fixed size and is made before any of it is judged, so the result depends on the
seed and on what is known at the start, not on how many processes judge or which is done first.
"""

from __future__ import annotations

import dataclasses
import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from host_compiler.schedule.candidates import candidates
from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.entry import schedule_text
from host_compiler.tune.judge import Judge, Verdict
from host_compiler.tune.space import Space
from host_compiler.tune.subject import Subject

__all__ = ["GENERATION", "Outcome", "search"]

GENERATION = 16
"""Trials that are judged together: more processes than that find nothing to do."""
_FIRST = 4
"""The heuristic's candidates that are tried first, whatever is known."""
_PARENTS = 12
_BROOD = 96
"""Schedules that are bred for each generation; the estimate sifts them."""
_BY_ESTIMATE = 10
"""How many of a generation the estimate chooses; chance chooses the others."""
_RANKED = 400
"""The heuristic's candidates that are bred from, by their estimate."""
_PATIENCE = 10
"""Generations without anything better that end the search."""
_CLOSE = 1.0005
"""Cycles over the bound that end it."""

Results = dict[Schedule, Verdict]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes
    ----------
    best, verdict
        The best schedule, and what it was judged to be; None where no trial counted.
    default
        The verdict on the schedule that the compiler would choose.
    tried
        How many trials were judged, without those that were known.
    failures
        Trials that did not count, by reason.
    results
        Every verdict, those that were known included.
    """

    best: Schedule | None
    verdict: Verdict | None
    default: Verdict
    tried: int
    failures: Mapping[str, int]
    results: Mapping[Schedule, Verdict]


def search(
    subject: Subject,
    judge: Judge,
    *,
    trials: int,
    seed: int,
    known: Mapping[Schedule, Verdict] | None = None,
    start: Sequence[Schedule] = (),
    found: Callable[[Mapping[Schedule, Verdict]], None] = lambda verdicts: None,
) -> Outcome:
    """Search the schedules of a layer.

    Parameters
    ----------
    subject, judge
        The layer, and who judges.
    trials
        How many are judged at most. The default schedule is always among them.
    seed
        The same seed, `known` and `start` give the same result.
    known
        Verdicts from before: these schedules are not judged again.
    start
        Schedules to begin with, besides the default and the heuristic's candidates.
    found
        Hears of each generation's verdicts as soon as they are there.
    """
    return _Search(subject, judge, trials, seed, dict(known or {}), found).run(start)


class _Search:
    def __init__(
        self,
        subject: Subject,
        judge: Judge,
        trials: int,
        seed: int,
        known: Results,
        found: Callable[[Mapping[Schedule, Verdict]], None],
    ) -> None:
        self.subject, self.judge, self.trials = subject, judge, max(1, trials)
        self.results, self.found = known, found
        self.space = Space(subject)
        self.chance = random.Random(f"{seed} {subject.key.signature}")
        self.tried = 0
        self.ranked = self._ranked()

    def run(self, start: Sequence[Schedule]) -> Outcome:
        default = self.subject.default
        first = dict.fromkeys(
            (default, *start, *self.ranked[: max(4, GENERATION - 1 - len(start))])
        )
        self._judge(list(first))
        best, patience = self._best(), _PATIENCE
        while self.tried < self.trials and patience and not self._good(best):
            generation = self._generation()
            if not generation:
                break
            self._judge(generation)
            better = self._best()
            patience = _PATIENCE if better != best else patience - 1
            best = better
        failures = Counter(v.failure for v in self.results.values() if not v.counts)
        verdict = None if best is None else self.results[best]
        return Outcome(best, verdict, self.results[default], self.tried, failures, self.results)

    def _judge(self, schedules: Sequence[Schedule]) -> None:
        room = self.trials - self.tried
        new = [s for s in dict.fromkeys(schedules) if s not in self.results][:room]
        verdicts = dict(zip(new, self.judge.judge(self.subject, new), strict=True))
        self.tried += len(new)
        self.results.update(verdicts)
        self.found(verdicts)

    def _best(self) -> Schedule | None:
        order = self._order()
        return order[0] if order else None

    def _order(self) -> list[Schedule]:
        counting = [s for s, verdict in self.results.items() if verdict.counts]
        return sorted(counting, key=lambda s: (self.results[s].rank, schedule_text(s)))

    def _good(self, best: Schedule | None) -> bool:
        """Whether the best is so near the bound that nothing is left to find."""
        verdict = None if best is None else self.results[best]
        if verdict is None or verdict.cycles is None or verdict.seconds is not None:
            return False
        return verdict.cycles <= _CLOSE * self.subject.bound_cycles

    def _ranked(self) -> list[Schedule]:
        """The heuristic's candidates, by their estimate."""
        estimate = self.space.estimator.cycles
        grid = candidates(self.space.estimator)
        scored = ((estimate(s), number, s) for number, s in enumerate(grid))
        return [s for _, _, s in heapq.nsmallest(_RANKED, scored)]

    def _generation(self) -> list[Schedule]:
        """New schedules: most by the estimate, the others by chance."""
        parents = self._order()[:_PARENTS] or [self.subject.default]
        brood: dict[Schedule, float] = {}
        for _ in range(_BROOD):
            child = self._child(parents)
            if child in self.results or child in brood:
                continue
            estimate = self.space.promising(child)
            if estimate is not None:
                brood[child] = estimate
        order = sorted(brood, key=lambda s: (brood[s], schedule_text(s)))
        chosen, others = order[:_BY_ESTIMATE], order[_BY_ESTIMATE:]
        count = min(GENERATION - len(chosen), len(others))
        return chosen + self.chance.sample(others, count)

    def _child(self, parents: Sequence[Schedule]) -> Schedule:
        """A neighbour of a good schedule, a cross of two, or an untried candidate's neighbour."""
        draw = self.chance.random()
        one = parents[min(self.chance.randrange(len(parents)), self.chance.randrange(len(parents)))]
        if draw < 0.65:
            return self.space.neighbour(one, self.chance)
        if draw < 0.85:
            return self.space.crossed(one, self.chance.choice(parents), self.chance)
        if draw < 0.95 and self.ranked:
            return self.chance.choice(self.ranked)
        return self.space.neighbour(self.chance.choice(self.ranked or [one]), self.chance)
