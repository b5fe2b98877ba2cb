"""A quarter of a unit in front of every rounding, so that no sum lies on a tie.

ONNX rounds ties to even, the accelerator rounds them up (it adds half and shifts right). Sums of
integers hit ties often: one in 2^s for a shift by s. A model in which a quarter of the sum's
unit is added first has no ties, so that onnxruntime and the accelerator agree on every element.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

__all__ = ["break_ties"]

Array = npt.NDArray[Any]

_QUARTER = 0.25
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "MaxPool", "Flatten", "Reshape")
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_MEANS = ("AveragePool", "GlobalAveragePool")


def break_ties(model: onnx.ModelProto) -> int:
    """Add the quarter behind every sum that is rounded; returns how many there were.

    It is an Add of its own: onnxruntime rounds what it finds in a bias to whole units.
    """
    return _Ties(model).run()


class _Ties:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {t.name: t for t in self.graph.initializer}
        self.producer = {name: node for node in self.graph.node for name in node.output}
        self.outputs = {value.name for value in self.graph.output}
        inferred = onnx.shape_inference.infer_shapes(model).graph
        self.shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*inferred.input, *inferred.value_info, *inferred.output)
        }

    def run(self) -> int:
        found: dict[str, Array] = {}
        for node in list(self.graph.node):
            if node.op_type == "QuantizeLinear":
                total = self._sum_behind(node.input[0])
                unit = self._unit(total) if total is not None else None
                if total is not None and unit is not None:
                    found[total.output[0]] = unit
        for name, unit in found.items():
            self._insert(name, unit)
        return len(found)

    def _sum_behind(self, name: str) -> onnx.NodeProto | None:
        """The node whose sum becomes `name` through activations alone."""
        node: onnx.NodeProto | None = self.producer.get(name)
        while node is not None and node.op_type in _ACTIVATIONS:
            node = self.producer.get(node.input[0])
        if node is not None and node.op_type == "Add":
            for name in node.input:
                inner: onnx.NodeProto | None = self.producer.get(name)
                if inner is not None and inner.op_type in _PRODUCTS:
                    return inner
        return node

    def _unit(self, node: onnx.NodeProto) -> Array | None:
        """The real value of 1 in the sum, shaped to broadcast against it."""
        if node.op_type in _PRODUCTS:
            scales = [self._scale(name) for name in node.input[:2]]
            if scales[0] is None or scales[1] is None or scales[0].size != 1:
                return None
            unit = scales[0].reshape(()) * scales[1]
            if unit.size == 1:
                return unit.reshape(())
            return unit.reshape(-1, 1, 1) if node.op_type.startswith("Conv") else unit.reshape(-1)
        if node.op_type == "Add":
            scales = [self._scale(name) for name in node.input]
            if any(scale is None or scale.size != 1 for scale in scales):
                return None
            return np.minimum(*(np.asarray(s).reshape(()) for s in scales))
        if node.op_type in _MEANS:
            scale, count = self._scale(node.input[0]), self._window(node)
            return None if scale is None or count is None else scale.reshape(()) / count
        return None

    def _scale(self, name: str) -> Array | None:
        node = self.producer.get(name)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        constant = self.constants.get(node.input[1])
        if constant is None:
            return None
        return np.asarray(numpy_helper.to_array(constant)).astype(np.float64)

    def _window(self, node: onnx.NodeProto) -> int | None:
        """Elements of a mean; None where that differs between pixels or is not known."""
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if any(attributes.get("pads", ())) or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
            return None
        if node.op_type == "AveragePool":
            return None if attributes.get("ceil_mode") else int(np.prod(attributes["kernel_shape"]))
        shape = self.shapes.get(node.input[0], [])
        return int(np.prod(shape[2:])) or None if len(shape) == 4 else None

    def _insert(self, name: str, unit: Array) -> None:
        if name in self.outputs:
            return
        quarter, out = f"{name}.quarter", f"{name}.untied"
        tensor = numpy_helper.from_array((unit * _QUARTER).astype(np.float32), quarter)
        self.graph.initializer.append(tensor)
        for node in self.graph.node:
            for index, read in enumerate(node.input):
                if read == name:
                    node.input[index] = out
        add = onnx.helper.make_node("Add", [name, quarter], [out], f"{name}.break_ties")
        at = next(i for i, node in enumerate(self.graph.node) if name in node.output)
        self.graph.node.insert(at + 1, add)
