"""The ONNX standard's node tests, as they are and wrapped into quantised models."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

OPSET = 21
WEIGHTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (1,), "MatMul": (1,)}
BIASES = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}


class NodeTest:
    """One test: the model, its inputs and expected outputs."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.model = onnx.load(os.path.join(folder, "model.onnx"))
        self._data = os.path.join(folder, "test_data_set_0")

    def _read(self, kind: str) -> list[np.ndarray]:
        arrays = []
        while os.path.exists(path := os.path.join(self._data, f"{kind}_{len(arrays)}.pb")):
            tensor = onnx.TensorProto()
            with open(path, "rb") as file:
                tensor.ParseFromString(file.read())
            arrays.append(numpy_helper.to_array(tensor))
        return arrays

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        names = [value.name for value in self.model.graph.input]
        return dict(zip(names, self._read("input"), strict=True))

    @property
    def outputs(self) -> list[np.ndarray]:
        return self._read("output")


@functools.cache
def node_tests(operator: str) -> list[NodeTest]:
    """Every test of one node of an operator, in a version that the compiler reads."""
    return [
        test
        for case in _cases()
        if _concerns(case.name, operator)
        for test in [NodeTest(case.name, case.model_dir)]
        if [node.op_type for node in test.model.graph.node] == [operator]
        and any(o.version >= 13 for o in test.model.opset_import if o.domain == "")
    ]


@functools.cache
def _cases() -> list[Any]:
    return list(load_model_tests(kind="node"))


def _concerns(name: str, operator: str) -> bool:
    return operator.lower() in name.replace("_", "").lower()


def _power_of_two(array: np.ndarray) -> float:
    top = float(np.abs(array).max(initial=0)) or 1.0
    return float(2.0 ** np.ceil(np.log2(top / 127)))


def quantised(test: NodeTest) -> onnx.ModelProto | None:
    """The test's node between int8 QuantizeLinear and DequantizeLinear pairs with scales that are
    powers of two; None where its operands are not all real numbers or constants.
    """
    (node,) = test.model.graph.node
    arrays = test.inputs
    outputs = test.outputs
    if len(outputs) != 1 or outputs[0].dtype != np.float32 or not outputs[0].size:
        return None
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    real_inputs: list[onnx.ValueInfoProto] = []
    operands: list[str] = []
    scales: dict[int, float] = {}

    def constant(name: str, array: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(array, name))
        return name

    def pair(name: str, scale: float, zero: str) -> str:
        steps = constant(f"{name}.scale", np.float32(scale))
        nodes.append(helper.make_node("QuantizeLinear", [name, steps, zero], [f"{name}.q"]))
        nodes.append(
            helper.make_node("DequantizeLinear", [f"{name}.q", steps, zero], [f"{name}.r"])
        )
        return f"{name}.r"

    zero = constant("zero", np.int8(0))
    for index, name in enumerate(node.input):
        if not name:
            operands.append("")
            continue
        array = arrays[name]
        if array.dtype != np.float32 or (index and node.op_type in ("Resize", "Pad", "Clip")):
            operands.append(constant(name, array))
            continue
        if index == BIASES.get(node.op_type):
            step = scales[0] * scales[1]
            steps = constant(f"{name}.scale", np.float32(step))
            values = constant(f"{name}.i", np.rint(array / step).astype(np.int32))
            nodes.append(helper.make_node("DequantizeLinear", [values, steps], [f"{name}.r"]))
            operands.append(f"{name}.r")
            continue
        scales[index] = _power_of_two(array)
        if index in WEIGHTS.get(node.op_type, ()):
            integers = np.rint(array / scales[index]).clip(-127, 127).astype(np.int8)
            steps = constant(f"{name}.scale", np.float32(scales[index]))
            values = constant(f"{name}.i", integers)
            nodes.append(helper.make_node("DequantizeLinear", [values, steps, zero], [f"{name}.r"]))
            operands.append(f"{name}.r")
            continue
        real_inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
        operands.append(pair(name, scales[index], zero))
    inner = onnx.NodeProto()
    inner.CopyFrom(node)
    del inner.input[:]
    inner.input.extend(operands)
    inner.name = "node"
    nodes.append(inner)
    same_scale = node.op_type in ("MaxPool", "Concat", "Resize", "Pad", "Flatten", "Reshape")
    scale = max(scales.values()) if same_scale and scales else _power_of_two(outputs[0])
    out = pair(node.output[0], scale, zero)
    return _model(nodes, real_inputs, out, outputs[0].shape, constants)


def _model(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[onnx.ValueInfoProto], out: str,
    shape: Sequence[int], constants: Sequence[onnx.TensorProto],
) -> onnx.ModelProto:  # fmt: skip
    result = helper.make_tensor_value_info(out, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "wrapped", inputs, [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
