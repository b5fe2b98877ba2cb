"""Plans for all layers of a model: layers of one form share the search for a schedule."""

from __future__ import annotations

from collections.abc import Mapping

from host_compiler.ir import Graph
from host_compiler.layout import LayerTask, Tasks, build_tasks
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.placement import Placement
from host_compiler.progress import Progress
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.search import plan_layer

__all__ = ["DEFAULT_CANDIDATES", "Planner"]

DEFAULT_CANDIDATES = 8
"""Schedules of each layer that the cycle model times."""


class Planner:
    """Plans layers for one target; the cycle model times `candidates` schedules of each."""

    def __init__(self, target: Target, candidates: int, progress: Progress) -> None:
        self._target, self._candidates, self._progress = target, candidates, progress
        self._schedules: dict[str, Schedule] = {}

    def plan(self, graph: Graph, placement: Placement) -> tuple[Tasks, dict[int, LayerPlan]]:
        """Tasks of a placed graph, and the plans of its layers by task number.

        Raises
        ------
        CompileError
            A layer does not fit the target.
        """
        tasks = build_tasks(graph, placement.accelerated, self._target.config)
        layers = {n: t for n, t in enumerate(tasks.tasks) if isinstance(t, LayerTask)}
        plans = {}
        with self._progress.bar("schedule", len(layers)) as advance:
            for number, task in layers.items():
                plans[number] = plan_layer(
                    task.layer, self._target, timed=self._candidates, known=self._schedules
                )
                advance()
        return tasks, plans

    @staticmethod
    def node_cycles(tasks: Tasks, plans: Mapping[int, LayerPlan]) -> dict[str, int]:
        """Estimated cycles of every accelerated node."""
        cycles: dict[str, int] = {}
        for number, plan in plans.items():
            node = tasks.tasks[number].node
            cycles[node] = cycles.get(node, 0) + plan.estimated_cycles
        return cycles
