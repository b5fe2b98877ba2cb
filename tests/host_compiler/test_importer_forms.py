"""Models in the forms of onnxruntime, PyTorch and Brevitas import to what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from host_compiler.importer import import_model
from host_compiler.ir import Conv, Graph
from host_compiler.passes import prepare
from host_compiler.reference import run
from tests.host_compiler.models import INT8, UINT8, make_model, ort_quantised, ort_run

node = helper.make_node


class Shifts:
    multiplies = False


class Multiplies:
    multiplies = True


def outputs(graph: Graph, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    found = run(graph, feeds)
    return [found[name] for name in graph.outputs]


def float_net(seed: int, *extra: onnx.NodeProto, last: str, **constants) -> onnx.ModelProto:
    """conv -> relu -> `extra` nodes from "r" to `last`."""
    random = np.random.default_rng(seed)
    weights = {
        "w0": random.normal(0, 0.3, (6, 3, 3, 3)).astype("f4"),
        "b0": random.normal(0, 0.3, 6).astype("f4"),
        **constants,
    }
    nodes = [
        node("Conv", ["x", "w0", "b0"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], "relu"),
        *extra,
    ]
    return make_model(nodes, {"x": ("f", (1, 3, 8, 8))}, {last: "f"}, weights)


POOL = node("MaxPool", ["r"], ["m"], "pool", kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
RANDOM = np.random.default_rng(5)
NETS = {
    "add": float_net(1, POOL, node("Add", ["m", "c"], ["y"], "add"), last="y"),
    "sub": float_net(2, POOL, node("Sub", ["m", "c"], ["y"], "sub"), last="y"),
    "mul": float_net(3, POOL, node("Mul", ["m", "c"], ["y"], "mul"), last="y"),
    "concat": float_net(
        4,
        POOL,
        node("Concat", ["m", "c"], ["y"], "concat", axis=1),
        last="y",
    ),
    "leaky": float_net(
        5,
        node("Conv", ["r", "w1"], ["d"], "conv1", group=3, strides=[2, 1]),
        node("LeakyRelu", ["d"], ["y"], "leaky", alpha=0.125),
        last="y",
        w1=RANDOM.normal(0, 0.3, (9, 2, 2, 3)).astype("f4"),
    ),
    "average": float_net(
        6,
        node(
            "AveragePool", ["r"], ["y"], "average", kernel_shape=[3, 3], strides=[2, 2],
            pads=[1, 1, 1, 1],
        ),
        last="y",
    ),
    "global": float_net(
        7,
        node("GlobalAveragePool", ["r"], ["g"], "global"),
        node("Flatten", ["g"], ["f"], "flatten"),
        node("Gemm", ["f", "w1", "b1"], ["y"], "gemm", transB=1),
        last="y",
        w1=RANDOM.normal(0, 0.3, (5, 6)).astype("f4"),
        b1=RANDOM.normal(0, 0.3, 5).astype("f4"),
    ),
    "matmul": float_net(
        8,
        node("Reshape", ["r", "shape"], ["f"], "reshape"),
        node("MatMul", ["f", "w1"], ["y"], "matmul"),
        last="y",
        shape=np.array([1, 48, 8]),
        w1=RANDOM.normal(0, 0.3, (8, 7)).astype("f4"),
    ),
    "transposed": float_net(
        9,
        node(
            "ConvTranspose", ["r", "w1", "b1"], ["y"], "up", strides=[2, 2], pads=[1, 1, 1, 1],
            output_padding=[1, 1],
        ),
        last="y",
        w1=RANDOM.normal(0, 0.3, (6, 4, 3, 3)).astype("f4"),
        b1=RANDOM.normal(0, 0.3, 4).astype("f4"),
    ),
    "sigmoid": float_net(
        10,
        node("Sigmoid", ["c"], ["s"], "sigmoid"),
        node("Resize", ["s", "", "scales"], ["y"], "resize", mode="nearest",
             coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        last="y",
        scales=np.array([1, 1, 2, 2], "f4"),
    ),
    "softmax": float_net(
        11,
        node("Transpose", ["r"], ["t"], "transpose", perm=[0, 2, 3, 1]),
        node("Softmax", ["t"], ["y"], "softmax", axis=-1),
        last="y",
    ),
    "split": float_net(
        13,
        node("Split", ["r", "sizes"], ["a", "b"], "split", axis=1),
        node("Conv", ["a", "w1"], ["d"], "conv1"),
        node("Concat", ["b", "d"], ["y"], "concat", axis=1),
        last="y",
        sizes=np.array([4, 2]),
        w1=RANDOM.normal(0, 0.3, (3, 4, 1, 1)).astype("f4"),
    ),
    "slice": float_net(
        14,
        node("Slice", ["r", "starts", "ends", "axes", "steps"], ["a"], "slice"),
        node("Conv", ["a", "w1"], ["y"], "conv1"),
        last="y",
        starts=np.array([1, 0]),
        ends=np.array([5, 99]),
        axes=np.array([1, 3]),
        steps=np.array([1, 2]),
        w1=RANDOM.normal(0, 0.3, (3, 4, 1, 1)).astype("f4"),
    ),
    "pad": float_net(
        12,
        node("Pad", ["r", "pads"], ["p"], "pad"),
        node("Clip", ["p", "low", "high"], ["k"], "clip"),
        node("Conv", ["k", "w1"], ["y"], "conv1"),
        last="y",
        pads=np.array([0, 0, 1, 2, 0, 0, 2, 1]),
        low=np.array(0, "f4"),
        high=np.array(1, "f4"),
        w1=RANDOM.normal(0, 0.3, (4, 6, 3, 3)).astype("f4"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("qdq", [True, False])
@pytest.mark.parametrize("activations", [UINT8, INT8])
@pytest.mark.parametrize("per_channel", [True, False])
def test_import_onnxruntime_form_is_within_a_step_of_onnxruntime(
    name, qdq, activations, per_channel, tmp_path
):
    if name == "transposed" and not qdq:
        pytest.skip("onnxruntime's operator form leaves ConvTranspose in floats")
    random = np.random.default_rng(7)
    samples = random.normal(0, 1, (4, 3, 8, 8)).astype("f4")
    model = ort_quantised(
        NETS[name], "x", samples, tmp_path,
        qdq=qdq, activations=activations, per_channel=per_channel,
    )  # fmt: skip
    graph = import_model(model)
    x = random.normal(0, 1, (1, 3, 8, 8)).astype("f4")
    wanted = ort_run(model, {"x": x})[0]
    found = outputs(graph, {"x": x})[0]
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    gaps = np.diff(np.unique(wanted))
    step = gaps[gaps > 1e-6].min()
    apart = np.abs(found - wanted) / step
    # Float32 kernels of onnxruntime round a tie either way now and then.
    assert apart.max() < 1.01
    assert (apart > 0.01).mean() <= 0.02, f"{(apart > 0.01).sum()} of {apart.size} differ"
    largest = max(max(v.quant.scale) for v in graph.values.values() if v.quant is not None)
    for target in (Shifts(), Multiplies()):
        exact = outputs(prepare(graph, target), {"x": x})[0]
        assert np.abs(exact - found).max() / max(step, largest) < 2.01


def quantised(name: str, scale: float, zero: int = 0, kind: str = "i1", source: str = ""):
    """A Q/DQ pair behind `source` and its constants."""
    source = source or name
    nodes = [
        node("QuantizeLinear", [source, f"{name}_s", f"{name}_z"], [f"{name}_q"]),
        node("DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [f"{name}_dq"]),
    ]
    return nodes, {f"{name}_s": np.float32(scale), f"{name}_z": np.array(zero, kind)}


def pytorch_net(float_bias: bool, zero: int) -> onnx.ModelProto:
    """PyTorch's PT2E export: uint8 activations, int8 weights per channel, shape arithmetic."""
    random = np.random.default_rng(11)
    pair_x, c_x = quantised("x", 0.02, zero, "u1")
    pair_y, c_y = quantised("y", 0.05, 0, "u1", "relu")
    pair_o, c_o = quantised("o", 0.1, 128, "u1", "lin")
    w_scale = random.uniform(0.01, 0.02, 6).astype("f4")
    constants = {
        **c_x, **c_y, **c_o,
        "w": random.integers(-127, 128, (6, 3, 3, 3)).astype("i1"), "w_s": w_scale,
        "w_z": np.zeros(6, "i1"),
        "w2": random.integers(-127, 128, (5, 96)).astype("i1"), "w2_s": np.float32(0.01),
        "w2_z": np.array(0, "i1"), "zero": np.array([0]), "minus": np.array([-1]),
        "first": np.array(0),
    }  # fmt: skip
    if float_bias:
        constants["b_dq"] = random.normal(0, 0.5, 6).astype("f4")
        bias = []
    else:
        constants |= {
            "b": random.integers(-900, 900, 6).astype("i4"),
            "b_s": (np.float32(0.02) * w_scale).astype("f4"),
            "b_z": np.zeros(6, "i4"),
        }
        bias = [node("DequantizeLinear", ["b", "b_s", "b_z"], ["b_dq"], axis=0)]
    nodes = [
        *pair_x,
        node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_dq"], axis=0),
        *bias,
        node("Conv", ["x_dq", "w_dq", "b_dq"], ["conv"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["conv"], ["relu"], "relu"),
        *pair_y,
        node("Shape", ["y_dq"], ["dims"]),
        node("Gather", ["dims", "first"], ["n"]),
        node("Unsqueeze", ["n", "zero"], ["n1"]),
        node("Concat", ["n1", "minus"], ["target"], axis=0),
        node("Reshape", ["y_dq", "target"], ["flat"], "view"),
        node("DequantizeLinear", ["w2", "w2_s", "w2_z"], ["w2_dq"]),
        node("Transpose", ["w2_dq"], ["w2_t"], perm=[1, 0]),
        node("MatMul", ["flat", "w2_t"], ["lin"], "linear"),
        *pair_o,
    ]
    return make_model(nodes, {"x": ("f", ("n", 3, 8, 8))}, {"o_dq": "f"}, constants)


@pytest.mark.parametrize("float_bias", [True, False])
@pytest.mark.parametrize("zero", [0, 117, 255])
def test_import_pytorch_form_equals_onnxruntime(float_bias, zero):
    model = pytorch_net(float_bias, zero)
    graph = import_model(model, {"n": 2})
    x = np.random.default_rng(3).normal(0, 1.5, (2, 3, 8, 8)).astype("f4")
    apart = np.abs(outputs(graph, {"x": x})[0] - ort_run(model, {"x": x})[0]) / np.float32(0.1)
    assert apart.max() < 1.01
    assert (apart > 0.01).mean() <= 0.2 * float_bias  # a rounded bias moves a sum by half a unit
    prepared = prepare(graph, Multiplies())
    convolutions = [n for n in prepared.nodes if isinstance(n, Conv)]
    assert [n.kernel for n in convolutions] == [(3, 3), (4, 4)], "the flattening must be absorbed"
    exact = outputs(prepared, {"x": x})[0]
    assert np.abs(exact - outputs(graph, {"x": x})[0]).max() < 2.01 * 0.1


def brevitas_net(narrow: bool) -> onnx.ModelProto:
    """Brevitas' QDQ export: float weights through Q, Clip (narrow range) and DQ; powers of two."""
    random = np.random.default_rng(13)
    pair_x, c_x = quantised("x", 2.0**-5)
    pair_y, c_y = quantised("y", 2.0**-4, 0, "i1", "relu")
    pair_z, c_z = quantised("z", 2.0**-3, 0, "i1", "sum")
    constants = {
        **c_x, **c_y, **c_z,
        "w": random.normal(0, 0.4, (6, 3, 3, 3)).astype("f4"),
        "w_s": np.exp2(random.integers(-8, -5, 6)).astype("f4"), "w_z": np.zeros(6, "i1"),
        "low": np.array(-127, "i1"), "high": np.array(127, "i1"),
        "b": random.integers(-400, 400, 6).astype("i4"), "b_z": np.zeros(6, "i4"),
        "v": random.integers(-127, 128, (6, 6, 1, 1)).astype("i1"),
        "v_s": np.float32(2.0**-7), "v_z": np.array(0, "i1"),
    }  # fmt: skip
    constants["b_s"] = constants["w_s"] * np.float32(2.0**-5)
    clip = [node("Clip", ["w_q", "low", "high"], ["w_c"])] if narrow else []
    nodes = [
        *pair_x,
        node("QuantizeLinear", ["w", "w_s", "w_z"], ["w_q"], axis=0),
        *clip,
        node("DequantizeLinear", ["w_c" if narrow else "w_q", "w_s", "w_z"], ["w_dq"], axis=0),
        node("DequantizeLinear", ["b", "b_s", "b_z"], ["b_dq"], axis=0),
        node("Conv", ["x_dq", "w_dq", "b_dq"], ["conv"], "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["conv"], ["relu"], "relu"),
        *pair_y,
        node("DequantizeLinear", ["v", "v_s", "v_z"], ["v_dq"]),
        node("Conv", ["y_dq", "v_dq"], ["conv2"], "conv2"),
        node("Add", ["conv2", "y_dq"], ["sum"], "residual"),
        *pair_z,
    ]
    return make_model(nodes, {"x": ("f", (1, 3, 8, 8))}, {"z_dq": "f"}, constants)


@pytest.mark.parametrize("narrow", [True, False])
def test_import_brevitas_form_equals_onnxruntime_in_every_element(narrow):
    model = brevitas_net(narrow)
    graph = prepare(import_model(model), Shifts())
    assert [type(n).__name__ for n in graph.nodes].count("Conv") == 2
    assert all(getattr(n, "op", "") in ("", "quantize", "dequantize") for n in graph.nodes)
    x = np.random.default_rng(3).normal(0, 1.5, (1, 3, 8, 8)).astype("f4")
    np.testing.assert_array_equal(outputs(graph, {"x": x})[0], ort_run(model, {"x": x})[0])


def test_import_batch_norm_behind_quantised_conv_is_folded():
    random = np.random.default_rng(17)
    pair_x, c_x = quantised("x", 0.03, 100, "u1")
    pair_y, c_y = quantised("y", 0.05, 3, "i1", "bn")
    constants = {
        **c_x, **c_y,
        "w": random.integers(-127, 128, (6, 3, 3, 3)).astype("i1"),
        "w_s": np.float32(0.01), "w_z": np.array(0, "i1"),
        "gamma": random.normal(0, 1, 6).astype("f4"), "beta": random.normal(0, 1, 6).astype("f4"),
        "mean": random.normal(0, 1, 6).astype("f4"), "var": random.uniform(1, 2, 6).astype("f4"),
    }  # fmt: skip
    nodes = [
        *pair_x,
        node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_dq"]),
        node("Conv", ["x_dq", "w_dq"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["bn"], "norm"),
        *pair_y,
    ]
    model = make_model(nodes, {"x": ("f", (1, 3, 8, 8))}, {"y_q": "b"}, constants)
    graph = import_model(model)
    assert [type(n).__name__ for n in graph.nodes] == ["CpuOp", "Conv"]
    x = random.normal(0, 1.5, (1, 3, 8, 8)).astype("f4")
    apart = np.abs(outputs(graph, {"x": x})[0].astype(int) - ort_run(model, {"x": x})[0])
    assert apart.max() <= 1 and (apart > 0).mean() < 0.02


@pytest.mark.parametrize("bias", [0.25, 0.5, 0.75])
def test_import_float_bias_between_units_is_exact(bias):
    """A bias that is no whole number of units decides ties; onnxruntime agrees everywhere."""
    pair_x, c_x = quantised("x", 0.5)
    pair_y, c_y = quantised("y", 1.0, 0, "i1", "c")
    constants = {
        **c_x, **c_y, "w": np.ones((1, 1, 1, 1), "i1"), "w_s": np.float32(1), "w_z": np.int8(0),
        "b": np.array([bias / 2], "f4"),
    }  # fmt: skip
    nodes = [
        *pair_x,
        node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_dq"]),
        node("Conv", ["x_dq", "w_dq", "b"], ["c"], "conv"),
        *pair_y,
    ]
    model = make_model(nodes, {"x": ("f", (1, 1, 16, 16))}, {"y_q": "b"}, constants)
    x = (np.arange(-128, 128) / 2).astype("f4").reshape(1, 1, 16, 16)
    for graph in (import_model(model), prepare(import_model(model), Shifts())):
        np.testing.assert_array_equal(outputs(graph, {"x": x})[0], ort_run(model, {"x": x})[0])


@pytest.mark.parametrize("kind", ["u1", "i1"])
def test_import_integer_operators_equal_onnxruntime(kind):
    random = np.random.default_rng(19)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    constants = {
        "w": random.integers(-128, 128, (5, 3, 3, 3)).astype("i1"),
        "x_z": np.array(low + 9, kind), "w_z": np.array(0, "i1"),
    }  # fmt: skip
    nodes = [
        node("ConvInteger", ["x", "w", "x_z", "w_z"], ["i"], "product", pads=[1, 1, 1, 1]),
        node("Cast", ["i"], ["y"], "cast", to=1),
    ]
    np_kind = "B" if kind == "u1" else "b"
    model = make_model(nodes, {"x": (np_kind, (1, 3, 6, 6))}, {"y": "f"}, constants)
    x = random.integers(low, high + 1, (1, 3, 6, 6)).astype(kind)
    found = outputs(import_model(model), {"x": x})[0]
    if kind == "u1":  # onnxruntime has no int8 ConvInteger with zero points on every processor
        np.testing.assert_array_equal(found, ort_run(model, {"x": x})[0])
    wide = np.pad(x.astype(int) - (low + 9), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))
    wanted = np.einsum("nchwyx,ocyx->nohw", windows, constants["w"].astype(int))
    np.testing.assert_array_equal(found, wanted)
