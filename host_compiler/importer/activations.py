"""Rectifiers: they become clipping bounds and slopes of the rescale that follows."""

from __future__ import annotations

import dataclasses

import numpy as np

from host_compiler.importer.builder import GraphBuilder
from host_compiler.importer.carriers import Pending, QuantConst, Quantised
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode

__all__ = ["pending_input", "set_pending"]


def pending_input(graph: GraphBuilder, node: OnnxNode) -> Pending | None:
    """The first input as a sum that is not rounded yet; None where it is something else.

    That is the result of a convolution, product or addition that nobody else reads, or a
    quantised tensor, of which it makes such a sum.
    """
    found = graph.carrier(node, 0)
    if isinstance(found, Quantised) and found.real:
        return graph.lift(found, graph.shape(node.input(0)), ())
    if isinstance(found, Pending) and graph.uses(node.input(0)) == 1:
        return found
    return None


def set_pending(graph: GraphBuilder, node: OnnxNode, pending: Pending) -> None:
    """Make a sum that is not rounded yet the node's result: it costs no step of its own."""
    source = (*pending.source, node.name)
    graph.carriers[node.outputs[0]] = dataclasses.replace(pending, source=source)


@handles("Relu")
def relu(graph: GraphBuilder, node: OnnxNode) -> None:
    """max(x, 0)."""
    pending = pending_input(graph, node)
    if pending is None:
        on_processor(graph, node)
        return
    low, high = max(pending.low, 0.0), max(pending.high, 0.0)
    set_pending(graph, node, dataclasses.replace(pending, low=low, high=high))


@handles("Clip")
def clip(graph: GraphBuilder, node: OnnxNode) -> None:
    """min(max(x, low), high); of constant integers too, as Brevitas writes narrow ranges."""
    found = graph.carrier(node, 0)
    if isinstance(found, QuantConst) and not found.real:
        limits = np.iinfo(found.dtype)
        bounds = [int(graph.const(node, i + 1, np.int64(limit)).item())
                  for i, limit in enumerate((limits.min, limits.max))]  # fmt: skip
        integers = np.clip(found.integers, bounds[0], bounds[1])
        graph.carriers[node.outputs[0]] = dataclasses.replace(found, integers=integers)
        return
    low = float(graph.const(node, 1, np.float32(-np.inf)).item())
    high = float(graph.const(node, 2, np.float32(np.inf)).item())
    pending = pending_input(graph, node)
    if pending is None or low > high:
        on_processor(graph, node)
        return
    least, most = (min(max(bound, low), high) for bound in (pending.low, pending.high))
    set_pending(graph, node, dataclasses.replace(pending, low=least, high=most))


@handles("LeakyRelu")
def leaky_relu(graph: GraphBuilder, node: OnnxNode) -> None:
    """x for x >= 0, slope * x below."""
    pending = pending_input(graph, node)
    slope = float(np.float32(node.attributes.get("alpha", 0.01)))
    if pending is None or not pending.is_linear or not 0 <= slope <= 1:
        on_processor(graph, node)
        return
    if slope == 0:
        set_pending(graph, node, dataclasses.replace(pending, low=0.0))
    else:
        set_pending(graph, node, dataclasses.replace(pending, leak=slope))
