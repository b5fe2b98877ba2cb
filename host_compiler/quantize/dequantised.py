"""A quantised model as the float model that it approximates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from host_compiler.importer.operator_form import expand_operator_form
from vta_pynq.errors import CompileError

__all__ = ["dequantised"]

Array = npt.NDArray[Any]

_SIGNED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "BatchNormalization")
"""Operators whose result may be negative although the inputs are not."""


def dequantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights as floats, activations without quantisation.

    Where a quantisation's lowest integer means zero it did a rectifier's work, which quantisers
    leave out then: a Relu takes its place.

    Raises
    ------
    CompileError
        The model's own inputs are integers, or it quantises in a form that is not supported.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    expand_operator_form(result)
    _Stripper(result.graph).run()
    onnx.checker.check_model(result)
    return result


class _Stripper:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {t.name: np.asarray(numpy_helper.to_array(t)) for t in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = np.asarray(
                    numpy_helper.to_array(node.attribute[0].t)
                )
        self.integers: dict[str, str] = {}
        self.producer = {name: node.op_type for node in graph.node for name in node.output}

    def run(self) -> None:
        for value in self.graph.input:
            kind = value.type.tensor_type.elem_type
            if value.name not in self.constants and kind != onnx.TensorProto.FLOAT:
                raise CompileError(
                    f"input {value.name}: must be float to quantise the model again; "
                    "give the model from before its inputs were quantised"
                )
        nodes = [replaced for node in self.graph.node for replaced in self._replace(node)]
        for value in self.graph.output:
            if value.name in self.integers:
                raise CompileError(
                    f"output {value.name}: must be float to quantise the model again, not integers"
                )
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        read = {name for node in nodes for name in node.input}
        for tensor in [t for t in self.graph.initializer if t.name not in read]:
            self.graph.initializer.remove(tensor)
        del self.graph.value_info[:]

    def _replace(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        if node.op_type == "QuantizeLinear":
            return self._quantize(node)
        if node.op_type == "DequantizeLinear":
            return self._dequantize(node)
        if any(name in self.integers for name in node.input):
            # What moves integers moves floats alike.
            for index, name in enumerate(node.input):
                node.input[index] = self.integers.get(name, name)
            self.integers[node.output[0]] = node.output[0]
        return [node]

    def _constant(self, node: onnx.NodeProto, index: int) -> Array:
        name = node.input[index]
        if name not in self.constants:
            raise CompileError(f"node {node.name} ({node.op_type}): {name!r} must be constant")
        return self.constants[name]

    def _quantize(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        out = node.output[0]
        if node.input[0] in self.constants:
            self.constants[out] = self.constants[node.input[0]]
            self.integers[out] = node.input[0]
            return []
        zero = self._constant(node, 2) if len(node.input) > 2 else np.uint8(0)
        signed = self.producer.get(node.input[0]) in _SIGNED
        if signed and np.all(zero == np.iinfo(zero.dtype).min):
            self.integers[out] = f"{out}.rectified"
            name = f"{node.name or out}.relu"
            return [onnx.helper.make_node("Relu", [node.input[0]], [self.integers[out]], name)]
        self.integers[out] = node.input[0]
        return []

    def _dequantize(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        source, out = node.input[0], node.output[0]
        if source in self.integers:
            return [onnx.helper.make_node("Identity", [self.integers[source]], [out], node.name)]
        integers, scale = self._constant(node, 0), self._constant(node, 1)
        zero = self._constant(node, 2) if len(node.input) > 2 else np.zeros_like(scale, np.int64)
        shape = [1] * integers.ndim
        if scale.size > 1:
            shape[next((a.i for a in node.attribute if a.name == "axis"), 1)] = -1
        else:
            shape = []
        wide = integers.astype(np.int64) - zero.astype(np.int64).reshape(shape)
        real = (wide * scale.astype(np.float64).reshape(shape)).astype(np.float32)
        self.constants[out] = real
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(real, order="C"), out))
        return []
