"""Dead code: nodes and values that no output needs."""

from __future__ import annotations

from host_compiler.ir import Graph

__all__ = ["remove_dead"]


def remove_dead(graph: Graph) -> Graph:
    """Leave out what no graph output depends on; graph inputs stay."""
    needed = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
            needed.update(node.outputs)
    needed.update(graph.inputs)
    values = [value for name, value in graph.values.items() if name in needed]
    return Graph(graph.name, values, kept[::-1], graph.inputs, graph.outputs)
