"""Models in operator form (QLinearConv …) rewritten as what they stand for.

`QLinearConv(x, w) -> y` means QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w))).
Writing that out before shape inference leaves one form for the rest of the importer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from vta_pynq.errors import CompileError

__all__ = ["OPERATOR_FORM", "expand_operator_form"]

_MS = "com.microsoft"


class _Expansion:
    """The nodes that take one operator's place."""

    def __init__(self, node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> None:
        self.node = node
        self.nodes: list[onnx.NodeProto] = []
        self.new_constants: list[onnx.TensorProto] = []
        self.constants = constants
        self._base = node.name or node.output[0]

    def input(self, index: int) -> str:
        return self.node.input[index] if index < len(self.node.input) else ""

    def attributes(self, *but: str) -> list[onnx.AttributeProto]:
        return [a for a in self.node.attribute if a.name not in but]

    def attribute(self, name: str, default: float) -> float:
        found = [helper.get_attribute_value(a) for a in self.node.attribute if a.name == name]
        return float(found[0]) if found else default

    def refuse(self, reason: str) -> CompileError:
        return CompileError(f"node {self._base} ({self.node.op_type}): {reason}")

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        output: str,
        attributes: Sequence[onnx.AttributeProto] = (),
        axis: int | None = None,
        to: int | None = None,
    ) -> str:
        # The operator itself keeps the node's name, so that messages point at the model.
        name = self._base if op not in ("QuantizeLinear", "DequantizeLinear") else ""
        # make_node leaves out what is None.
        node = helper.make_node(op, list(inputs), [output], name or output, axis=axis, to=to)
        node.attribute.extend(attributes)
        self.nodes.append(node)
        return output

    def dequantize(self, value: str, scale: str, zero_point: str, axis: int | None = None) -> str:
        inputs = [value, scale, zero_point] if zero_point else [value, scale]
        return self.add(
            "DequantizeLinear", inputs, f"{self._base}.{value}.real{len(self.nodes)}", axis=axis
        )

    def quantize(self, value: str, scale: str, zero_point: str) -> None:
        inputs = [value, scale, zero_point] if zero_point else [value, scale]
        self.add("QuantizeLinear", inputs, self.node.output[0])

    @property
    def real(self) -> str:
        """Name of the operator's result before quantisation."""
        return f"{self.node.output[0]}.real"

    def array(self, name: str) -> npt.NDArray[Any]:
        if name not in self.constants:
            raise self.refuse(f"input {name!r} must be constant")
        return np.asarray(numpy_helper.to_array(self.constants[name]))

    def axis_of(self, scale: str, axis: int) -> int | None:
        """`axis` where the scale differs along it, otherwise None."""
        return axis if self.array(scale).size > 1 else None

    def constant(self, array: npt.NDArray[Any], what: str) -> str:
        name = f"{self._base}.{what}"
        self.new_constants.append(numpy_helper.from_array(array, name))
        return name

    def bias(self, name: str, x_scale: str, w_scale: str) -> list[str]:
        """The int32 bias as a dequantised value, at input scale times weight scale."""
        if not name:
            return []
        scale = self.array(x_scale).astype(np.float32) * self.array(w_scale).astype(np.float32)
        scale = scale.reshape(()) if scale.size == 1 else scale.reshape(-1)
        scale_name = self.constant(scale, "bias_scale")
        zero = self.constant(np.zeros(scale.shape, np.int32), "bias_zero_point")
        return [self.dequantize(name, scale_name, zero, 0 if scale.ndim else None)]


def _qlinear_conv(e: _Expansion) -> None:
    x = e.dequantize(e.input(0), e.input(1), e.input(2))
    w = e.dequantize(e.input(3), e.input(4), e.input(5), e.axis_of(e.input(4), 0))
    bias = e.bias(e.input(8), e.input(1), e.input(4))
    e.quantize(e.add("Conv", [x, w, *bias], e.real, e.attributes()), e.input(6), e.input(7))


def _qlinear_matmul(e: _Expansion) -> None:
    a = e.dequantize(e.input(0), e.input(1), e.input(2))
    b = e.dequantize(e.input(3), e.input(4), e.input(5), e.axis_of(e.input(4), 1))
    e.quantize(e.add("MatMul", [a, b], e.real), e.input(6), e.input(7))


def _qgemm(e: _Expansion) -> None:
    transposed = int(e.attribute("transB", 0))
    a = e.dequantize(e.input(0), e.input(1), e.input(2))
    axis = e.axis_of(e.input(4), 0 if transposed else 1)
    b = e.dequantize(e.input(3), e.input(4), e.input(5), axis)
    if e.attribute("alpha", 1.0) != 1.0:
        raise e.refuse("alpha must be 1")
    bias = e.bias(e.input(6), e.input(1), e.input(4))
    y = e.add("Gemm", [a, b, *bias], e.real, e.attributes("alpha"))
    if e.input(7):
        e.quantize(y, e.input(7), e.input(8))
    else:
        e.add("Identity", [y], e.node.output[0])


def _qlinear_binary(op: str) -> Callable[[_Expansion], None]:
    def expand(e: _Expansion) -> None:
        a = e.dequantize(e.input(0), e.input(1), e.input(2))
        b = e.dequantize(e.input(3), e.input(4), e.input(5))
        e.quantize(e.add(op, [a, b], e.real), e.input(6), e.input(7))

    return expand


def _qlinear_unary(op: str) -> Callable[[_Expansion], None]:
    def expand(e: _Expansion) -> None:
        if e.attribute("channels_last", 0):
            raise e.refuse("channels must come second, not last")
        x = e.dequantize(e.input(0), e.input(1), e.input(2))
        y = e.add(op, [x], e.real, e.attributes("channels_last", "opset"))
        e.quantize(y, e.input(3), e.input(4))

    return expand


def _qlinear_concat(e: _Expansion) -> None:
    parts = [
        e.dequantize(e.input(i), e.input(i + 1), e.input(i + 2))
        for i in range(2, len(e.node.input), 3)
    ]
    e.quantize(e.add("Concat", parts, e.real, e.attributes()), e.input(0), e.input(1))


def _integer_product(op: str, weight_axis: int) -> Callable[[_Expansion], None]:
    """ConvInteger and MatMulInteger: products of integers, so every scale is 1."""

    def expand(e: _Expansion) -> None:
        one = e.constant(np.float32(1.0).reshape(()), "one")
        scale = one
        if e.input(3) and e.array(e.input(3)).size > 1:
            scale = e.constant(np.ones(e.array(e.input(3)).size, np.float32), "ones")
        x = e.dequantize(e.input(0), one, e.input(2))
        axis = None if scale == one else weight_axis
        w = e.dequantize(e.input(1), scale, e.input(3), axis)
        y = e.add(op, [x, w], e.real, e.attributes())
        e.add("Cast", [y], e.node.output[0], to=onnx.TensorProto.INT32)

    return expand


OPERATOR_FORM: dict[tuple[str, str], Callable[[_Expansion], None]] = {
    ("", "QLinearConv"): _qlinear_conv,
    ("", "QLinearMatMul"): _qlinear_matmul,
    ("", "ConvInteger"): _integer_product("Conv", 0),
    ("", "MatMulInteger"): _integer_product("MatMul", 1),
    (_MS, "QGemm"): _qgemm,
    (_MS, "QLinearAdd"): _qlinear_binary("Add"),
    (_MS, "QLinearMul"): _qlinear_binary("Mul"),
    (_MS, "QLinearConcat"): _qlinear_concat,
    (_MS, "QLinearAveragePool"): _qlinear_unary("AveragePool"),
    (_MS, "QLinearGlobalAveragePool"): _qlinear_unary("GlobalAveragePool"),
    (_MS, "QLinearLeakyRelu"): _qlinear_unary("LeakyRelu"),
    (_MS, "QLinearSigmoid"): _qlinear_unary("Sigmoid"),
    (_MS, "QLinearSoftmax"): _qlinear_unary("Softmax"),
}
"""(domain, operator) to what writes it out."""

_MOVED_TO_STANDARD = ("QuantizeLinear", "DequantizeLinear")
"""Operators that onnxruntime also writes in its own domain, with the standard meaning."""


def expand_operator_form(model: onnx.ModelProto) -> None:
    """Replace operators of quantised arithmetic in place.

    Raises
    ------
    CompileError
        One of them has a form that is not supported.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain == _MS and node.op_type in _MOVED_TO_STANDARD:
            node.domain = ""
        expand = OPERATOR_FORM.get((domain, node.op_type))
        if expand is None:
            nodes.append(node)
            continue
        expansion = _Expansion(node, constants)
        expand(expansion)
        nodes += expansion.nodes
        model.graph.initializer.extend(expansion.new_constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
