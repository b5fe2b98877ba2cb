"""Scales of a QDQ model moved to powers of two, weights and biases requantised to match."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

__all__ = ["best_power", "snap_scales"]

Array = npt.NDArray[Any]

_CANDIDATES = (0, -1, -2)
"""Exponents below the one that clips nothing which are tried: each halves the step."""


def best_power(values: Array, qmax: int = 127) -> float:
    """The power of two whose symmetric quantisation of `values` has the least squared error."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return 1.0
    top = math.ceil(math.log2(largest / qmax))
    sample = values.reshape(-1).astype(np.float64)

    def error(exponent: int) -> float:
        scale = 2.0**exponent
        rounded = np.clip(np.rint(sample / scale), -qmax - 1, qmax) * scale
        return float(np.square(rounded - sample).sum())

    return 2.0 ** min((top + lower for lower in _CANDIDATES), key=error)


def snap_scales(
    model: onnx.ModelProto, activations: Mapping[str, float], weights: Mapping[str, Array]
) -> dict[str, float]:
    """Give every quantisation in a symmetric QDQ model a power-of-two scale, in place.

    Parameters
    ----------
    model
        A QDQ model as onnxruntime's static quantisation writes it.
    activations
        Power-of-two scale for each float tensor that a QuantizeLinear reads.
    weights
        The float array for each float initialiser, by its name before quantisation.

    Returns
    -------
    scales
        Scale of each quantised float tensor, by the name of its dequantised value.
    """
    snap = _Snap(model, weights)
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in activations:
            snap.set_scale(node.input[1], np.array(activations[node.input[0]]))
    snap.inherit()
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in snap.constants:
            snap.weight(node)
    snap.biases()
    return snap.result


class _Snap:
    def __init__(self, model: onnx.ModelProto, weights: Mapping[str, Array]) -> None:
        self.graph = model.graph
        self.float_weights = weights
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.result: dict[str, float] = {}
        self.producer = {name: node for node in self.graph.node for name in node.output}

    def array(self, name: str) -> Array:
        return np.asarray(numpy_helper.to_array(self.constants[name]))

    def set_array(self, name: str, array: Array) -> None:
        # np.ascontiguousarray would turn a scalar into a vector.
        array = np.asarray(array, order="C")
        self.constants[name].CopyFrom(numpy_helper.from_array(array, name))

    def set_scale(self, name: str, scale: Array) -> None:
        old = self.array(name)
        self.set_array(name, np.broadcast_to(scale, old.shape).astype(np.float32))

    def inherit(self) -> None:
        """Record the scales that the activations have now."""
        for node in self.graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] not in self.constants:
                self.result[node.output[0]] = float(self.array(node.input[1]).reshape(-1)[0])

    def weight(self, node: onnx.NodeProto) -> None:
        integers = self.array(node.input[0])
        if integers.dtype not in (np.int8, np.uint8):
            return
        scale = self.array(node.input[1])
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        source = node.input[0].removesuffix("_quantized")
        real = self.float_weights.get(source)
        if real is None or real.shape != integers.shape:
            shape = [1] * integers.ndim
            if scale.ndim and scale.size > 1:
                shape[axis] = -1
            zero = self.array(node.input[2]).astype(np.int64) if len(node.input) > 2 else 0
            real = (integers.astype(np.int64) - np.reshape(zero, shape)) * scale.reshape(shape)
        if scale.size > 1:
            powers = np.array([best_power(np.take(real, i, axis)) for i in range(scale.size)])
            spread = powers.reshape([-1 if i == axis else 1 for i in range(real.ndim)])
        else:
            powers = spread = np.array(best_power(real))
        self.set_scale(node.input[1], powers)
        if len(node.input) > 2:
            self.set_array(node.input[2], np.zeros(scale.shape, np.int8))
        self.set_array(node.input[0], np.clip(np.rint(real / spread), -128, 127).astype(np.int8))
        self.result[node.output[0]] = float(powers.reshape(-1)[0])

    def biases(self) -> None:
        """Requantise int32 biases to input scale times weight scale."""
        for node in self.graph.node:
            if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or len(node.input) < 3:
                continue
            x, w, b = (self.producer.get(name) for name in node.input[:3])
            if x is None or w is None or b is None or b.op_type != "DequantizeLinear":
                continue
            if b.input[0] not in self.constants:
                continue
            old = self.array(b.input[1]).astype(np.float64)
            real = self.float_weights.get(b.input[0].removesuffix("_quantized"))
            if real is None:
                real = self.array(b.input[0]) * old
            scale = self.array(x.input[1]).astype(np.float64).reshape(-1)[0] * self.array(
                w.input[1]
            ).astype(np.float64)
            new = np.broadcast_to(scale, old.shape) if old.ndim else scale.reshape(-1)[0]
            self.set_array(b.input[1], np.asarray(new, np.float32))
            limit = np.iinfo(np.int32)
            integers = np.clip(np.rint(real / new), limit.min, limit.max)
            self.set_array(b.input[0], integers.astype(np.int32))
