"""Conv, ConvTranspose, Gemm and MatMul on dequantised tensors with constant weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Const, Pending, QuantConst, Quantised
from host_compiler.importer.fraction import whole_units
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode
from host_compiler.ir import Conv, ConvTranspose

__all__ = ["bias_fields", "conv_fields", "conv_pads"]

Array = npt.NDArray[Any]


def _pair(values: Sequence[int] | None, default: int = 1) -> tuple[int, int]:
    """(height, width) out of an attribute of one or two extents."""
    if not values:
        return (default, default)
    return (default, int(values[0])) if len(values) == 1 else (int(values[0]), int(values[1]))


def conv_pads(
    node: OnnxNode, size: Sequence[int], kernel: Sequence[int]
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) from `pads` or `auto_pad`; `size` is the input's (h, w)."""
    strides = _pair(node.attributes.get("strides"))
    dilations = _pair(node.attributes.get("dilations"))
    auto = node.attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "NOTSET":
        pads = [int(p) for p in node.attributes.get("pads", ())]
        if len(pads) == 2:
            pads = [0, pads[0], 0, pads[1]]
        top, left, bottom, right = pads or (0, 0, 0, 0)
        return top, left, bottom, right
    if auto == "VALID":
        return (0, 0, 0, 0)
    before, after = [], []
    for i in range(2):
        out = -(-size[i] // strides[i])
        total = max((out - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - size[i], 0)
        small, large = total // 2, total - total // 2
        before.append(small if auto == "SAME_UPPER" else large)
        after.append(large if auto == "SAME_UPPER" else small)
    return (before[0], before[1], after[0], after[1])


def conv_fields(node: OnnxNode, size: Sequence[int], kernel: Sequence[int]) -> dict[str, Any]:
    """The geometry of a convolution node."""
    return {
        "strides": _pair(node.attributes.get("strides")),
        "pads": conv_pads(node, size, kernel),
        "dilations": _pair(node.attributes.get("dilations")),
        "group": int(node.attributes.get("group", 1)),
    }


def bias_fields(
    graph: GraphBuilder,
    node: OnnxNode,
    index: int,
    scale: npt.NDArray[np.float64],
    channels: int,
) -> tuple[npt.NDArray[np.int32] | None, npt.NDArray[np.float64] | None]:
    """The bias in units of the sum's scale: whole units, and the fraction above them.

    The fraction is None where the model holds int32 at that very scale, as quantisers write it,
    or floats that are whole units.
    """
    if not node.input(index):
        return None, None
    found = graph.carrier(node, index)
    if isinstance(found, QuantConst):
        centred, own = found.centred().reshape(-1), found.scale.reshape(-1)
        units: Array = centred * (own / scale) if not np.array_equal(own, scale) else centred
    elif isinstance(found, Const):
        units = found.array.astype(np.float64).reshape(-1) / scale
    else:
        raise refuse(node, "bias must be constant")
    if units.size not in (1, channels):
        raise refuse(node, f"bias must have {channels} values, one per channel, not {units.size}")
    units = np.broadcast_to(units, (channels,)).astype(np.float64)
    if np.isnan(units).any():
        raise refuse(node, "bias must be finite")
    if np.abs(units).max(initial=0) >= np.iinfo(np.int32).max:
        raise refuse(node, "bias must fit 32 bits in units of input scale times weight scale")
    whole, fraction = whole_units(units)
    return whole.astype(np.int32), fraction


def _sum_scale(x: Quantised, weight: QuantConst) -> npt.NDArray[np.float64]:
    product = x.scale * weight.scale
    return product.reshape(()) if product.size == 1 else product.reshape(-1)


def _operands(graph: GraphBuilder, node: OnnxNode) -> tuple[Quantised, QuantConst] | None:
    """Activation and weight where both are dequantised integers and the weight is constant."""
    x, weight = graph.carrier(node, 0), graph.carrier(node, 1)
    if isinstance(x, Quantised) and x.real and isinstance(weight, QuantConst) and weight.real:
        return x, weight
    return None


@handles("Conv")
def conv(graph: GraphBuilder, node: OnnxNode) -> None:
    """Convolution over one or two spatial axes."""
    operands = _operands(graph, node)
    if operands is None or len(operands[1].integers.shape) not in (3, 4):
        on_processor(graph, node)
        return
    x, weight = operands
    if weight.axis not in (None, 0):
        raise refuse(node, "weights must be quantised per tensor or per output channel")
    integers = weight.centred()
    shape = graph.shape(node.input(0))
    if integers.ndim == 3:
        integers, shape = integers[:, :, None], (*shape[:2], 1, shape[2])
    group = int(node.attributes.get("group", 1))
    if group < 1 or integers.shape[0] % group or integers.shape[1] * group != shape[1]:
        raise refuse(
            node,
            f"weights of shape {list(integers.shape)} in {group} groups must fit {shape[1]} input "
            "channels",
        )
    scale = _sum_scale(x, weight)
    bias, fraction = bias_fields(graph, node, 2, scale, integers.shape[0])
    fields = {
        "weight": integers.astype(np.int16),
        "bias": bias,
        "x_zero_point": x.zero_point,
        **conv_fields(node, shape[2:], integers.shape[2:]),
    }
    source = graph.reshape(x.value, shape)
    out = graph.shape(node.outputs[0])
    graph.carriers[node.outputs[0]] = Pending(
        Conv, (source,), fields, scale, out, (node.name,), fraction=fraction
    )


@handles("ConvTranspose")
def conv_transpose(graph: GraphBuilder, node: OnnxNode) -> None:
    """Transposed convolution over two spatial axes."""
    operands = _operands(graph, node)
    if operands is None or len(operands[1].integers.shape) != 4:
        on_processor(graph, node)
        return
    x, weight = operands
    group = int(node.attributes.get("group", 1))
    if weight.axis is not None and (weight.axis != 1 or group != 1):
        raise refuse(node, "weights must be quantised per tensor or per output channel")
    integers = weight.centred()
    strides = _pair(node.attributes.get("strides"))
    extra = _pair(node.attributes.get("output_padding"), 0)
    scale = _sum_scale(x, weight)
    bias, fraction = bias_fields(graph, node, 2, scale, integers.shape[1] * group)
    fields = {
        "weight": integers.astype(np.int16),
        "bias": bias,
        "x_zero_point": x.zero_point,
        "strides": strides,
        "pads": _transposed_pads(graph, node, integers.shape[2:], strides, extra),
        "dilations": _pair(node.attributes.get("dilations")),
        "output_padding": extra,
        "group": group,
    }
    out = graph.shape(node.outputs[0])
    graph.carriers[node.outputs[0]] = Pending(
        ConvTranspose, (x.value,), fields, scale, out, (node.name,), fraction=fraction
    )


def _transposed_pads(
    graph: GraphBuilder,
    node: OnnxNode,
    kernel: Sequence[int],
    strides: tuple[int, int],
    extra: tuple[int, int],
) -> tuple[int, int, int, int]:
    auto = node.attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "NOTSET" and "output_shape" not in node.attributes:
        top, left, bottom, right = (int(p) for p in node.attributes.get("pads", (0, 0, 0, 0)))
        return top, left, bottom, right
    dilations = _pair(node.attributes.get("dilations"))
    size, out = graph.shape(node.input(0))[2:], graph.shape(node.outputs[0])[2:]
    before, after = [], []
    for i in range(2):
        total = strides[i] * (size[i] - 1) + extra[i] + dilations[i] * (kernel[i] - 1) + 1 - out[i]
        half = total // 2
        first = half if auto != "SAME_LOWER" else total - half
        if auto == "NOTSET":
            first = max(half, 0)  # what an output shape adds, it adds at the end
        before.append(first)
        after.append(total - first)
    return before[0], before[1], after[0], after[1]


def _adds_per_column(graph: GraphBuilder, node: OnnxNode) -> bool:
    """Whether what a Gemm adds is the same in every row, as a bias is."""
    shape = graph.shape(node.input(2)) if node.input(2) else ()
    out = graph.shape(node.outputs[0])
    wide = (1,) * (len(out) - len(shape)) + shape
    if any(given not in (1, extent) for given, extent in zip(wide, out, strict=True)):
        raise refuse(node, f"bias of shape {list(shape)} must fit the result's {list(out)}")
    return all(extent == 1 for extent in wide[:-1])


@handles("Gemm", "MatMul")
def matrix_product(graph: GraphBuilder, node: OnnxNode) -> None:
    """x · W with a constant W, as a 1x1 convolution over rows."""
    operands = _operands(graph, node)
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if (
        operands is None
        or operands[1].integers.ndim != 2
        or node.attributes.get("transA", 0)
        or (alpha, beta) != (1.0, 1.0)
        or not _adds_per_column(graph, node)
    ):
        on_processor(graph, node)
        return
    x, weight = operands
    transposed = bool(node.attributes.get("transB", 0))
    out_axis = 0 if transposed else 1
    if weight.axis not in (None, out_axis):
        raise refuse(node, "weights must be quantised per tensor or per output channel")
    integers = weight.centred()
    integers = integers if transposed else integers.T
    scale = _sum_scale(x, weight)
    shape = graph.shape(node.input(0))
    rows = int(np.prod(shape[:-1], dtype=int))
    bias, fraction = bias_fields(graph, node, 2, scale, integers.shape[0])
    fields = {
        "weight": integers[:, :, None, None].astype(np.int16),
        "bias": bias,
        "x_zero_point": x.zero_point,
    }
    source = graph.reshape(x.value, (rows, shape[-1], 1, 1))
    out = graph.shape(node.outputs[0])
    graph.carriers[node.outputs[0]] = Pending(
        Conv,
        (source,),
        fields,
        scale,
        out,
        (node.name,),
        fraction=fraction,
        channel_axis=len(out) - 1,
    )
