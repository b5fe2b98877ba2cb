"""The operators give what onnxruntime gives: integers exactly, real numbers within rounding."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from host_compiler.onnx_session import exact_session
from tests.cpu_ops.test_paths import integers, random_window, real, rng_of, shape_of
from vta_pynq import cpu_ops

OPSET = 18
SEEDS = range(6)


def onnx_result(op, arrays, attributes=None, outputs=1, domain=""):
    """Run one ONNX node on arrays, the first its input; None is an operand that is left out."""
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(arrays)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, domain=domain, **(attributes or {}))
    x = np.asarray(arrays[0])
    inputs = [
        helper.make_tensor_value_info("x0", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    ]
    values = [onnx.ValueInfoProto(name=name) for name in results]
    constants = [
        numpy_helper.from_array(np.asarray(operand), name)
        for name, operand in zip(names[1:], arrays[1:], strict=True)
        if operand is not None
    ]
    graph = helper.make_graph([node], "one", inputs, values, constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = exact_session(model, optimised=False, options=options)
    return session.run(None, {"x0": x})


def agree(op, onnx_op, inputs, attributes=None, *, extra=(), onnx_attributes=None, tolerance=1e-5):
    """`extra` are ONNX operands that our operator takes as attributes."""
    attributes = attributes or {}
    theirs = attributes if onnx_attributes is None else onnx_attributes
    ours = cpu_ops.run(op, [x for x in inputs if x is not None], attributes)
    wanted = onnx_result(onnx_op, [*inputs, *extra], theirs, len(ours))
    for a, b in zip(ours, wanted, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


def floats(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


# ---- quantisation ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantize_equals_quantizelinear(seed, dtype):
    rng = rng_of(seed)
    x = real(rng, *shape_of(rng, 3, 30, 9, 14))
    for scale in (0.25, 0.0371, 1.7e-3):
        offset = integers(rng, dtype)
        rule = {"scale": float(np.float32(scale)), "zero_point": int(offset)}
        agree(
            "quantize", "QuantizeLinear", [x], {**rule, "dtype": np.dtype(dtype).name},
            extra=(np.float32(scale), np.array(offset, dtype)), onnx_attributes={},
        )  # fmt: skip
    scales = rng.uniform(0.01, 1, x.shape[1]).astype(np.float32)
    agree(
        "quantize", "QuantizeLinear", [x],
        {"scale": scales.astype(float).tolist(), "axis": 1, "dtype": np.dtype(dtype).name},
        extra=(scales, np.zeros(x.shape[1], dtype)), onnx_attributes={"axis": 1},
    )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_dequantize_equals_dequantizelinear_bit_for_bit(seed, dtype):
    rng = rng_of(seed)
    x = integers(rng, dtype, *shape_of(rng, 3, 30, 9, 14))
    offset = np.array(0 if dtype == np.int32 else integers(rng, dtype), dtype)
    scale = np.float32(0.0371)
    rule = {"scale": float(scale), "zero_point": int(offset)}
    extra = (scale, offset)
    agree("dequantize", "DequantizeLinear", [x], rule, extra=extra, onnx_attributes={}, tolerance=0)
    scales = rng.uniform(0.01, 1, x.shape[1]).astype(np.float32)
    agree(
        "dequantize", "DequantizeLinear", [x],
        {"scale": scales.astype(float).tolist(), "axis": 1}, tolerance=0,
        extra=(scales, np.zeros(x.shape[1], dtype)), onnx_attributes={"axis": 1},
    )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_requantize_single_equals_qlinearconv(seed, dtype):
    rng = rng_of(seed)
    n, c, h, w = shape_of(rng, 2, 40, 12, 12)
    out = int(rng.integers(1, 40))
    x, weight = integers(rng, dtype, n, c, h, w), integers(rng, np.int8, out, c, 1, 1)
    x_zero, y_zero = integers(rng, dtype), integers(rng, dtype)
    x_scale, y_scale = np.float32(0.031), np.float32(rng.uniform(1, 9))
    w_scale = rng.uniform(0.001, 0.02, out).astype(np.float32)
    bias = rng.integers(-9999, 9999, out, np.int32)
    operands = [
        x, x_scale, np.array(x_zero, dtype), weight, w_scale, np.zeros(out, np.int8), y_scale,
        np.array(y_zero, dtype), bias,
    ]  # fmt: skip
    wanted = onnx_result("QLinearConv", operands)[0]
    acc = cpu_ops.run("conv", [x, weight, bias], {"x_zero_point": int(x_zero)})[0]
    scale = (x_scale * w_scale / y_scale).astype(float).tolist()
    rule = {"scale": scale, "axis": 1, "zero_point": int(y_zero), "precision": "single"}
    ours = cpu_ops.run("requantize", [acc], {**rule, "dtype": np.dtype(dtype).name})[0]
    np.testing.assert_array_equal(ours, wanted)


# ---- one element, two elements ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "onnx_op", "attributes"),
    [
        ("relu", "Relu", {}),
        ("leaky_relu", "LeakyRelu", {"alpha": 0.125}),
        ("leaky_relu", "LeakyRelu", {}),
        ("sigmoid", "Sigmoid", {}),
        ("tanh", "Tanh", {}),
        ("exp", "Exp", {}),
        ("softmax", "Softmax", {}),
        ("softmax", "Softmax", {"axis": 1}),
        ("log_softmax", "LogSoftmax", {"axis": -2}),
        ("identity", "Identity", {}),
    ],
)
def test_function_equals_onnxruntime(op, onnx_op, attributes):
    rng = rng_of(1)
    agree(op, onnx_op, [floats(rng, 2, 3, 4, 5) * 10], attributes)
    agree(op, onnx_op, [floats(rng, 1, 1)], {k: v for k, v in attributes.items() if k != "axis"})


def test_sqrt_equals_onnxruntime():
    agree("sqrt", "Sqrt", [np.abs(floats(rng_of(2), 3, 5))])


@pytest.mark.parametrize(("op", "onnx_op"), [
    ("add", "Add"), ("sub", "Sub"), ("mul", "Mul"), ("div", "Div"),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_arithmetic_equals_onnxruntime(op, onnx_op, dtype):
    rng = rng_of(3)
    a, b = (rng.integers(-99, 99, shape).astype(dtype) for shape in ((2, 3, 1, 5), (3, 4, 1)))
    b[b == 0] = 7
    agree(op, onnx_op, [a, b])


def test_clip_with_and_without_operands_equals_onnxruntime():
    x = floats(rng_of(4), 3, 7)
    low, high = np.float32(-0.5), np.float32(0.25)
    agree("clip", "Clip", [x])
    agree("clip", "Clip", [x, low])
    agree("clip", "Clip", [x, low, high])
    agree("clip", "Clip", [x, None, high], {"absent": [1]}, onnx_attributes={})
    agree("clip", "Clip", [x], {"min": -0.5, "max": 0.25}, extra=(low, high), onnx_attributes={})
    q = integers(rng_of(4), np.int8, 30)
    agree("clip", "Clip", [q, np.int8(-9), np.int8(99)])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantised_sigmoid_equals_qlinearsigmoid(dtype):
    x = np.arange(256, dtype=np.uint8).view(dtype)
    zero, out_zero = np.array(3, dtype), np.array(np.iinfo(dtype).min, dtype)
    scale, out_scale = np.float32(0.05), np.float32(1 / 256)
    operands = [x, scale, zero, out_scale, out_zero]
    wanted = onnx_result("QLinearSigmoid", operands, domain="com.microsoft")[0]
    rule = {
        "in_scale": float(scale), "in_zero_point": 3, "out_scale": float(out_scale),
        "out_zero_point": int(out_zero), "dtype": np.dtype(dtype).name,
    }  # fmt: skip
    np.testing.assert_array_equal(cpu_ops.run("sigmoid", [x], rule)[0], wanted)


def test_quantised_softmax_is_the_real_one_of_its_values():
    x = integers(rng_of(5), np.int8, 4, 100)
    ours = cpu_ops.run("softmax", [x], {"in_scale": 0.1, "in_zero_point": 7})[0]
    wanted = onnx_result("Softmax", [((x.astype(np.float32) - 7) * np.float32(0.1))])[0]
    np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-7)


# ---- windows and planes ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
def test_pools_equal_onnxruntime(seed):
    rng = rng_of(seed)
    x = floats(rng, *shape_of(rng, 2, 4), *rng.integers(9, 20, 2).tolist())
    window = random_window(rng)
    agree("max_pool", "MaxPool", [x], window)
    q = integers(rng, [np.int8, np.uint8][seed % 2], *x.shape)
    agree("max_pool", "MaxPool", [q], window)
    flat = {k: v for k, v in window.items() if k != "dilations"}
    if not flat["ceil_mode"]:
        for include in (0, 1):
            agree("average_pool", "AveragePool", [x], {**flat, "count_include_pad": include})


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_pool_with_auto_pad_equals_onnxruntime(auto):
    x = floats(rng_of(6), 2, 3, 13, 10)
    rule = {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": auto}
    agree("max_pool", "MaxPool", [x], rule)
    agree("average_pool", "AveragePool", [x], rule)


def test_global_pools_equal_onnxruntime():
    x = floats(rng_of(7), 2, 5, 6, 7)
    agree("global_average_pool", "GlobalAveragePool", [x])
    agree("global_max_pool", "GlobalMaxPool", [x])


@pytest.mark.parametrize("seed", range(12))
def test_conv_equals_onnxruntime(seed):
    rng = rng_of(seed)
    group = int(rng.choice([1, 1, 2, 3]))
    inside, outside = (group * int(rng.integers(1, 6)) for _ in range(2))
    window = {k: v for k, v in random_window(rng).items() if k != "ceil_mode"}
    x = floats(rng, int(rng.integers(1, 3)), inside, *rng.integers(9, 16, 2).tolist())
    weight = floats(rng, outside, inside // group, *window["kernel_shape"])
    rule = {**window, "group": group}
    agree("conv", "Conv", [x, weight], rule, tolerance=1e-4)
    agree("conv", "Conv", [x, weight, floats(rng, outside)], rule, tolerance=1e-4)
    q, w = integers(rng, np.uint8, *x.shape), integers(rng, np.int8, *weight.shape)
    zero = int(integers(rng, np.uint8))
    agree(
        "conv", "ConvInteger", [q, w], {**rule, "x_zero_point": zero},
        extra=(np.uint8(zero),), onnx_attributes=rule,
    )  # fmt: skip


def test_matrix_products_equal_onnxruntime():
    rng = rng_of(8)
    a, b = floats(rng, 3, 5, 7), floats(rng, 7, 4)
    agree("matmul", "MatMul", [a, b])
    agree("matmul", "MatMulInteger", [integers(rng, np.int8, 5, 7), integers(rng, np.int8, 7, 4)])
    rule = {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1}
    agree("gemm", "Gemm", [floats(rng, 7, 5), floats(rng, 4, 7), floats(rng, 4)], rule)
    agree("gemm", "Gemm", [floats(rng, 5, 7), floats(rng, 7, 4)])


def test_batch_norm_equals_onnxruntime():
    rng = rng_of(9)
    parameters = [floats(rng, 5), floats(rng, 5), floats(rng, 5), np.abs(floats(rng, 5))]
    agree("batch_norm", "BatchNormalization", [floats(rng, 2, 5, 3, 4), *parameters])


TRANSFORMS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("transform", [*TRANSFORMS, "half_pixel_symmetric"])
@pytest.mark.parametrize("seed", range(4))
def test_resize_equals_onnxruntime(transform, seed):
    rng = rng_of(seed)
    x = floats(rng, 1, 2, *rng.integers(1, 12, 2).tolist())
    rule = {"coordinate_transformation_mode": transform}
    sizes = np.array([1, 2, *rng.integers(1, 25, 2)], np.int64)
    scales = np.array([1, 1, *rng.choice([0.5, 1, 1.5, 2, 3], 2)], np.float32)
    scales[2:] = np.maximum(scales[2:], [1 / x.shape[2], 1 / x.shape[3]])
    for mode in ("linear", "nearest"):
        way = {**rule, "mode": mode}
        # An interpolated position may differ in its last bit.
        agree("resize", "Resize", [x, None, scales], {**way, "absent": [1]},
              onnx_attributes=way, tolerance=1e-4)  # fmt: skip
        agree("resize", "Resize", [x, None, None, sizes], {**way, "absent": [1, 2]},
              onnx_attributes=way, tolerance=1e-4)  # fmt: skip
        agree("resize", "Resize", [x], {**way, "sizes": sizes.tolist()},
              extra=(None, None, sizes), onnx_attributes=way, tolerance=1e-4)  # fmt: skip


@pytest.mark.parametrize("rule", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_resize_nearest_modes_equal_onnxruntime(rule):
    x = integers(rng_of(10), np.int8, 1, 3, 5, 7)
    scales = np.array([1, 1, 2, 3], np.float32)
    for transform in ("asymmetric", "half_pixel"):
        way = {"nearest_mode": rule, "coordinate_transformation_mode": transform}
        agree("resize", "Resize", [x, None, scales], {**way, "absent": [1]}, onnx_attributes=way)


# ---- reduction and movement ------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 1])
def test_argmax_and_mean_equal_onnxruntime(keep):
    rng = rng_of(11)
    x = np.round(floats(rng, 3, 4, 5))
    for axis in (0, 1, -1):
        for last in (0, 1):
            rule = {"axis": axis, "keepdims": keep, "select_last_index": last}
            agree("argmax", "ArgMax", [x], rule)
        agree("reduce_mean", "ReduceMean", [x, np.array([axis])], {"keepdims": keep})
    agree("reduce_mean", "ReduceMean", [x], {"keepdims": keep})
    agree("reduce_mean", "ReduceMean", [x], {"noop_with_empty_axes": 1})


@pytest.mark.parametrize("dtype", ["float32", "int8", "int64"])
def test_movement_equals_onnxruntime(dtype):
    rng = rng_of(12)
    x = rng.integers(-99, 99, (3, 4, 5)).astype(dtype)
    agree("transpose", "Transpose", [x], {"perm": [2, 0, 1]})
    agree("transpose", "Transpose", [x])
    agree("concat", "Concat", [x, x[:, :1], x], {"axis": -2})
    agree("reshape", "Reshape", [x, np.array([0, -1, 2, 5])])
    agree("reshape", "Reshape", [x], {"shape": [0, -1]}, extra=(np.array([0, -1]),),
          onnx_attributes={})  # fmt: skip
    agree("split", "Split", [x, np.array([1, 3])], {"axis": 1})
    agree("split", "Split", [x], {"axis": 2, "num_outputs": 3})
    agree("gather", "Gather", [x, np.array([[0, -1], [3, 2]])], {"axis": 1})
    agree("pad", "Pad", [x, np.array([0, 1, -2, 1, 0, 3]), np.array(7, dtype)])
    if dtype != "int8":
        for mode in ("reflect", "edge"):
            agree("pad", "Pad", [x, np.array([0, 1, 2, 1, 0, 3])], {"mode": mode})
    agree("pad", "Pad", [x, np.array([1, 2]), None, np.array([1])], {"absent": [2]},
          onnx_attributes={})  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_slice_equals_onnxruntime(seed):
    rng = rng_of(seed)
    x = floats(rng, *rng.integers(1, 7, 3).tolist())
    starts, ends = rng.integers(-9, 9, (2, 2))
    steps = rng.choice([-3, -2, -1, 1, 2, 3], 2)
    axes = rng.choice([-1, 0, 1], 2, replace=False)
    agree("slice", "Slice", [x, starts, ends, axes, steps])
    agree("slice", "Slice", [x, starts, ends])
    if steps.min() > 0:
        agree("slice", "Slice", [x, starts, ends, None, steps], {"absent": [3]},
              onnx_attributes={})  # fmt: skip


@pytest.mark.parametrize("to", [
    TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64,
    TensorProto.BOOL, TensorProto.DOUBLE,
])  # fmt: skip
def test_cast_equals_onnxruntime(to):
    x = np.array([-7.9, -1.5, 0, 0.5, 1.5, 99.99], np.float32)
    agree("cast", "Cast", [np.abs(x) if to == TensorProto.UINT8 else x], {"to": to})
    agree("cast", "Cast", [x.astype(np.int32)], {"to": to})
