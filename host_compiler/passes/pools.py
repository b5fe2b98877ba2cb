"""MaxPool joins the accelerator step that computes what it reads."""

from __future__ import annotations

import dataclasses

from host_compiler.ir import (
    Accumulate,
    FixedPoint,
    Graph,
    MaxPool,
    Node,
    PoolStage,
    Requant,
    Stage,
    SumPool,
)

__all__ = ["fuse_pools"]


def fuse_pools(graph: Graph) -> Graph:
    """Make a MaxPool a stage of the int8 sum that it alone reads.

    Rescaling, rounding and clipping keep order in each channel, so the maximum may as well be
    taken of the accumulators: where the pool shrinks the image, fewer of them are rescaled.
    """
    readers: dict[str, int] = {}
    for name in (*graph.outputs, *(name for node in graph.nodes for name in node.inputs)):
        readers[name] = readers.get(name, 0) + 1
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        source = nodes.get(node.inputs[0]) if node.inputs else None
        if isinstance(node, MaxPool) and isinstance(source, Accumulate):
            if source.result_dtype == "int8" and readers[node.inputs[0]] == 1:
                del nodes[node.inputs[0]]
                node = _joined(source, node, graph)
        nodes[node.outputs[0]] = node
    return Graph(graph.name, graph.values.values(), nodes.values(), graph.inputs, graph.outputs)


def _joined(source: Accumulate, pool: MaxPool, graph: Graph) -> Accumulate:
    stage = PoolStage(pool.kernel, pool.strides, pool.pads, pool.dilations)
    stages: tuple[Stage, ...] = (*source.stages, stage)
    shrinks = _pixels(graph, pool.outputs[0]) < _pixels(graph, pool.inputs[0])
    if shrinks and _keeps_order(source):
        stages = (*source.stages[:-1], stage, source.stages[-1])
    return dataclasses.replace(
        source,
        name=pool.name,
        outputs=pool.outputs,
        stages=stages,
        source=(*source.source, *pool.source),
    )


def _pixels(graph: Graph, value: str) -> int:
    shape = graph.values[value].shape
    return shape[2] * shape[3]


def _keeps_order(node: Accumulate) -> bool:
    """Whether the node's last stage never maps a larger accumulator to a smaller result."""
    last = node.stages[-1]
    if isinstance(node, SumPool):
        return False  # its rescale depends on the pixel, or is folded into the weights
    if isinstance(last, Requant):
        leak = last.negative_multiplier
        return bool((last.multiplier > 0).all()) and (leak is None or bool((leak >= 0).all()))
    return isinstance(last, FixedPoint) and bool((last.factors >= 0).all())
