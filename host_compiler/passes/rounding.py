"""Ties are rounded as the accelerator rounds them."""

from __future__ import annotations

import dataclasses

from host_compiler.ir import Accumulate, Graph, Node, Requant

__all__ = ["round_half_up"]


def round_half_up(graph: Graph) -> Graph:
    """Mark every Requant that is left in an accelerator node as rounding ties upwards.

    The published ALU can only add half and shift (docs/isa.md). Against ONNX, which rounds ties
    to even, results differ by 1 where the exact value lies halfway and nowhere else.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Accumulate):
            stages = tuple(
                dataclasses.replace(stage, rounding="half_up")
                if isinstance(stage, Requant)
                else stage
                for stage in node.stages
            )
            node = dataclasses.replace(node, stages=stages)
        nodes.append(node)
    return Graph(graph.name, graph.values.values(), nodes, graph.inputs, graph.outputs)
