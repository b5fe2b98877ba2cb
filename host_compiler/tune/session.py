"""Tuning a model: each of its distinct layers, then what that does for the whole network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from host_compiler.compile import PlannedModel, plan_model
from host_compiler.ir import Graph
from host_compiler.lower.target import Target
from host_compiler.planner import DEFAULT_CANDIDATES, Planner
from host_compiler.progress import Progress
from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.book import SHIPPED, ScheduleBook
from host_compiler.tune.database import Database
from host_compiler.tune.entry import Entry, NetworkEntry, key_of, network_key, schedule_text
from host_compiler.tune.evolution import Outcome, search
from host_compiler.tune.judge import Judge, ModelJudge, Verdict
from host_compiler.tune.network import Network, choose
from host_compiler.tune.subject import Subject, describe, subjects_of
from vta_pynq.errors import CompileError

__all__ = ["DEFAULT_TRIALS", "LayerTuning", "Tuning", "tune_graph"]

DEFAULT_TRIALS = 200
"""Trials for each layer: 10 to 30 seconds of one core."""


_KEPT = 12
"""Schedules that a search begins with where their verdicts hold no longer."""


@dataclasses.dataclass(frozen=True, eq=False)
class LayerTuning:
    """What became of one distinct layer of a model."""

    subject: Subject
    outcome: Outcome

    @property
    def layer(self) -> str:
        """In words."""
        return describe(self.subject.layer)

    @property
    def entry(self) -> Entry | None:
        """For a book; None where no trial counted."""
        verdict = self.outcome.verdict
        if self.outcome.best is None or verdict is None or verdict.cycles is None:
            return None
        return Entry(
            self.subject.key, self.layer, self.outcome.best, verdict.cycles, verdict.bytes_moved,
            self.subject.default_cycles,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning:
    """What tuning a model came to.

    Attributes
    ----------
    model
        Its name.
    layers
        The distinct layers, in the model's order.
    network
        Schedules that go well together; None where the model has no layers on the accelerator,
        a clock judged, or the profile has no notion of time.
    notes
        What went wrong on the way.
    """

    model: str
    layers: tuple[LayerTuning, ...]
    network: NetworkEntry | None
    notes: tuple[str, ...]


def tune_graph(
    graph: Graph,
    target: Target,
    judge: Judge,
    database: Database,
    *,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    ties: str = "even",
    progress: bool = False,
) -> Tuning:
    """Search schedules for every distinct layer of a model.

    The search of a layer begins with what `database` and the shipped schedules hold of it; each
    generation's verdicts are in the database before the next is made, so an interrupted run
    loses at most one generation.

    Parameters
    ----------
    graph, target, ties
        As for `host_compiler.compile.compile_graph`.
    judge
        Who says how good a schedule is.
    database
        Where every verdict goes.
    trials
        How many of each layer are judged at most.
    seed
        The same seed and the same database give the same result, whatever the judge's processes.
    progress
        Show progress bars where standard error is a terminal.

    Raises
    ------
    CompileError
        The model or the target is not supported, or an option has no sense.
    ScheduleError
        The database cannot be written.
    """
    if trials < 1:
        raise CompileError(f"option trials: value must be at least 1, not {trials}")
    shown = Progress(progress)
    planner = Planner(target, DEFAULT_CANDIDATES, shown, ScheduleBook())
    planned = plan_model(graph, target, planner, ties)
    subjects = subjects_of(planned.plans[number] for number in sorted(planned.plans))
    shipped = ScheduleBook.load(SHIPPED)
    layers = []
    with shown.bar("trials", trials * len(subjects)) as advance:
        for subject in subjects:
            outcome = _tune(subject, judge, database, shipped, trials, seed, advance)
            layers.append(LayerTuning(subject, outcome))
            for _ in range(trials - outcome.tried):
                advance()
    entry = None
    if layers and judge.name == ModelJudge.name and target.profile.timing is not None:
        with shown.bar("network", len(subjects)) as advance:
            entry = _choose(graph.name or "model", planned, layers, judge, database, advance)
    return Tuning(graph.name or "model", tuple(layers), entry, tuple(_notes(layers)))


def _choose(
    model: str,
    planned: PlannedModel,
    layers: Sequence[LayerTuning],
    judge: Judge,
    database: Database,
    advance: Callable[[], None],
) -> NetworkEntry:
    """Find schedules that go well together, starting from what is known, and keep them."""
    subjects = [layer.subject for layer in layers]
    keys = {number: key_of(plan.layer, plan.target) for number, plan in planned.plans.items()}
    network = Network.of(planned.tasks, planned.plans, keys, subjects)
    order = [keys[number] for number in sorted(keys)]
    known = []
    for book in (ScheduleBook.load(SHIPPED), ScheduleBook((), database.networks())):
        found = book.network(order)
        if found is not None:
            schedules = dict(found.choices)
            known.append(tuple(schedules[subject.key.signature] for subject in subjects))
    chosen, cycles, default = choose(
        network, [layer.outcome for layer in layers], judge, known, advance
    )
    pairs = zip((subject.key.signature for subject in subjects), chosen, strict=True)
    entry = NetworkEntry(network_key(order), model, tuple(sorted(pairs)), cycles, default)
    if any(e.key == entry.key and e.cycles < cycles for e in database.networks()):
        # The search began with these choices and found them slower than they say.
        database.forget(entry.key)
    database.record_network(entry)
    return entry


def _tune(
    subject: Subject,
    judge: Judge,
    database: Database,
    shipped: ScheduleBook,
    trials: int,
    seed: int,
    advance: Callable[[], None],
) -> Outcome:
    hints = database.hints(subject.key, judge.name)
    known = database.trials(subject.key, judge.name)
    entry = shipped.layer(subject.key)
    if entry is not None:
        hints.append(entry.schedule)
    if known and not _holds(subject, known):
        # The lowering or the model has changed since. Good schedules are a start all the same.
        fine = [s for s, verdict in known.items() if verdict.counts]
        hints += sorted(fine, key=lambda s: (known[s].rank, schedule_text(s)))[:_KEPT]
        database.forget(subject.key)
        known = {}
    layer = describe(subject.layer)

    def keep(verdicts: Mapping[Schedule, Verdict]) -> None:
        database.record(subject.key, layer, subject.default_cycles, judge.name, verdicts)
        for _ in verdicts:
            advance()

    return search(
        subject, judge, trials=trials, seed=seed, start=hints, found=keep, known=known
    )  # fmt: skip


def _holds(subject: Subject, known: Mapping[Schedule, Verdict]) -> bool:
    """Whether the best and the default of known verdicts are what the cycle model says today."""
    fine = [s for s, verdict in known.items() if verdict.counts]
    best = sorted(fine, key=lambda s: (known[s].cycles, schedule_text(s)))[:1]
    asked = {*best, subject.default} & known.keys()
    return all(subject.verdict(s).cycles == known[s].cycles for s in asked)


def _notes(layers: Sequence[LayerTuning]) -> list[str]:
    """Failures that somebody should know of."""
    notes = []
    for layer in layers:
        for failure, count in layer.outcome.failures.items():
            if failure != "does not fit":
                notes.append(f"{layer.layer}: {count} trials failed: {failure}")
    return notes
