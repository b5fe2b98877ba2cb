"""The reference of the processor's operators against onnxruntime, and against the device's own."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from host_compiler.importer import import_model
from host_compiler.importer.processor import PROCESSOR_OPERATORS
from host_compiler.ir import CpuOp, Graph, Value
from host_compiler.reference import run
from host_compiler.reference_cpu import CPU_REFERENCE, ONNX_NAMES
from tests.host_compiler.models import make_model, ort_run
from vta_pynq import cpu_ops
from vta_pynq.cpu_ops.registry import OPERATORS

S, OTHER = (2, 6, 8, 7), np.random.default_rng(9).normal(0, 1, (2, 6, 8, 7)).astype("f4")
SPREAD = np.random.default_rng(10).uniform(1, 2, 6).astype("f4")
CASES = {
    "add": (["o"], {}, {"o": OTHER}),
    "sub": (["o"], {}, {"o": OTHER}),
    "mul": (["o"], {}, {"o": OTHER}),
    "div": (["o"], {}, {"o": np.abs(OTHER) + 1}),
    "argmax": ([], {"axis": 1, "keepdims": 0}, {}),
    "average_pool": ([], {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, {}),
    "batch_norm": (["g", "b", "m", "v"], {}, dict(zip("gbmv", [SPREAD] * 4, strict=True))),
    "cast": ([], {"to": 6}, {}),
    "clip": (["low", "high"], {}, {"low": np.float32(-0.5), "high": np.float32(0.7)}),
    "clip-high": (["", "high"], {}, {"high": np.float32(0.7)}),
    "concat": (["o"], {"axis": 2}, {"o": OTHER}),
    "conv": (["w"], {"strides": [2, 1], "pads": [1, 1, 0, 0]}, {"w": OTHER[:, :, :3, :3]}),
    "exp": ([], {}, {}),
    "gather": (["i"], {"axis": 1}, {"i": np.array([3, 0])}),
    "global_average_pool": ([], {}, {}),
    "global_max_pool": ([], {}, {}),
    "leaky_relu": ([], {"alpha": 0.3}, {}),
    "log_softmax": ([], {"axis": 1}, {}),
    "matmul": (["w"], {}, {"w": OTHER[0, 0, :7, :5]}),
    "max_pool": ([], {"kernel_shape": [3, 3], "dilations": [2, 1], "pads": [1, 1, 1, 1]}, {}),
    "pad": (["p", "v"], {}, {"p": np.array([0, 0, 1, 2, 0, 1, 0, 3]), "v": np.float32(0.5)}),
    "reduce_mean": ([], {"axes": [1, 3], "keepdims": 1}, {}),
    "relu": ([], {}, {}),
    "resize": (["", "s"], {"mode": "linear"}, {"s": np.array([1, 1, 2, 1.5], "f4")}),
    "resize-sizes": (["", "", "s"], {"mode": "linear"}, {"s": np.array([2, 6, 5, 9])}),
    "sigmoid": ([], {}, {}),
    "slice": (
        ["b", "e", "a", "t"], {},
        {"b": np.array([1, -1]), "e": np.array([5, -9]), "a": np.array([1, 3]),
         "t": np.array([2, -1])},
    ),
    "softmax": ([], {"axis": 1}, {}),
    "sqrt": ([], {}, {}),
    "tanh": ([], {}, {}),
    "transpose": ([], {"perm": [0, 3, 1, 2]}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cpu_reference_operator_equals_onnxruntime_and_device(case):
    op = case.split("-")[0]
    onnx_name = {**ONNX_NAMES, **{v: k for k, v in PROCESSOR_OPERATORS.items()}}[op]
    more, attributes, constants = CASES[case]
    node = helper.make_node(onnx_name, ["x", *more], ["y"], op, **attributes)
    kind = {"argmax": 7, "cast": 6}.get(op, 1)
    model = make_model([node], {"x": ("f", S)}, {"y": "f"}, constants)
    model.graph.output[0].type.tensor_type.elem_type = kind
    x = np.random.default_rng(4).normal(0, 2, S).astype("f4")
    x = np.abs(x) if op == "sqrt" else x
    wanted = ort_run(model, {"x": x})[0]
    graph = import_model(model)
    (step,) = (n for n in graph.nodes if isinstance(n, CpuOp))
    assert step.op == op
    found = run(graph, {"x": x})[graph.outputs[0]]
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
    device = cpu_ops.run(op, [x, *step.constants], step.attributes)[0]
    np.testing.assert_allclose(device, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("leak", [False, True])
def test_cpu_reference_requantize_equals_device_bit_for_bit(axis, leak):
    random = np.random.default_rng(6)
    acc = random.integers(-40000, 40000, (2, 6, 5, 5)).astype("i4")
    scale = 0.0021 if axis is None else random.uniform(0.001, 0.004, 6).tolist()
    attributes = {"scale": scale, "zero_point": 4, "qmin": -90, "qmax": 100, "dtype": "int8"}
    attributes |= {} if axis is None else {"axis": axis}
    attributes |= {"negative_scale": 0.0005} if leak else {}
    node = CpuOp("r", ("a",), ("y",), op="requantize", attributes=attributes)
    values = [Value("a", acc.shape, "int32"), Value("y", acc.shape, "int8")]
    graph = Graph("test", values, [node], ["a"], ["y"])
    found = run(graph, {"a": acc})["y"]
    np.testing.assert_array_equal(found, cpu_ops.run("requantize", [acc], attributes)[0])
    assert len(np.unique(found)) > 50


def test_every_operator_that_the_importer_writes_has_a_reference_and_a_device_operator():
    written = {*PROCESSOR_OPERATORS.values(), "quantize", "dequantize", "requantize", "offset",
               "identity"}  # fmt: skip
    for op in sorted(written):
        assert op in OPERATORS, op
        assert op in CPU_REFERENCE or op in ONNX_NAMES, op
