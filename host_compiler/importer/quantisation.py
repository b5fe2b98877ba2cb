"""QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import (
    Const,
    Pending,
    PendingConcat,
    Plain,
    QuantConst,
    Quantised,
)
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode

__all__ = ["UINT8_OFFSET", "activation_parameters", "check_scale", "from_plain_integers"]

UINT8_OFFSET = 128
"""What is subtracted from uint8 values and zero points to hold them as int8."""

_WEIGHT_DTYPES = ("int8", "uint8", "int32", "int16", "uint16")


def check_scale(node: OnnxNode, scale: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The scale as float64; refused where it is not positive and finite."""
    wide = scale.astype(np.float64)
    if not np.all(np.isfinite(wide)) or np.any(wide <= 0):
        raise refuse(node, "scale must be positive and finite")
    return wide


def activation_parameters(
    graph: GraphBuilder, node: OnnxNode, scale_index: int, zero_point_index: int
) -> tuple[float, int, str]:
    """Scale, zero point of the int8 form, and the model's dtype of a per-tensor quantisation."""
    scale = check_scale(node, graph.const(node, scale_index))
    zero_point = graph.const(node, zero_point_index, np.uint8(0))
    if scale.size != 1 or zero_point.size != 1:
        raise refuse(node, "activations must be quantised per tensor, not per channel")
    if zero_point.dtype not in (np.int8, np.uint8):
        raise refuse(node, f"activations must be int8 or uint8, not {zero_point.dtype}")
    offset = UINT8_OFFSET if zero_point.dtype == np.uint8 else 0
    return float(scale.item()), int(zero_point.item()) - offset, zero_point.dtype.name


def from_plain_integers(
    graph: GraphBuilder, value: str, scale: float, zero_point: int, dtype: str
) -> Quantised:
    """An int8 or uint8 graph value (such as a model input) as a quantised tensor."""
    if dtype == "uint8":
        held = graph.values[value]
        value = graph.cpu(
            "offset",
            [value],
            f"{value}.int8",
            held.shape,
            "int8",
            {"offset": -UINT8_OFFSET, "dtype": "int8"},
        )
    return Quantised(value, scale, zero_point, dtype)


@handles("QuantizeLinear")
def quantize_linear(graph: GraphBuilder, node: OnnxNode) -> None:
    """Finish a sum, rescale a tensor, fold a constant, or quantise a float on the processor."""
    found = graph.carrier(node, 0)
    out = node.outputs[0]
    if isinstance(found, Const):
        graph.carriers[out] = _quantise_constant(graph, node, found.array)
        return
    scale, zero_point, dtype = activation_parameters(graph, node, 1, 2)
    source = (node.name,)
    if isinstance(found, PendingConcat):
        graph.carriers[out] = graph.join(found, out, scale, zero_point, dtype, source)
        return
    if isinstance(found, Quantised) and found.real:
        if (found.scale, found.zero_point, found.dtype) == (scale, zero_point, dtype):
            graph.carriers[out] = Quantised(found.value, scale, zero_point, dtype)
            return
        found = graph.lift(found, graph.shape(node.input(0)), source)
    if isinstance(found, Pending):
        graph.carriers[out] = graph.quantise(found, out, scale, zero_point, dtype, source)
        return
    real = graph.real_value(node.input(0), found)
    value = graph.cpu(
        "quantize",
        [real],
        out,
        graph.shape(out),
        "int8",
        {"scale": scale, "zero_point": zero_point, "dtype": "int8"},
        source,
    )
    graph.carriers[out] = Quantised(value, scale, zero_point, dtype)


def _quantise_constant(graph: GraphBuilder, node: OnnxNode, array: npt.NDArray[Any]) -> QuantConst:
    scale = check_scale(node, graph.const(node, 1))
    zero_point = graph.const(node, 2, np.uint8(0))
    axis = _axis(node, scale, array.ndim)
    info = np.iinfo(zero_point.dtype)
    empty = QuantConst(
        np.zeros(array.shape, np.int64),
        scale,
        zero_point.astype(np.int64),
        axis,
        zero_point.dtype.name,
    )
    real = np.rint(array / empty.spread(scale).astype(array.dtype)).astype(np.float64)
    integers = np.clip(real + empty.spread(empty.zero_point), info.min, info.max)
    return QuantConst(
        integers.astype(np.int64), scale, empty.zero_point, axis, zero_point.dtype.name
    )


def _axis(node: OnnxNode, scale: npt.NDArray[Any], rank: int) -> int | None:
    if scale.size == 1:
        return None
    if scale.ndim != 1 or node.attributes.get("block_size"):
        raise refuse(node, "block-wise quantisation is not supported; quantise per channel")
    axis = int(node.attributes.get("axis", 1))
    return axis % rank if rank else None


@handles("DequantizeLinear")
def dequantize_linear(graph: GraphBuilder, node: OnnxNode) -> None:
    """Nothing is computed: the result is remembered as scale times integers."""
    found = graph.carrier(node, 0)
    out = node.outputs[0]
    if isinstance(found, Quantised) and not found.real:
        scale, zero_point, dtype = activation_parameters(graph, node, 1, 2)
        if dtype != found.dtype:
            raise refuse(node, f"zero point must be {found.dtype} as the values are, not {dtype}")
        graph.carriers[out] = Quantised(found.value, scale, zero_point, dtype, real=True)
    elif isinstance(found, QuantConst) and not found.real:
        graph.carriers[out] = QuantConst(
            found.integers,
            check_scale(node, graph.const(node, 1)),
            graph.const(node, 2, np.int64(0)).astype(np.int64),
            found.axis,
            found.dtype,
            True,
        )
    elif isinstance(found, Const):
        if found.array.dtype.name not in _WEIGHT_DTYPES:
            raise refuse(node, f"constants must be integers, not {found.array.dtype}")
        scale_array = check_scale(node, graph.const(node, 1))
        graph.carriers[out] = QuantConst(
            found.array.astype(np.int64),
            scale_array,
            graph.const(node, 2, np.int64(0)).astype(np.int64),
            _axis(node, scale_array, found.array.ndim),
            found.array.dtype.name,
            True,
        )
    elif isinstance(found, Plain) and graph.values[found.value].dtype in ("int8", "uint8"):
        scale, zero_point, dtype = activation_parameters(graph, node, 1, 2)
        held = from_plain_integers(graph, found.value, scale, zero_point, dtype)
        graph.carriers[out] = Quantised(held.value, scale, zero_point, dtype, real=True)
    elif isinstance(found, Plain):
        wide = graph.values[found.value]
        attributes = {
            "scale": float(check_scale(node, graph.const(node, 1)).item()), "zero_point": 0,
        }  # fmt: skip
        graph.carriers[out] = Plain(
            graph.cpu("dequantize", [found.value], out, wide.shape, "float32", attributes)
        )
    else:
        raise refuse(node, "input must be quantised")
