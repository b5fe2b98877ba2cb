"""First convolutions: the packed form computes the same for every geometry."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.compile import compile_graph, make_target
from host_compiler.ir import Conv, Graph, Requant, Value
from host_compiler.layout.first_conv import choose_packing, pack_first_convolutions
from host_compiler.reference import run
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.config import HwConfig
from vta_pynq.program import CpuStep


def conv_graph(channels, size, outs, kernel, strides, pads, dilations, zero_point, images=1):
    random = np.random.default_rng(channels + kernel[0])
    weight = random.integers(-128, 128, (outs, channels, *kernel))
    node = Conv(
        "y", ("x",), ("y",), weight=weight, strides=strides, pads=pads, dilations=dilations,
        bias=random.integers(-999, 999, outs).astype(np.int32), x_zero_point=zero_point,
        stages=(Requant(np.array(2.0**-10), 3, -128, 127, "half_up"),),
    )  # fmt: skip
    x = Value("x", (images, channels, *size), "int8")
    shell = Graph("first", [x], [], ["x"], [])
    y = Value("y", node.sum_shape(shell), "int8")
    graph = Graph("first", [x, y], [node], ["x"], ["y"])
    graph.verify()
    return graph


GEOMETRIES = [
    (3, (17, 19), 16, (7, 7), (2, 2), (3, 3, 3, 3), (1, 1), 0),
    (3, (12, 12), 24, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), -7),
    (1, (9, 14), 16, (5, 5), (1, 1), (2, 2, 2, 2), (1, 1), 5),
    (1, (8, 8), 40, (3, 3), (1, 1), (0, 1, 2, 0), (1, 1), 100),
    (2, (13, 11), 8, (4, 3), (3, 2), (1, 0, 2, 2), (1, 1), -128),
    (3, (15, 16), 16, (3, 3), (2, 2), (2, 2, 2, 2), (2, 2), 9),
    (4, (16, 10), 16, (5, 1), (1, 3), (1, 0, 1, 0), (3, 1), 1),
    (1, (1, 30), 16, (1, 11), (1, 1), (0, 5, 0, 5), (1, 1), 0),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("config", ["1x16_i8w8a32_15_15_18_17", "4x8_i8w8a32_15_15_18_17"])
def test_packed_convolution_equals_reference(geometry, config):
    graph = conv_graph(*geometry, images=2)
    compilation = compile_graph(graph, make_target(config, "hls-64bit"), candidates=1)
    random = np.random.default_rng(0)
    x = random.integers(-128, 128, graph.values["x"].shape).astype(np.int8)
    (found,) = ProgramRunner(compilation.program).run({"x": x}).values()
    np.testing.assert_array_equal(found, run(graph, {"x": x})["y"])


def test_image_of_three_channels_is_packed():
    for geometry in GEOMETRIES[:2]:
        graph = conv_graph(*geometry)
        compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=1)
        first = compilation.program.steps[0]
        assert isinstance(first, CpuStep) and first.op == "pack_first"


def test_packing_fills_lanes_rather_than_padding_them():
    graph = conv_graph(3, (224, 224), 64, (7, 7), (2, 2), (3, 3, 3, 3), (1, 1), 0)
    packing = choose_packing(graph.nodes[0], graph, HwConfig())
    assert packing is not None
    assert packing.window[0] * packing.window[1] * 3 > 8


def test_convolution_with_many_channels_is_left_alone():
    graph = conv_graph(64, (9, 9), 16, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 0)
    assert choose_packing(graph.nodes[0], graph, HwConfig()) is None
    packed = pack_first_convolutions(graph, HwConfig())
    assert [node.name for node in packed.nodes] == ["y"]


def test_image_that_two_layers_read_is_left_alone():
    graph = conv_graph(*GEOMETRIES[1])
    graph.outputs.append("x")
    packed = pack_first_convolutions(graph, HwConfig())
    assert len(packed.nodes) == 1
