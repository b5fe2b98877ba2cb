"""The integer reference: what every graph node computes, in plain numpy.

Everything the compiler emits is held against this module bit for bit. Sums are 64-bit here;
`run` refuses a graph whose accumulators leave 32 bits, because the hardware would wrap there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import (
    Accumulate,
    AddTerm,
    Concat,
    Conv,
    ConvTranspose,
    CpuOp,
    FixedPoint,
    Graph,
    MaxPool,
    Node,
    Pad,
    PoolStage,
    Requant,
    Reshape,
    ResizeNearest,
    SumPool,
    WeightedSum,
)
from host_compiler.reference_cpu import run_cpu_op
from vta_pynq.errors import ShapeError, VtaError

__all__ = ["AccumulatorOverflow", "fixed_point", "requantise", "run", "run_node"]

Array = npt.NDArray[Any]

_LOWEST = np.iinfo(np.int64).min


class AccumulatorOverflow(VtaError):
    """A sum needs more than 32 bits: the model cannot be computed exactly on the hardware."""


def run(graph: Graph, inputs: Mapping[str, Array], *, keep: bool = False) -> dict[str, Array]:
    """Compute a graph.

    Parameters
    ----------
    graph
        A verified graph.
    inputs
        One array per graph input, by name, with the value's shape and dtype.
    keep
        Return every intermediate value, not only the outputs.

    Raises
    ------
    ShapeError
        An input is missing or has another shape or dtype.
    AccumulatorOverflow
        A sum does not fit 32 bits.
    """
    values: dict[str, Array] = {}
    for name in graph.inputs:
        wanted = graph.values[name]
        array = inputs.get(name)
        if array is None or array.shape != wanted.shape or array.dtype != wanted.dtype:
            found = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
            raise ShapeError(
                f"input {name}: must be {wanted.dtype}{list(wanted.shape)}, not {found}"
            )
        values[name] = array
    for node in graph.nodes:
        results = run_node(node, graph, [values[name] for name in node.inputs])
        values.update(zip(node.outputs, results, strict=True))
    return values if keep else {name: values[name] for name in graph.outputs}


def run_node(node: Node, graph: Graph, inputs: list[Array]) -> list[Array]:
    """Compute one node from its input arrays."""
    if isinstance(node, CpuOp):
        return run_cpu_op(node, graph, inputs)
    if isinstance(node, Accumulate):
        return [_accumulate(node, graph, dict(zip(node.inputs, inputs, strict=True)))]
    for kind, function in _MOVES.items():
        if isinstance(node, kind):
            return [function(node, graph, inputs)]
    raise NotImplementedError(type(node).__name__)


# ---- sums --------------------------------------------------------------------------------------


def _windows(
    x: Array,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
    fill: int,
) -> Array:
    """Every window of x (N, C, H, W): a view (N, C, OH, OW, KH, KW) of the padded array."""
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    view: Array = np.lib.stride_tricks.sliding_window_view(
        x,
        spans,
        axis=(2, 3),  # type: ignore[call-overload]  # NumPy's stubs know one axis only
    )
    return view[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]


def _conv_sum(node: Conv, x: Array) -> Array:
    wide = x.astype(np.int64) - node.x_zero_point
    windows = _windows(wide, node.kernel, node.strides, node.pads, node.dilations, 0)
    n, channels, oh, ow = windows.shape[:4]
    per_group = channels // node.group
    out_per_group = node.weight.shape[0] // node.group
    result = np.empty((n, node.weight.shape[0], oh, ow), np.int64)
    # float64 matmul is exact for integers below 2^53 and runs on BLAS; int64 matmul does not.
    for g in range(node.group):
        taps = windows[:, g * per_group : (g + 1) * per_group]
        rows = np.moveaxis(taps, 1, 3).reshape(n * oh * ow, -1).astype(np.float64)
        block = slice(g * out_per_group, (g + 1) * out_per_group)
        weight = node.weight[block].reshape(out_per_group, -1).astype(np.float64)
        product = (rows @ weight.T).astype(np.int64)
        result[:, block] = np.moveaxis(product.reshape(n, oh, ow, out_per_group), 3, 1)
    return result


def _conv_transpose_sum(node: ConvTranspose, x: Array, shape: tuple[int, ...]) -> Array:
    wide = x.astype(np.int64) - node.x_zero_point
    n, channels, height, width = x.shape
    top, left, bottom, right = node.pads
    full = np.zeros((n, shape[1], shape[2] + top + bottom, shape[3] + left + right), np.int64)
    per_group, out_per_group = channels // node.group, node.weight.shape[1]
    for g in range(node.group):
        part = wide[:, g * per_group : (g + 1) * per_group]
        weight = node.weight[g * per_group : (g + 1) * per_group].astype(np.int64)
        out = full[:, g * out_per_group : (g + 1) * out_per_group]
        for ky in range(weight.shape[2]):
            for kx in range(weight.shape[3]):
                y0, x0 = ky * node.dilations[0], kx * node.dilations[1]
                out[
                    :,
                    :,
                    y0 : y0 + node.strides[0] * height : node.strides[0],
                    x0 : x0 + node.strides[1] * width : node.strides[1],
                ] += np.einsum("nihw,io->nohw", part, weight[:, :, ky, kx])
    return full[:, :, top : top + shape[2], left : left + shape[3]]


def _sum_pool(node: SumPool, x: Array) -> Array:
    wide = x.astype(np.int64) - node.x_zero_point
    windows = _windows(wide, node.kernel, node.strides, node.pads, node.dilations, 0)
    total: Array = windows.sum(axis=(4, 5))
    return total


def _sum(node: Accumulate, graph: Graph, arrays: Mapping[str, Array]) -> Array:
    x = arrays[node.inputs[0]]
    if isinstance(node, Conv):
        total = _conv_sum(node, x)
    elif isinstance(node, ConvTranspose):
        total = _conv_transpose_sum(node, x, node.sum_shape(graph))
    elif isinstance(node, SumPool):
        return _sum_pool(node, x)
    elif isinstance(node, WeightedSum):
        terms = zip(node.inputs, node.coefficients, node.zero_points, strict=False)
        return functools.reduce(
            np.add, (c * (arrays[name].astype(np.int64) - z) for name, c, z in terms)
        )
    else:
        raise NotImplementedError(type(node).__name__)
    if node.bias is not None:
        total = total + node.bias.astype(np.int64)[None, :, None, None]
    return total


# ---- stages ------------------------------------------------------------------------------------


def _round(real: Array, rounding: str) -> Array:
    return np.rint(real) if rounding == "half_even" else np.floor(real + 0.5)


def requantise(acc: Array, stage: Requant, divisors: Array | None = None) -> Array:
    """Apply a Requant to sums of shape (N, C, H, W); int64 in, int64 out.

    Products are exact in float64 for power-of-two multipliers, and rounded once otherwise, as
    onnxruntime's are.
    """

    def spread(multiplier: Array) -> Array:
        return multiplier.reshape(1, -1, 1, 1) if multiplier.ndim else multiplier

    real: Array = acc * spread(stage.multiplier)
    if stage.negative_multiplier is not None:
        real = np.where(acc < 0, acc * spread(stage.negative_multiplier), real)
    if divisors is not None:
        real = real / divisors
    y = _round(real, stage.rounding) + stage.zero_point
    limited: Array = np.clip(y, stage.qmin, stage.qmax).astype(np.int64)
    return limited


def fixed_point(acc: Array, stage: FixedPoint) -> Array:
    """Apply a FixedPoint to sums of shape (N, C, H, W); int64 in, int64 out."""

    def spread(values: Array) -> Array:
        return values.reshape(1, -1, 1, 1) if values.ndim else values

    def shift(values: Array, amounts: Array) -> Array:
        half = np.where(amounts > 0, np.int64(1) << np.maximum(amounts - 1, 0), 0)
        shifted: Array = (values + half) >> amounts
        return shifted

    scaled = shift(acc, spread(stage.pre_shifts)) * spread(stage.factors)
    y: Array = shift(scaled, spread(stage.post_shifts)) + stage.zero_point
    limited: Array = np.clip(y, stage.qmin, stage.qmax)
    return limited


def _max_windows(x: Array, window: PoolStage | MaxPool) -> Array:
    windows = _windows(
        x.astype(np.int64), window.kernel, window.strides, window.pads, window.dilations, _LOWEST
    )
    highest: Array = windows.max(axis=(4, 5))
    return highest


def _check_32_bits(acc: Array, node: Node) -> None:
    info = np.iinfo(np.int32)
    if acc.size and (acc.min() < info.min or acc.max() > info.max):
        raise AccumulatorOverflow(
            f"node {node.name}: accumulator must fit 32 bits, not reach "
            f"{int(acc.min())}..{int(acc.max())}; use smaller weights or split the layer"
        )


def _accumulate(node: Accumulate, graph: Graph, arrays: Mapping[str, Array]) -> Array:
    acc = _sum(node, graph, arrays)
    _check_32_bits(acc, node)
    divisors = node.divisors if isinstance(node, SumPool) else None
    for stage in node.stages:
        if isinstance(stage, Requant):
            acc = requantise(acc, stage, divisors)
            divisors = None
        elif isinstance(stage, FixedPoint):
            acc = fixed_point(acc, stage)
        elif isinstance(stage, PoolStage):
            acc = _max_windows(acc, stage)
        elif isinstance(stage, AddTerm):
            z = arrays[stage.value].astype(np.int64) - stage.zero_point
            acc = ((acc - stage.acc_zero_point) << stage.shift) + stage.coefficient * z
        _check_32_bits(acc, node)
    return acc.astype(node.result_dtype)


# ---- moves -------------------------------------------------------------------------------------


def _max_pool(node: MaxPool, graph: Graph, inputs: list[Array]) -> Array:
    return _max_windows(inputs[0], node).astype(np.int8)


def _concat(node: Concat, graph: Graph, inputs: list[Array]) -> Array:
    return np.concatenate(inputs, axis=node.axis)


def _resize(node: ResizeNearest, graph: Graph, inputs: list[Array]) -> Array:
    return inputs[0].repeat(node.factors[0], axis=2).repeat(node.factors[1], axis=3)


def _pad(node: Pad, graph: Graph, inputs: list[Array]) -> Array:
    top, left, bottom, right = node.pads
    height, width = inputs[0].shape[2:]
    x = inputs[0][
        :,
        :,
        max(-top, 0) : height - max(-bottom, 0),
        max(-left, 0) : width - max(-right, 0),
    ]
    widths = ((0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)))
    return np.pad(x, widths, constant_values=node.value)


def _reshape(node: Reshape, graph: Graph, inputs: list[Array]) -> Array:
    return inputs[0].reshape(graph.values[node.outputs[0]].shape)


_MOVES: dict[type[Node], Callable[..., Array]] = {
    MaxPool: _max_pool,
    Concat: _concat,
    ResizeNearest: _resize,
    Pad: _pad,
    Reshape: _reshape,
}
