"""Ties are rounded as the accelerator rounds them."""

from __future__ import annotations

import dataclasses

from host_compiler.ir import Accumulate, Graph, Node, Requant
from host_compiler.normalise.rescale import rounds_to_even

__all__ = ["legalise_rounding"]


def legalise_rounding(graph: Graph, *, ties_up: bool) -> Graph:
    """Mark the Requants of accelerator nodes that round ties upwards.

    Adding half and shifting right, which is one step of the ALU, rounds ties up; ONNX rounds
    them to even, which takes at least five steps more (docs/quantization.md). With `ties_up`
    every Requant takes the short way; without it those do that cannot go the long way (leaky
    rectifiers, shifts by nothing in some channels, means over windows whose size is no power of
    two). Results then differ from ONNX's by 1 where the exact value lies halfway, and nowhere
    else.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Accumulate):
            stages = tuple(
                dataclasses.replace(stage, rounding="half_up")
                if isinstance(stage, Requant) and (ties_up or not rounds_to_even(stage))
                else stage
                for stage in node.stages
            )
            node = dataclasses.replace(node, stages=stages)
        nodes.append(node)
    return Graph(graph.name, graph.values.values(), nodes, graph.inputs, graph.outputs)
