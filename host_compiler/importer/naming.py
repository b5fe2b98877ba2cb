"""Outputs carry the names that the ONNX model gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from host_compiler.ir import Accumulate, AddTerm, Graph, Node

__all__ = ["name_outputs"]


def name_outputs(graph: Graph, names: Sequence[str]) -> Graph:
    """Rename the graph's outputs to `names`; a value that holds a name already makes room.

    An output that is an input, or that is there twice, keeps the name it has.
    """
    wanted: dict[str, str] = {}
    for value, name in zip(graph.outputs, names, strict=True):
        if value not in graph.inputs and name not in graph.inputs:
            wanted.setdefault(value, name)
    renames = {value: name for value, name in wanted.items() if value != name}
    for name in list(renames.values()):
        if name in graph.values and name not in renames:
            renames[name] = _unused(f"{name}.held", graph, renames)

    def new(name: str) -> str:
        return renames.get(name, name)

    values = [dataclasses.replace(v, name=new(v.name)) for v in graph.values.values()]
    nodes = [_renamed(node, renames) for node in graph.nodes]
    return Graph(graph.name, values, nodes, graph.inputs, [new(name) for name in graph.outputs])


def _unused(base: str, graph: Graph, renames: dict[str, str]) -> str:
    taken = graph.values.keys() | set(renames.values())
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}.{number}"
    return name


def _renamed(node: Node, renames: dict[str, str]) -> Node:
    if not renames.keys() & {*node.inputs, *node.outputs}:
        return node
    inputs = tuple(renames.get(name, name) for name in node.inputs)
    outputs = tuple(renames.get(name, name) for name in node.outputs)
    if not isinstance(node, Accumulate):
        return dataclasses.replace(node, inputs=inputs, outputs=outputs)
    stages = tuple(
        dataclasses.replace(stage, value=renames.get(stage.value, stage.value))
        if isinstance(stage, AddTerm)
        else stage
        for stage in node.stages
    )
    return dataclasses.replace(node, inputs=inputs, outputs=outputs, stages=stages)
