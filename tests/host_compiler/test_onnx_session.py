"""Integers of onnxruntime are exact whatever the processor: compared with sums in 64 bits."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from host_compiler.onnx_session import exact_session, with_unsigned_weights
from tests.host_compiler.models import make_model

SEEDS = range(4)
X_SCALE, Y_SCALE = np.float32(0.5), np.float32(512)
W_SCALE = 2.0 ** -np.arange(1, 9, dtype=np.float32)
"""Powers of two: the scaling is exact, and the only roundings are the last ones."""


def loud(seed):
    """Activations and weights whose pairs of products leave 16 bits."""
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    x = random.choice(np.array([0, 1, 254, 255], np.uint8), (5, 32))
    weights = random.choice(np.array([-128, -127, 126, 127], np.int8), (8, 32))
    return x, weights


def wanted(x, zero, weights, low):
    """x (N, I), weights (O, I): requantised sums, ties to even, zero point `zero`."""
    sums = (x.astype(np.int64) - zero) @ weights.T.astype(np.int64)
    real = sums * (X_SCALE * W_SCALE / Y_SCALE).astype(np.float64)
    return np.clip(np.rint(real) + zero, low, low + 255)


def constants(zero, weights, *, w_zero=True):
    found = {
        "xs": X_SCALE, "xz": zero, "w": weights, "ws": W_SCALE, "ys": Y_SCALE, "yz": zero,
    }  # fmt: skip
    return {**found, "wz": np.zeros(8, np.int8)} if w_zero else found


def operator_form(kind, zero, weights):
    if kind == "QGemm":
        values = {**constants(zero, weights), "b": np.zeros(8, np.int32)}
        names = ["x", "xs", "xz", "w", "ws", "wz", "b", "ys", "yz"]
        node = helper.make_node(kind, names, ["y"], domain="com.microsoft", transB=1)
    else:
        weights = weights[:, :, None, None] if kind == "QLinearConv" else weights.T.copy()
        values = constants(zero, weights)
        node = helper.make_node(kind, ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    kind_of_x = "B" if zero.dtype == np.uint8 else "b"
    return node, values, kind_of_x


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["QLinearConv", "QLinearMatMul", "QGemm"])
@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_exact_session_of_operator_form_sums_without_saturation(seed, kind, optimised, signed):
    x, weights = loud(seed)
    zero = np.array(3, np.uint8)
    if signed:
        x, zero = (x.astype(np.int16) - 128).astype(np.int8), np.array(-5, np.int8)
    expected = wanted(x, int(zero), weights, -128 if signed else 0)
    node, values, letter = operator_form(kind, zero, weights)
    shape = (*x.shape, 1, 1) if kind == "QLinearConv" else x.shape
    model = make_model([node], {"x": (letter, shape)}, {"y": letter}, values)
    found = exact_session(model, optimised=optimised).run(None, {"x": x.reshape(shape)})[0]
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["Conv", "MatMul", "Gemm"])
@pytest.mark.parametrize("w_zero", [False, True])
@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_exact_session_of_qdq_form_sums_without_saturation(seed, kind, w_zero, optimised, signed):
    x, weights = loud(seed)
    zero = np.array(3, np.uint8)
    if signed:
        x, zero = (x.astype(np.int16) - 128).astype(np.int8), np.array(-5, np.int8)
    expected = wanted(x, int(zero), weights, -128 if signed else 0)
    weights = {"Conv": weights[:, :, None, None], "Gemm": weights, "MatMul": weights.T.copy()}[kind]
    shape = (*x.shape, 1, 1) if kind == "Conv" else x.shape
    axis = 1 if kind == "MatMul" else 0
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xr"]),
        helper.make_node("DequantizeLinear", ["w", "ws", *["wz"] * w_zero], ["wr"], axis=axis),
        helper.make_node(kind, ["xr", "wr"], ["yr"], **({"transB": 1} if kind == "Gemm" else {})),
        helper.make_node("QuantizeLinear", ["yr", "ys", "yz"], ["y"]),
    ]
    letter = "b" if signed else "B"
    values = constants(zero, weights, w_zero=w_zero)
    model = make_model(nodes, {"x": (letter, shape)}, {"y": letter}, values)
    found = exact_session(model, optimised=optimised).run(None, {"x": x.reshape(shape)})[0]
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("kind", ["ConvInteger", "MatMulInteger"])
@pytest.mark.parametrize("zeros", [(), ("xz",), ("xz", "wz")])
def test_exact_session_of_integer_form_sums_without_saturation(kind, zeros):
    x, weights = loud(0)
    conv = kind == "ConvInteger"
    shape = (*x.shape, 1, 1) if conv else x.shape
    operand = weights[:, :, None, None] if conv else weights.T.copy()
    values = {"w": operand, "xz": np.array(3, np.uint8), "wz": np.array(0, np.int8)}
    node = helper.make_node(kind, ["x", "w", *zeros], ["y"])
    kept = {name: value for name, value in values.items() if name in node.input}
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)],
        [numpy_helper.from_array(value, name) for name, value in kept.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = exact_session(model).run(None, {"x": x.reshape(shape)})[0]
    expected = (x.astype(np.int64) - (3 if zeros else 0)) @ weights.T.astype(np.int64)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_with_unsigned_weights_leaves_its_argument_and_shared_constants_alone():
    x, weights = loud(0)
    node, values, letter = operator_form("QLinearConv", np.array(3, np.uint8), weights)
    plain = helper.make_node("Identity", ["w"], ["kept"])
    shape = (*x.shape, 1, 1)
    model = make_model([node, plain], {"x": (letter, shape)}, {"y": letter, "kept": "b"}, values)
    before = model.SerializeToString()
    changed = with_unsigned_weights(model)
    assert model.SerializeToString() == before
    assert list(changed.graph.node[1].input) == ["w"]
    raised = {t.name: numpy_helper.to_array(t) for t in changed.graph.initializer}
    operand, zero = changed.graph.node[0].input[3], changed.graph.node[0].input[5]
    np.testing.assert_array_equal(raised[operand], values["w"].astype(np.int16) + 128)
    assert raised[zero].dtype == np.uint8 and set(raised[zero].tolist()) == {128}
