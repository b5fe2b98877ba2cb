"""MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, ReduceMean over the image."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Pending, Quantised
from host_compiler.importer.linear import conv_fields
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode
from host_compiler.ir import MaxPool, SumPool
from host_compiler.ir.nodes import pooled_size

__all__: list[str] = []


def _window(graph: GraphBuilder, node: OnnxNode) -> dict[str, Any] | None:
    """Kernel and geometry of a two-dimensional pool, with `ceil_mode` turned into padding."""
    shape, out = graph.shape(node.input(0)), graph.shape(node.outputs[0])
    if len(shape) != 4 or node.attributes.get("storage_order", 0):
        return None
    kernel = node.attributes.get("kernel_shape", shape[2:])
    height, width = (int(k) for k in kernel)
    fields = conv_fields(node, shape[2:], (height, width))
    del fields["group"]
    pads = list(fields["pads"])
    for i in range(2):
        size = pooled_size(
            shape[2 + i],
            (height, width)[i],
            fields["strides"][i],
            pads[i] + pads[2 + i],
            fields["dilations"][i],
        )
        if (out[2 + i] - 1) * fields["strides"][i] - pads[i] >= shape[2 + i]:
            # What such a window holds differs between versions of the standard and runtimes.
            raise refuse(node, "attribute ceil_mode must not give windows of padding alone")
        pads[2 + i] += (out[2 + i] - size) * fields["strides"][i]
    return {**fields, "pads": tuple(pads), "kernel": (height, width)}


@handles("MaxPool")
def max_pool(graph: GraphBuilder, node: OnnxNode) -> None:
    """Maximum over windows, on the integers: quantisation keeps order."""
    found = graph.carrier(node, 0)
    fields = _window(graph, node)
    if not isinstance(found, Quantised) or fields is None or len(node.outputs) > 1:
        on_processor(graph, node)
        return
    shape = graph.shape(node.outputs[0])
    out = graph.int8_value(node.outputs[0], shape, found.scale, found.zero_point)
    graph.append(MaxPool(out, (found.value,), (out,), source=(node.name,), **fields))
    graph.carriers[node.outputs[0]] = dataclasses.replace(found, value=out)


@handles("AveragePool")
def average_pool(graph: GraphBuilder, node: OnnxNode) -> None:
    """Mean over windows: a sum whose scale is divided by the count."""
    found = graph.carrier(node, 0)
    fields = _window(graph, node)
    if not isinstance(found, Quantised) or not found.real or fields is None:
        on_processor(graph, node)
        return
    kernel: tuple[int, int] = fields["kernel"]
    count = kernel[0] * kernel[1]
    if any(fields["pads"]):
        shape = graph.shape(node.input(0))
        pads = tuple(node.attributes.get("pads", (0, 0, 0, 0)))
        counted = bool(node.attributes.get("count_include_pad", 0)) and pads == fields["pads"]
        divisors = None if counted else _divisors(shape[2:], fields)
        if divisors is not None and np.any(divisors != divisors.flat[0]):
            fields["divisors"], count = divisors, 1
        elif divisors is not None:
            count = int(divisors.flat[0])
    _sum(graph, node, found, fields, count)


def _divisors(size: tuple[int, ...], fields: dict[str, Any]) -> np.ndarray[Any, Any]:
    """How many pixels of the image each window holds."""
    counts = []
    for i in range(2):
        starts = (
            np.arange(
                pooled_size(
                    size[i],
                    fields["kernel"][i],
                    fields["strides"][i],
                    fields["pads"][i] + fields["pads"][2 + i],
                    fields["dilations"][i],
                )
            )
            * fields["strides"][i]
            - fields["pads"][i]
        )
        taps = starts[:, None] + np.arange(fields["kernel"][i]) * fields["dilations"][i]
        counts.append(((taps >= 0) & (taps < size[i])).sum(1))
    return np.outer(counts[0], counts[1])


@handles("GlobalAveragePool")
def global_average_pool(graph: GraphBuilder, node: OnnxNode) -> None:
    """Mean over the image."""
    found = graph.carrier(node, 0)
    shape = graph.shape(node.input(0))
    if not isinstance(found, Quantised) or not found.real or len(shape) != 4:
        on_processor(graph, node)
        return
    _sum(graph, node, found, {"kernel": (shape[2], shape[3])}, shape[2] * shape[3])


@handles("GlobalMaxPool")
def global_max_pool(graph: GraphBuilder, node: OnnxNode) -> None:
    """Maximum over the image."""
    max_pool(graph, node)


@handles("ReduceMean")
def reduce_mean(graph: GraphBuilder, node: OnnxNode) -> None:
    """Mean over the image, as global average pooling; other axes on the processor."""
    found = graph.carrier(node, 0)
    shape = graph.shape(node.input(0))
    given = node.attributes.get("axes")
    if given is None and node.input(1):
        given = graph.const(node, 1).tolist()
    axes = sorted(axis % len(shape) for axis in given or range(len(shape)))
    if not isinstance(found, Quantised) or not found.real or len(shape) != 4 or axes != [2, 3]:
        on_processor(graph, node)
        return
    _sum(graph, node, found, {"kernel": (shape[2], shape[3])}, shape[2] * shape[3])


def _sum(
    graph: GraphBuilder, node: OnnxNode, found: Quantised, fields: dict[str, Any], count: int
) -> None:
    graph.carriers[node.outputs[0]] = Pending(
        SumPool,
        (found.value,),
        {"x_zero_point": found.zero_point, **fields},
        np.array(found.scale / count),
        graph.shape(node.outputs[0]),
        (node.name,),
    )
