"""Reshapes of reshapes, and reshapes that change nothing, go."""

from __future__ import annotations

import dataclasses

from host_compiler.ir import Graph, Node, Reshape
from host_compiler.passes.rename import rename_inputs

__all__ = ["fold_reshapes"]


def fold_reshapes(graph: Graph) -> Graph:
    """Let every Reshape read what the Reshapes before it read; drop those without effect."""
    origin: dict[str, str] = {}
    same: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = rename_inputs(node, same)
        if not isinstance(node, Reshape):
            nodes.append(node)
            continue
        source = origin.get(node.inputs[0], node.inputs[0])
        out = node.outputs[0]
        unchanged = graph.values[source].shape == graph.values[out].shape
        if unchanged and out not in graph.outputs:
            same[out] = source
        else:
            origin[out] = source
            nodes.append(dataclasses.replace(node, inputs=(source,)))
    return Graph(graph.name, graph.values.values(), nodes, graph.inputs, graph.outputs)
