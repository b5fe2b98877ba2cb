"""The normal form of every operator computes what the reference says, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.ir import (
    AddTerm,
    Concat,
    Conv,
    ConvTranspose,
    Graph,
    MaxPool,
    Node,
    Pad,
    PoolStage,
    Requant,
    ResizeNearest,
    SumPool,
    Value,
    WeightedSum,
)
from host_compiler.layer import TensorRef
from host_compiler.layer_reference import run_layer
from host_compiler.normalise import NotExact, make_layer
from host_compiler.normalise.rescale import exact_factor
from host_compiler.reference import run


def shift(bits, zero_point=0, qmin=-128, qmax=127, leak=None):
    return Requant(
        np.array(2.0**-bits) if np.isscalar(bits) else 2.0 ** -np.asarray(bits, float),
        zero_point,
        qmin,
        qmax,
        "half_up",
        None if leak is None else np.array(2.0**-leak),
    )


def graph_of(node: Node, shapes: dict[str, tuple[int, ...]], out: tuple[int, ...]) -> Graph:
    values = [Value(name, shape, "int8") for name, shape in shapes.items()]
    graph = Graph("test", [*values, Value("y", out, "int8")], [node], list(shapes), ["y"])
    graph.verify()
    return graph


def blocks(channels: int, block: int) -> int:
    return -(-channels // block)


def ref_of(name: str, shape: tuple[int, ...], block: int) -> TensorRef:
    n = blocks(shape[1], block)
    return TensorRef(name, shape, 0, n)


def check(node: Node, shapes: dict[str, tuple[int, ...]], out: tuple[int, ...], seed: int = 0):
    """Reference and normal form agree for blocks of 8 and 16."""
    random = np.random.default_rng(seed)
    graph = graph_of(node, shapes, out)
    arrays = {name: random.integers(-128, 128, s).astype(np.int8) for name, s in shapes.items()}
    wanted = run(graph, arrays)["y"]
    for block in (8, 16):
        refs = {name: ref_of(name, s, block) for name, s in shapes.items()}
        layer = make_layer(node, graph, refs, [ref_of("y", out, block)], block)
        np.testing.assert_array_equal(run_layer(layer, arrays, block)[0], wanted)


def weights(*shape: int, low: int = -128, high: int = 128) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(low, high, shape)


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "dilations", "group"),
    [
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
        ((1, 1), (2, 2), (0, 0, 0, 0), (1, 1), 1),
        ((5, 2), (2, 3), (2, 0, 1, 3), (1, 1), 1),
        ((3, 3), (1, 2), (2, 2, 2, 2), (2, 2), 2),
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 20),
    ],
)
def test_conv_any_geometry_equals_reference(kernel, strides, pads, dilations, group):
    weight = weights(40, 20 // group, *kernel)
    size = [
        (x + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i, x in enumerate((9, 11))
    ]
    node = Conv(
        "conv", ("x",), ("y",), weight=weight, bias=weights(40, low=-9999, high=9999).astype("i4"),
        x_zero_point=-7, strides=strides, pads=pads, dilations=dilations, group=group,
        stages=(shift(9, zero_point=3),),
    )  # fmt: skip
    check(node, {"x": (2, 20, 9, 11)}, (2, 40, *size))


def test_conv_nine_bit_weights_equals_reference():
    weight = weights(16, 16, 3, 3, low=-255, high=256)
    node = Conv("conv", ("x",), ("y",), weight=weight, stages=(shift(10),))
    check(node, {"x": (1, 16, 5, 5)}, (1, 16, 3, 3))


def test_conv_shift_per_channel_and_leak_equals_reference():
    weight = weights(6, 5, 1, 1)
    for stage in (shift([5, 6, 7, 8, 9, 10]), shift(6, zero_point=-3, leak=9)):
        node = Conv("conv", ("x",), ("y",), weight=weight, stages=(stage,))
        check(node, {"x": (1, 5, 4, 4)}, (1, 6, 4, 4))


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("group", [1, 3])
def test_conv_transpose_equals_reference(strides, group):
    weight = weights(6, 4, 3, 4)
    padding = (strides[0] - 1, 0)
    out = [
        strides[i] * (n - 1) + padding[i] + k - p
        for i, (n, k, p) in enumerate(((5, 3, 2), (4, 4, 1)))
    ]
    node = ConvTranspose(
        "up", ("x",), ("y",), weight=weight, x_zero_point=5, strides=strides, pads=(1, 0, 1, 1),
        output_padding=padding, group=group, stages=(shift(9),),
    )  # fmt: skip
    check(node, {"x": (1, 6, 5, 4)}, (1, 4 * group, *out))


@pytest.mark.parametrize("coefficients", [(1, 1), (1, -4), (300, 1), (64, 129), (-20000, 777)])
def test_weighted_sum_equals_reference(coefficients):
    node = WeightedSum(
        "add", ("a", "b"), ("y",), coefficients=coefficients, zero_points=(4, -9),
        stages=(shift(max(map(abs, coefficients)).bit_length()),),
    )  # fmt: skip
    check(node, {"a": (1, 20, 3, 5), "b": (1, 20, 3, 5)}, (1, 20, 3, 5))


def test_conv_with_residual_and_pool_stages_equals_reference():
    conv = {"weight": weights(20, 20, 3, 3), "pads": (1, 1, 1, 1)}
    shapes = {"x": (1, 20, 8, 8), "z": (1, 20, 8, 8)}
    direct = (AddTerm("z", 256, 3), shift(10, qmin=0), PoolStage((3, 3), (2, 2), (1, 1, 1, 1)))
    check(Conv("c", ("x", "z"), ("y",), stages=direct, **conv), shapes, (1, 20, 4, 4))
    rounded = (shift(9, zero_point=2), AddTerm("z", 2, 3, shift=1, acc_zero_point=2), shift(2))
    check(Conv("c", ("x", "z"), ("y",), stages=rounded, **conv), shapes, (1, 20, 8, 8))


@pytest.mark.parametrize(("kernel", "scale"), [((7, 7), 1 / 49), ((2, 2), 0.25), ((3, 2), 0.3)])
def test_sum_pool_equals_reference(kernel, scale):
    stage = Requant(np.array(scale), 5, -128, 127, "half_up")
    node = SumPool("pool", ("x",), ("y",), kernel=kernel, x_zero_point=-3, stages=(stage,))
    check(node, {"x": (1, 20, 7, 7)}, (1, 20, 8 - kernel[0], 8 - kernel[1]))


def test_moves_equal_reference():
    x = {"x": (1, 20, 5, 6)}
    check(
        MaxPool("m", ("x",), ("y",), kernel=(3, 2), strides=(2, 1), pads=(1, 0, 0, 1)),
        x,
        (1, 20, 2, 6),
    )
    check(ResizeNearest("r", ("x",), ("y",), factors=(2, 3)), x, (1, 20, 10, 18))
    check(Pad("p", ("x",), ("y",), pads=(2, -1, 0, 3), value=-11), x, (1, 20, 7, 8))
    shapes = {"a": (1, 5, 3, 3), "b": (1, 20, 3, 3), "c": (1, 9, 3, 3)}
    check(Concat("c", ("a", "b", "c"), ("y",)), shapes, (1, 34, 3, 3))


def test_raw_planes_hold_whole_accumulators():
    node = Conv("conv", ("x",), ("y",), weight=weights(20, 20, 3, 3))
    x_shape, y_shape = (1, 20, 5, 5), (1, 20, 3, 3)
    graph = Graph(
        "raw", [Value("x", x_shape, "int8"), Value("y", y_shape, "int32")], [node], ["x"], ["y"]
    )
    graph.verify()
    x = np.random.default_rng(1).integers(-128, 128, x_shape).astype(np.int8)
    planes = [ref_of(f"y{i}", y_shape, 16) for i in range(4)]
    layer = make_layer(node, graph, {"x": ref_of("x", x_shape, 16)}, planes, 16)
    parts = run_layer(layer, {"x": x}, 16)
    sums = sum(p.view(np.uint8).astype(np.uint32) << 8 * i for i, p in enumerate(parts))
    np.testing.assert_array_equal(sums.view(np.int32), run(graph, {"x": x})["y"])


def test_scale_that_is_no_power_of_two_is_not_exact():
    stage = Requant(np.array(0.001234))
    node = Conv("conv", ("x",), ("y",), weight=weights(20, 20, 3, 3), stages=(stage,))
    graph = graph_of(node, {"x": (1, 20, 5, 5)}, (1, 20, 3, 3))
    refs = {"x": ref_of("x", (1, 20, 5, 5), 16)}
    with pytest.raises(NotExact, match="a scale that is not a power of two"):
        make_layer(node, graph, refs, [ref_of("y", (1, 20, 3, 3), 16)], 16)


def test_exact_factor_holds_over_the_whole_range():
    for divisor in (3, 6, 7, 9, 12, 25, 49, 121):
        factor, bits, offset = exact_factor(1 / divisor, 256 * divisor)
        sums = np.arange(-256 * divisor, 256 * divisor + 1)
        found = (sums * factor + offset + (1 << bits - 1)) >> bits
        np.testing.assert_array_equal(found, np.floor(sums / divisor + 0.5))
    assert exact_factor(1 / 3, 1 << 30) is None
