"""The reference of the operators that run on the processor: plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from host_compiler.ir import CpuOp, Graph
from vta_pynq.errors import VtaError

__all__ = ["CPU_REFERENCE", "ONNX_NAMES", "run_cpu_op"]

Array = npt.NDArray[Any]


def _quantise(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """round(x / scale) + zero_point, ties to even, saturated; per tensor."""
    info = np.iinfo(attributes["dtype"])
    real = np.rint(inputs[0] / np.float32(attributes["scale"])) + attributes["zero_point"]
    return [np.clip(real, info.min, info.max).astype(attributes["dtype"])]


def _dequantise(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """(x - zero_point) * scale in float32; per index of `axis` where the scale is a list."""
    wide = inputs[0].astype(np.int64) - attributes["zero_point"]
    scale = np.asarray(attributes["scale"], np.float32)
    if scale.ndim:
        shape = [1] * wide.ndim
        shape[attributes["axis"]] = -1
        scale = scale.reshape(shape)
    return [wide.astype(np.float32) * scale]


def _requantise(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """clip(round(acc * scale) + zero_point, qmin, qmax), ties to even, in float64.

    `scale` is a number, or a list along `axis`; `negative_scale`, if given, takes its place for
    acc < 0.
    """
    acc = inputs[0].astype(np.float64)

    def spread(scale: float | list[float]) -> Array:
        array = np.asarray(scale, np.float64)
        shape = [1] * acc.ndim
        if array.ndim:
            shape[attributes["axis"]] = -1
        return array.reshape(shape)

    real = acc * spread(attributes["scale"])
    if "negative_scale" in attributes:
        real = np.where(acc < 0, acc * spread(attributes["negative_scale"]), real)
    y = np.rint(real) + attributes["zero_point"]
    return [np.clip(y, attributes["qmin"], attributes["qmax"]).astype(attributes["dtype"])]


def _offset(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """x + offset as another integer type, without saturation."""
    return [(inputs[0].astype(np.int64) + attributes["offset"]).astype(attributes["dtype"])]


def _clip(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """Bounds are the second and third operand, or attributes."""
    low, high = (
        inputs[i] if len(inputs) > i and inputs[i] is not None else attributes.get(name, default)
        for i, name, default in ((1, "min", -np.inf), (2, "max", np.inf))
    )
    return [np.clip(inputs[0], np.float32(low), np.float32(high))]


CPU_REFERENCE: dict[str, Callable[[list[Array], Mapping[str, Any]], list[Array]]] = {
    "quantize": _quantise,
    "dequantize": _dequantise,
    "requantize": _requantise,
    "offset": _offset,
    "identity": lambda inputs, attributes: [inputs[0]],
    "add": lambda inputs, attributes: [inputs[0] + inputs[1]],
    "sub": lambda inputs, attributes: [inputs[0] - inputs[1]],
    "mul": lambda inputs, attributes: [inputs[0] * inputs[1]],
    "div": lambda inputs, attributes: [inputs[0] / inputs[1]],
    "relu": lambda inputs, attributes: [np.maximum(inputs[0], 0)],
    "clip": _clip,
    "concat": lambda inputs, attributes: [np.concatenate(inputs, attributes["axis"])],
    "transpose": lambda inputs, attributes: [inputs[0].transpose(attributes["perm"])],
}
"""What is defined here: operator name to function of (inputs and constants, attributes)."""

ONNX_NAMES = {
    "argmax": "ArgMax",
    "average_pool": "AveragePool",
    "batch_norm": "BatchNormalization",
    "cast": "Cast",
    "conv": "Conv",
    "exp": "Exp",
    "gather": "Gather",
    "gemm": "Gemm",
    "global_average_pool": "GlobalAveragePool",
    "global_max_pool": "GlobalMaxPool",
    "leaky_relu": "LeakyRelu",
    "log_softmax": "LogSoftmax",
    "matmul": "MatMul",
    "max_pool": "MaxPool",
    "pad": "Pad",
    "reduce_mean": "ReduceMean",
    "resize": "Resize",
    "sigmoid": "Sigmoid",
    "slice": "Slice",
    "softmax": "Softmax",
    "split": "Split",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
}
"""Operators with ONNX's meaning: the numpy reference of the onnx package computes them."""

_OPSET = 17
"""Of ONNX's meaning; ReduceMean still has its axes as an attribute."""


def _by_onnx(node: CpuOp, graph: Graph, arrays: list[Array | None]) -> list[Array]:
    # onnx is slow to import, and most graphs do without.
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    feeds = {f"x{i}": array for i, array in enumerate(arrays) if array is not None}
    names = list(feeds)
    operands = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    attributes = {key: value for key, value in node.attributes.items() if key != "absent"}
    axes_given = node.op == "reduce_mean" and len(arrays) == 2
    made = helper.make_node(ONNX_NAMES[node.op], operands, list(node.outputs), **attributes)
    evaluator = ReferenceEvaluator(
        helper.make_model(
            helper.make_graph(
                [made],
                node.name,
                [helper.make_empty_tensor_value_info(name) for name in names],
                [helper.make_empty_tensor_value_info(name) for name in node.outputs],
            ),
            opset_imports=[helper.make_opsetid("", 18 if axes_given else _OPSET)],
        )
    )
    results: list[Array] = [np.asarray(array) for array in evaluator.run(None, feeds)]
    declared = [graph.values[name] for name in node.outputs]
    return [
        array.astype(value.dtype).reshape(value.shape)
        for array, value in zip(results, declared, strict=True)
    ]


def run_cpu_op(node: CpuOp, graph: Graph, inputs: list[Array]) -> list[Array]:
    """Compute a processor operator; results have the dtypes and shapes that the graph declares.

    Raises
    ------
    VtaError
        There is no reference for the operator.
    """
    arrays: list[Array | None] = [*inputs, *node.constants]
    for index in node.attributes.get("absent", ()):
        arrays.insert(index, None)
    if node.op in ONNX_NAMES:
        return _by_onnx(node, graph, arrays)
    function = CPU_REFERENCE.get(node.op)
    if function is None:
        raise VtaError(f"node {node.name}: operator {node.op} has no reference")
    return function(cast("list[Array]", arrays), node.attributes)
