"""Add and Sub of dequantised tensors: a residual stage, or a weighted sum."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from host_compiler.importer.builder import GraphBuilder
from host_compiler.importer.carriers import Const, Pending, QuantConst, Quantised
from host_compiler.importer.fraction import plus_constant
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode
from host_compiler.ir import AddTerm, Conv, ConvTranspose, WeightedSum

__all__: list[str] = []

_MAX_RATIO = 1 << 16
"""Scales further apart than this leave nothing of the smaller operand."""


def _integer_ratio(large: float, small: float) -> int | None:
    """large / small where that is a whole number, otherwise None."""
    ratio = large / small
    return int(ratio) if ratio == int(ratio) and 1 <= ratio <= _MAX_RATIO else None


@handles("Add", "Sub")
def add(graph: GraphBuilder, node: OnnxNode) -> None:
    """a + b or a - b of one shape, exactly; anything else on the processor."""
    sign = -1 if node.op == "Sub" else 1
    a, b = graph.carrier(node, 0), graph.carrier(node, 1)
    out = graph.shape(node.outputs[0])
    same = graph.shape(node.input(0)) == graph.shape(node.input(1)) == out
    result = _with_constant(graph, node, sign)
    if result is not None:
        pass
    elif same and isinstance(a, Quantised) and isinstance(b, Quantised) and a.real and b.real:
        result = _weighted_sum(graph, node, a, b, sign)
    elif same and isinstance(a, Pending) and isinstance(b, Quantised) and b.real:
        result = _residual(graph, node, 0, a, b, sign)
    elif same and isinstance(b, Pending) and isinstance(a, Quantised) and a.real and sign == 1:
        result = _residual(graph, node, 1, b, a, 1)
    if result is None:
        on_processor(graph, node)
    else:
        graph.carriers[node.outputs[0]] = result


def _with_constant(graph: GraphBuilder, node: OnnxNode, sign: int) -> Pending | None:
    """A sum that has not been rounded yet, plus or minus a constant: part of its bias."""
    for index in (0, 1) if sign == 1 else (0,):
        total, other = graph.carrier(node, index), graph.carrier(node, 1 - index)
        if not isinstance(total, Pending) or not isinstance(other, Const | QuantConst):
            continue
        real = other.array if isinstance(other, Const) else other.to_real()
        channels = _per_channel(real.astype(np.float64), total)
        if not total.is_linear or graph.uses(node.input(index)) != 1 or channels is None:
            continue
        found = plus_constant(total, sign * channels)
        if found is not None:
            return dataclasses.replace(found, source=(*found.source, node.name))
    return None


def _per_channel(real: npt.NDArray[np.float64], total: Pending) -> npt.NDArray[np.float64] | None:
    """A constant operand as one value, or one for each channel of the sum; None otherwise."""
    if real.size == 1 and real.ndim <= len(total.shape):
        return real.reshape(())
    wide = (1,) * (len(total.shape) - real.ndim) + real.shape
    wanted = [1] * len(total.shape)
    wanted[total.channel_axis] = total.channels
    return real.reshape(-1) if list(wide) == wanted else None


def _weighted_sum(
    graph: GraphBuilder, node: OnnxNode, a: Quantised, b: Quantised, sign: int
) -> Pending | None:
    unit = min(a.scale, b.scale)
    ratios = [_integer_ratio(x.scale, unit) for x in (a, b)]
    if ratios[0] is None or ratios[1] is None:
        return None
    shape = graph.shape(node.outputs[0])
    lifted = [graph.lift(x, shape, ()).inputs[0] for x in (a, b)]
    return Pending(
        WeightedSum,
        (lifted[0], lifted[1]),
        {
            "coefficients": (ratios[0], sign * ratios[1]),
            "zero_points": (a.zero_point, b.zero_point),
        },
        np.array(unit),
        shape,
        (node.name,),
    )


def _residual(
    graph: GraphBuilder, node: OnnxNode, index: int, total: Pending, z: Quantised, sign: int
) -> Pending | None:
    """A sum that has not been rounded yet, plus a tensor: one more stage of the same node."""
    if not total.is_linear or total.stages or total.kind not in (Conv, ConvTranspose):
        return None
    if total.scale.ndim or graph.uses(node.input(index)) != 1:
        return None
    if len(graph.shape(node.outputs[0])) != 4 or total.channel_axis != 1:
        return None
    ratio = _integer_ratio(z.scale, float(total.scale))
    if ratio is None:
        return None
    return dataclasses.replace(
        total,
        inputs=(*total.inputs, z.value),
        stages=(AddTerm(z.value, sign * ratio, z.zero_point),),
        source=(*total.source, node.name),
    )
