"""Decide by cost where each node runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np

from host_compiler.ir import Accumulate, CpuOp, FixedPoint, Graph, Node, Reshape
from host_compiler.layer import TensorRef
from host_compiler.layout.fallback import cpu_form
from host_compiler.layout.storage import image_shape
from host_compiler.normalise import LAYER_NODES, NotExact, make_layer
from host_compiler.placement.costs import cpu_cycles, packing_cycles
from vta_pynq.config import HwConfig
from vta_pynq.errors import CompileError

__all__ = ["Decision", "Placement", "place_nodes", "weigh_islands"]

Where = Literal["accelerator", "processor", "nothing to do"]


@dataclasses.dataclass(frozen=True)
class Decision:
    """Where a node runs, and why."""

    where: Where
    reason: str


@dataclasses.dataclass(frozen=True)
class Placement:
    """A decision for every node, by its name."""

    decisions: Mapping[str, Decision]

    @property
    def accelerated(self) -> frozenset[str]:
        """The nodes that become layers."""
        return frozenset(n for n, d in self.decisions.items() if d.where == "accelerator")

    def moved(self, nodes: Iterable[str], reason: str) -> Placement:
        """The same with these nodes on the processor."""
        moved = {name: Decision("processor", reason) for name in nodes}
        return Placement({**self.decisions, **moved})


def place_nodes(graph: Graph, config: HwConfig) -> Placement:
    """The placement with everything on the accelerator that it can do.

    Raises
    ------
    CompileError
        Neither side can do a node.
    """
    return Placement({node.name: _first_decision(node, graph, config) for node in graph.nodes})


def _first_decision(node: Node, graph: Graph, config: HwConfig) -> Decision:
    if isinstance(node, Reshape):
        return Decision("nothing to do", "same bytes, other shape")
    if isinstance(node, CpuOp):
        return Decision("processor", f"the accelerator has no {node.op}")
    reason = _obstacle(node, graph, config)
    if reason is None:
        return Decision("accelerator", _merit(node))
    if cpu_form(node, graph) is None:
        raise CompileError(
            f"node {node.name} ({', '.join(node.source) or type(node).__name__}): it must have an "
            f"exact form on the accelerator or the processor, not {reason}; see docs/operators.md"
        )
    return Decision("processor", reason)


def _merit(node: Node) -> str:
    if not isinstance(node, Accumulate):
        return "moves or compares int8 values: exact"
    if not node.stages:
        return "sums are exact; the processor rescales them, the hardware has no multiplication"
    fixed = any(isinstance(stage, FixedPoint) for stage in node.stages)
    return "exact sums, rescaled by " + (
        "a multiplication (within 1)" if fixed else "shifts: exact"
    )


def _obstacle(node: Node, graph: Graph, config: HwConfig) -> str | None:
    """Why a node cannot be a layer; None where it can."""
    if not isinstance(node, LAYER_NODES):
        return f"no layer for {type(node).__name__}"
    values = [graph.values[name] for name in (*node.inputs, *node.outputs)]
    for value in values:
        if image_shape(value.shape) is None:
            return f"{value.name} has {len(value.shape)} dimensions"
        if 0 in value.shape:
            return f"{value.name} is empty"
    refs = {}
    for value in values:
        shape = image_shape(value.shape)
        assert shape is not None
        refs[value.name] = TensorRef(value.name, shape, 0, -(-shape[1] // config.block))
    try:
        make_layer(node, graph, refs, [refs[node.outputs[0]]], config.block)
    except NotExact as error:
        return str(error)
    return None


def islands(graph: Graph, accelerated: Iterable[str]) -> Iterator[list[Node]]:
    """Groups of accelerated nodes that are connected without the processor in between."""
    inside = set(accelerated)
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for node in graph.nodes:
        if node.name in inside or isinstance(node, Reshape):
            for name in (*node.inputs, *node.outputs):
                root[find(name)] = find(node.outputs[0])
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.name in inside:
            groups.setdefault(find(node.outputs[0]), []).append(node)
    yield from groups.values()


def weigh_islands(graph: Graph, placement: Placement, cycles: Mapping[str, int]) -> Placement:
    """Move islands to the processor that are cheaper there, layout changes included.

    `cycles` estimates the accelerated nodes; one in place has none. An island
    stays where any of its nodes has no exact form on the processor.
    """
    result = placement
    for nodes in islands(graph, placement.accelerated):
        forms = [cpu_form(node, graph) for node in nodes]
        if any(form is None for form in forms):
            continue
        boundary = _boundary(graph, nodes)
        here = sum(cycles.get(node.name, 0) for node in nodes) + boundary
        there = 0
        for form in forms:
            assert form is not None
            sizes = [_elements(graph, name) for name in (*form.inputs, *form.outputs)]
            there += cpu_cycles(form.op, sizes)
        if there < here:
            reason = f"{there} cycles here, {here} on the accelerator with {boundary} for packing"
            result = result.moved([node.name for node in nodes], reason)
    return result


def _elements(graph: Graph, name: str) -> int:
    return int(np.prod(graph.values[name].shape, dtype=np.int64))


def _boundary(graph: Graph, nodes: list[Node]) -> int:
    """Cycles to pack what an island reads and unpack what others read of it."""
    made = {name for node in nodes for name in node.outputs}
    names = {node.name for node in nodes}
    total = 0
    for name in sorted({n for node in nodes for n in node.inputs} - made):
        total += packing_cycles(_elements(graph, name), _elements(graph, name))
    for name in sorted(made):
        others = [n for n in graph.consumers(name) if n.name not in names]
        if others or name in graph.outputs:
            total += cpu_cycles("unpack", [2 * _elements(graph, name)])
    return total
