"""BatchNormalization: an affine map of each channel, folded into the sum before it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.importer.builder import GraphBuilder
from host_compiler.importer.carriers import Pending, Quantised
from host_compiler.importer.fraction import plus_constant
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode
from host_compiler.ir import Conv, ConvTranspose

__all__: list[str] = []

Floats = npt.NDArray[np.float64]


@handles("BatchNormalization")
def batch_normalization(graph: GraphBuilder, node: OnnxNode) -> None:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per channel."""
    found = graph.carrier(node, 0)
    gamma, beta, mean, variance = (graph.const(node, i).astype(np.float64) for i in range(1, 5))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    factor = gamma / np.sqrt(variance + epsilon)
    total: Pending | None = None
    if isinstance(found, Pending) and graph.uses(node.input(0)) == 1:
        total = found
    elif isinstance(found, Quantised) and found.real and len(graph.shape(node.input(0))) == 4:
        total = _each_channel(graph, node, found)
    folded = None
    if total is not None and total.is_linear and not total.stages and not np.any(factor == 0):
        scaled = _scaled(total, factor)
        folded = None if scaled is None else plus_constant(scaled, beta - mean * factor)
    if folded is None:
        on_processor(graph, node)
    else:
        source = (*folded.source, node.name)
        graph.carriers[node.outputs[0]] = dataclasses.replace(folded, source=source)


def _each_channel(graph: GraphBuilder, node: OnnxNode, found: Quantised) -> Pending:
    """A tensor as a depthwise 1x1 convolution with weight 1."""
    shape = graph.shape(node.input(0))
    fields: dict[str, Any] = {
        "weight": np.ones((shape[1], 1, 1, 1), np.int16),
        "bias": None,
        "x_zero_point": found.zero_point,
        "group": shape[1],
    }
    return Pending(Conv, (found.value,), fields, np.array(found.scale), shape, ())


def _scaled(total: Pending, factor: Floats) -> Pending | None:
    """The sum times a factor for each channel; a negative one turns the weights' signs."""
    if total.kind not in (Conv, ConvTranspose) or total.fraction is not None:
        return None
    if total.kind is ConvTranspose and total.fields["group"] != 1:
        return None
    axis = 0 if total.kind is Conv else 1
    sign = np.sign(factor).astype(np.int64)
    shape = [-1 if i == axis else 1 for i in range(4)]
    bias = total.fields["bias"]
    fields = {
        **total.fields,
        "weight": (total.fields["weight"] * sign.reshape(shape)).astype(np.int16),
        "bias": None if bias is None else (bias * sign).astype(np.int32),
    }
    return dataclasses.replace(total, fields=fields, scale=total.scale * np.abs(factor))
