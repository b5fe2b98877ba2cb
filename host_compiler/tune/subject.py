"""The layers of a model that a tuner works on: one for each key."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

from host_compiler.layer import Layer
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.plan import LayerPlan, layer_kernel_builder
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.bound import bound_of
from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.entry import TuningKey, key_of
from host_compiler.tune.judge import Verdict, guarded, verdict_on

__all__ = ["Subject", "describe", "subjects_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A layer to tune.

    Attributes
    ----------
    key, layer, target
        What it is, and for what.
    most_tiles
        How the layer's terms are split (`Prepared`).
    default, default_cycles
        The schedule that the compiler chooses without a tuner, and its cycles by the model.
    count
        How many layers of the model are like it.
    """

    key: TuningKey
    layer: Layer
    target: Target
    most_tiles: int
    default: Schedule
    default_cycles: int
    count: int = 1

    @functools.cached_property
    def prepared(self) -> Prepared:
        """What follows from the layer whatever the schedule."""
        return Prepared(self.layer, self.target, self.most_tiles)

    @functools.cached_property
    def bound_cycles(self) -> int:
        """What no schedule does better."""
        return bound_of(self.prepared, self.target.timing).cycles

    def plan(self, schedule: Schedule) -> LayerPlan:
        """The layer under a schedule, not timed.

        Raises
        ------
        CompileError
            The schedule does not fit.
        """
        lowered = Lowered(self.prepared, schedule)
        return LayerPlan(self.layer, self.target, schedule, 0, lowered)

    def verdict(self, trial: Schedule) -> Verdict:
        """The cycle model's verdict on the layer on its own under a schedule."""
        return guarded(
            lambda: verdict_on(
                layer_kernel_builder(self.plan(trial)).build().streams(), self.target
            )
        )

    def __getstate__(self) -> dict[str, object]:
        # Workers make what is cached themselves.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def describe(layer: Layer) -> str:
    """A layer in words: its name, what it reads and writes, how many taps it has."""
    reads = ", ".join("x".join(map(str, t.source.shape[1:])) for t in layer.terms) or "nothing"
    writes = "x".join(map(str, layer.outputs[0].shape[1:]))
    taps = sum(len(term.taps) for term in layer.terms)
    return f"{layer.name}: {reads} to {writes}, {taps} taps"


def subjects_of(plans: Iterable[LayerPlan]) -> list[Subject]:
    """The distinct layers among plans that were made without tuned schedules, in their order."""
    found: dict[TuningKey, Subject] = {}
    for plan in plans:
        key = key_of(plan.layer, plan.target)
        known = found.get(key)
        if known is not None:
            found[key] = dataclasses.replace(known, count=known.count + 1)
            continue
        most_tiles = plan.lowered.prepared.most_tiles
        found[key] = Subject(
            key, plan.layer, plan.target, most_tiles, plan.schedule, plan.estimated_cycles
        )
    return list(found.values())
