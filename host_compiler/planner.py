"""Plans for all layers of a model: layers of one form share the search for a schedule."""

from __future__ import annotations

from collections.abc import Mapping

from host_compiler.ir import Graph
from host_compiler.layer import Layer
from host_compiler.layout import LayerTask, Tasks, build_tasks
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.placement import Placement
from host_compiler.progress import Progress
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.search import plan_layer
from host_compiler.tune.book import ScheduleBook
from host_compiler.tune.entry import Entry, TuningKey, key_of
from vta_pynq.errors import CompileError

__all__ = ["DEFAULT_CANDIDATES", "Planner"]

DEFAULT_CANDIDATES = 8
"""Schedules of each layer that the cycle model times."""


class Planner:
    """Plans layers for one target.

    A network that `book` knows gets its schedules from there, otherwise each layer that it knows;
    of all other layers the cycle model times `candidates` schedules each.

    Attributes
    ----------
    notes
        Which schedules of the book were of no use, and why.
    tuned
        Whether any plan of the last call has its schedule from the book.
    measured
        Whether a device's clock chose any of them.
    promised_cycles
        Of the whole network, where the book knows it and all its schedules fit.
    """

    def __init__(
        self, target: Target, candidates: int, progress: Progress, book: ScheduleBook
    ) -> None:
        self._target, self._candidates, self._progress = target, candidates, progress
        self._book = book
        self._searched: dict[str, Schedule] = {}
        self._known: dict[TuningKey, Schedule] = {}
        self.notes: list[str] = []
        self.tuned = self.measured = False
        self.promised_cycles: int | None = None

    def plan(self, graph: Graph, placement: Placement) -> tuple[Tasks, dict[int, LayerPlan]]:
        """Tasks of a placed graph, and the plans of its layers by task number.

        Raises
        ------
        CompileError
            A layer does not fit the target.
        """
        tasks = build_tasks(graph, placement.accelerated, self._target.config)
        layers = {n: t.layer for n, t in enumerate(tasks.tasks) if isinstance(t, LayerTask)}
        keys = self.keys(layers) if self._book else {}
        self._known = self._choices(keys)
        self.tuned, self.measured = bool(self._known), False
        plans = {}
        with self._progress.bar("schedule", len(layers)) as advance:
            for number, layer in layers.items():
                plans[number] = self._plan(layer, keys.get(number))
                advance()
        return tasks, plans

    def keys(self, layers: Mapping[int, Layer]) -> dict[int, TuningKey]:
        """The keys of layers, by their numbers."""
        return {number: key_of(layer, self._target) for number, layer in layers.items()}

    def _choices(self, keys: Mapping[int, TuningKey]) -> dict[TuningKey, Schedule]:
        """The book's schedules for the network of these layers."""
        order = [keys[number] for number in sorted(keys)]
        known = {key.signature: key for key in order}
        entry = self._book.network(order)
        clocked = any(e is not None and e.seconds is not None for e in map(self._book.layer, order))
        self.promised_cycles = None
        if entry is None or clocked or dict(entry.choices).keys() != known.keys():
            return {}
        self.promised_cycles = entry.cycles
        return {known[signature]: schedule for signature, schedule in entry.choices}

    def _plan(self, layer: Layer, key: TuningKey | None) -> LayerPlan:
        if key is None:
            return self._search(layer)
        if key in self._known:
            try:
                return plan_layer(layer, self._target, self._known[key])
            except CompileError:
                self._note(layer, "no longer fits")
                self.promised_cycles = None
                del self._known[key]
        entry = self._book.layer(key)
        if entry is None:
            return self._search(layer)
        plan = self._plan_known(layer, entry)
        self._known[key] = plan.schedule
        return plan

    def _search(self, layer: Layer) -> LayerPlan:
        return plan_layer(layer, self._target, timed=self._candidates, known=self._searched)

    def _plan_known(self, layer: Layer, entry: Entry) -> LayerPlan:
        """The entry's schedule; where it is not what it was, the better of that and a search's."""
        try:
            tuned = plan_layer(layer, self._target, entry.schedule)
        except CompileError:
            self._note(layer, "no longer fits")
            return self._search(layer)
        self.tuned = True
        self.measured |= entry.seconds is not None
        if tuned.estimated_cycles == entry.cycles:
            return tuned
        self._note(
            layer, f"takes {tuned.estimated_cycles} cycles, not {entry.cycles} as when tuned"
        )
        searched = self._search(layer)
        return min(searched, tuned, key=lambda plan: plan.estimated_cycles)

    def _note(self, layer: Layer, what: str) -> None:
        note = f"layer {layer.name}: its tuned schedule {what}; tune the model again"
        if note not in self.notes:
            self.notes.append(note)

    @staticmethod
    def node_cycles(tasks: Tasks, plans: Mapping[int, LayerPlan]) -> dict[str, int]:
        """Estimated cycles of every accelerated node."""
        cycles: dict[str, int] = {}
        for number, plan in plans.items():
            node = tasks.tasks[number].node
            cycles[node] = cycles.get(node, 0) + plan.estimated_cycles
        return cycles
