"""The reference of the operators that run on the processor: plain numpy, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import CpuOp, Graph
from vta_pynq.errors import VtaError

__all__ = ["CPU_REFERENCE", "run_cpu_op"]

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


def _leaky_relu(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    x = inputs[0]
    return [np.where(x < 0, x * np.float32(attributes.get("alpha", 0.01)), x)]


def _clip(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """Bounds are the second and third operand, or attributes."""
    low = inputs[1] if len(inputs) > 1 else attributes.get("min", -np.inf)
    high = inputs[2] if len(inputs) > 2 else attributes.get("max", np.inf)
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
    "leaky_relu": _leaky_relu,
    "clip": _clip,
    "concat": lambda inputs, attributes: [np.concatenate(inputs, attributes["axis"])],
    "transpose": lambda inputs, attributes: [inputs[0].transpose(attributes["perm"])],
}
"""Operator name to function of (inputs and constants, attributes)."""


def run_cpu_op(node: CpuOp, graph: Graph, inputs: list[Array]) -> list[Array]:
    """Compute a processor operator; results have the dtypes and shapes that the graph declares.

    Raises
    ------
    VtaError
        There is no reference for the operator.
    """
    function = CPU_REFERENCE.get(node.op)
    if function is None:
        raise VtaError(f"node {node.name}: operator {node.op} has no reference")
    return function([*inputs, *node.constants], node.attributes)
