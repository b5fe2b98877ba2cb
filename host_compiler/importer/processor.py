"""Operators that run on the processor, in the types that ONNX gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Const, Plain, QuantConst
from host_compiler.importer.source import OnnxNode

__all__ = ["PROCESSOR_OPERATORS", "on_processor"]

PROCESSOR_OPERATORS = {
    "Add": "add",
    "ArgMax": "argmax",
    "AveragePool": "average_pool",
    "BatchNormalization": "batch_norm",
    "Cast": "cast",
    "Clip": "clip",
    "Concat": "concat",
    "Conv": "conv",
    "Div": "div",
    "Exp": "exp",
    "Gather": "gather",
    "Gemm": "gemm",
    "GlobalAveragePool": "global_average_pool",
    "GlobalMaxPool": "global_max_pool",
    "LeakyRelu": "leaky_relu",
    "LogSoftmax": "log_softmax",
    "MatMul": "matmul",
    "MaxPool": "max_pool",
    "Mul": "mul",
    "Pad": "pad",
    "ReduceMean": "reduce_mean",
    "Relu": "relu",
    "Resize": "resize",
    "Sigmoid": "sigmoid",
    "Slice": "slice",
    "Softmax": "softmax",
    "Sqrt": "sqrt",
    "Sub": "sub",
    "Tanh": "tanh",
    "Transpose": "transpose",
}
"""ONNX operator to operator of the device's `cpu_ops`; attributes keep their ONNX names."""

_PLANES = ("AveragePool", "Conv", "MaxPool", "Resize")
"""Operators that the processor only does on (N, C, H, W)."""


def on_processor(graph: GraphBuilder, node: OnnxNode) -> None:
    """Append the node as a processor operator on real values.

    Raises
    ------
    CompileError
        The processor has no such operator.
    """
    op = PROCESSOR_OPERATORS.get(node.op)
    if op is None or node.domain:
        raise refuse(node, "operator is not supported")
    if node.op in _PLANES and len(graph.shape(node.input(0))) != 4:
        raise refuse(node, f"operator needs 4 dimensions, not {graph.shape(node.input(0))}")
    if node.op == "Resize":
        _check_resize(node)
    inputs: list[str] = []
    constants: list[np.ndarray[Any, Any]] = []
    last = max((index for index, name in enumerate(node.inputs) if name), default=0)
    absent = [index for index in range(last) if not node.inputs[index]]
    for index, name in enumerate(node.inputs):
        if not name:
            continue
        found = graph.carrier(node, index)
        if isinstance(found, Const) and not found.array.size and node.op == "Resize":
            absent.append(index)  # how exporters spell absent inputs of Resize
        elif isinstance(found, Const | QuantConst) and index > 0:
            constants.append(graph.const(node, index))
        elif constants:
            raise refuse(node, f"input {name!r} must come before the constant ones")
        else:
            inputs.append(graph.real_value(name, found))
    attributes = {key: _plain(node, key, value) for key, value in node.attributes.items()}
    if absent:
        attributes["absent"] = sorted(absent)
    for index, name in enumerate(node.outputs):
        if index and name and graph.uses(name):
            raise refuse(node, f"output {name!r} is not supported")
    out = node.outputs[0]
    value = graph.cpu(
        op,
        inputs,
        out,
        graph.shape(out),
        graph.model.dtypes[out],
        attributes,
        (node.name,),
        constants,
    )
    graph.carriers[out] = Plain(value)


def _plain(node: OnnxNode, key: str, value: Any) -> Any:
    """An attribute as JSON holds it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return float(np.float32(value))
    if isinstance(value, int | str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(v, int | float) for v in value):
        return list(value)
    raise refuse(node, f"attribute {key} is not supported")


def _check_resize(node: OnnxNode) -> None:
    """Refuse what the processor's operator has not."""
    known = {
        "mode": (b"nearest", b"linear"),
        "coordinate_transformation_mode": (
            b"half_pixel",
            b"pytorch_half_pixel",
            b"align_corners",
            b"asymmetric",
        ),
        "antialias": (0,),
        "keep_aspect_ratio_policy": (b"stretch",),
        "axes": (),
    }
    for name, values in known.items():
        if name in node.attributes and node.attributes[name] not in values:
            raise refuse(node, f"attribute {name} of this value is not supported")
