"""Plans for all layers of a model: layers of one form share the search for a schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping

import numpy as np

from host_compiler.ir import Graph
from host_compiler.layer import Layer, LayerStep, TensorRef, Term
from host_compiler.layout import LayerTask, Tasks, build_tasks
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.placement import Placement
from host_compiler.progress import Progress
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.search import plan_layer
from vta_pynq.errors import CompileError

__all__ = ["Planner", "layer_form"]


class Planner:
    """Plans layers for one target."""

    def __init__(self, target: Target, progress: Progress) -> None:
        self._target, self._progress = target, progress
        self._schedules: dict[Hashable, Schedule] = {}

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
                plans[number] = self._plan(task.layer)
                advance()
        return tasks, plans

    def _plan(self, layer: Layer) -> LayerPlan:
        form = layer_form(layer)
        known = self._schedules.get(form)
        if known is not None:
            try:
                return plan_layer(layer, self._target, known)
            except CompileError:
                pass  # other weights need other element-wise steps, which take more room
        plan = plan_layer(layer, self._target)
        self._schedules[form] = plan.schedule
        return plan

    @staticmethod
    def node_cycles(tasks: Tasks, plans: Mapping[int, LayerPlan]) -> dict[str, int]:
        """Estimated cycles of every accelerated node."""
        cycles: dict[str, int] = {}
        for number, plan in plans.items():
            node = tasks.tasks[number].node
            cycles[node] = cycles.get(node, 0) + plan.estimated_cycles
        return cycles


def layer_form(layer: Layer) -> Hashable:
    """What a layer's schedule depends on: everything but names, weights and biases."""
    sources: dict[str, int] = {}

    def ref(tensor: TensorRef) -> Hashable:
        number = sources.setdefault(tensor.buffer, len(sources))
        return number, tensor.shape, tensor.block_offset, tensor.buffer_blocks

    steps = tuple(_step_form(step, ref) for step in layer.steps)
    return layer.sum_shape, steps, tuple(ref(output) for output in layer.outputs)


def _step_form(step: LayerStep, ref: Callable[[TensorRef], Hashable]) -> Hashable:
    if isinstance(step, Term):
        used = hashlib.sha256(np.packbits(step.used).tobytes()).hexdigest()
        alike = bool((step.tiles == step.tiles[:1, :1, :1]).all())
        return (
            "Term", ref(step.source), step.taps, step.tiles.shape, used, alike, step.zero_point,
            step.step, step.period,
        )  # fmt: skip
    values: list[Hashable] = [type(step).__name__]
    for value in vars(step).values():
        if isinstance(value, np.ndarray):
            values.append((value.ndim, value.ndim > 0 and bool((value == value[0]).all())))
        else:
            values.append(value)
    return tuple(values)
