"""Tasks of small graphs: what is packed, fused, in place, free."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.compile import compile_graph, make_target
from host_compiler.ir import (
    AddTerm,
    Concat,
    Conv,
    CpuOp,
    Graph,
    MaxPool,
    Node,
    PoolStage,
    Requant,
    Reshape,
    Value,
    WeightedSum,
)
from host_compiler.layout import LayerTask, build_tasks
from host_compiler.layout.order import order_tasks
from host_compiler.placement import place_nodes
from host_compiler.reference import run
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.config import HwConfig
from vta_pynq.program import CpuStep, VtaStep

CONFIG = HwConfig()


def scaled(name: str, *inputs: str) -> Node:
    stage = Requant(np.array(0.5), 0, -128, 127, "half_up")
    ones = (1,) * len(inputs)
    zeros = (0,) * len(inputs)
    return WeightedSum(name, inputs, (name,), coefficients=ones, zero_points=zeros, stages=(stage,))


def graph_of(nodes, shapes, inputs, outputs, dtypes=None):
    values = [Value(n, s, (dtypes or {}).get(n, "int8")) for n, s in shapes.items()]
    graph = Graph("small", values, nodes, inputs, outputs)
    graph.verify()
    return graph


def tasks_of(graph):
    return build_tasks(graph, place_nodes(graph, CONFIG).accelerated, CONFIG)


def check(graph, candidates=1):
    compilation = compile_graph(graph, make_target(CONFIG, "hls-64bit"), candidates=candidates)
    random = np.random.default_rng(1)
    inputs = {}
    for name in graph.inputs:
        value = graph.values[name]
        if value.dtype == "float32":
            inputs[name] = random.normal(0, 1, value.shape).astype(np.float32)
        else:
            inputs[name] = random.integers(-128, 128, value.shape).astype(value.dtype)
    wanted = run(graph, inputs)
    found = ProgramRunner(compilation.program).run(inputs)
    for name, output in zip(graph.outputs, compilation.program.outputs, strict=True):
        np.testing.assert_array_equal(found[output], wanted[name])
    return compilation


def test_concat_of_whole_blocks_is_in_place():
    shape = (1, 16, 4, 4)
    nodes = [scaled("a", "x"), scaled("b", "a"), Concat("c", ("a", "b"), ("c",)), scaled("d", "c")]
    graph = graph_of(
        nodes, {"x": shape, "a": shape, "b": shape, "c": (1, 32, 4, 4), "d": (1, 32, 4, 4)},
        ["x"], ["d"],
    )  # fmt: skip
    layers = [task.name for task in tasks_of(graph).tasks if isinstance(task, LayerTask)]
    assert layers == ["a", "b", "d"]
    check(graph)


def test_concat_of_a_packed_input_copies_that_part_only():
    shape = (1, 16, 4, 4)
    nodes = [scaled("a", "x"), Concat("c", ("x", "a"), ("c",))]
    graph = graph_of(nodes, {"x": shape, "a": shape, "c": (1, 32, 4, 4)}, ["x"], ["c"])
    layers = [task.name for task in tasks_of(graph).tasks if isinstance(task, LayerTask)]
    assert layers == ["a", "c:x"]
    check(graph)


def test_concat_of_parts_of_blocks_equals_reference():
    shapes = {"x": (2, 5, 3, 3), "a": (2, 5, 3, 3), "b": (2, 5, 3, 3), "c": (2, 15, 3, 3)}
    nodes = [scaled("a", "x"), scaled("b", "a"), Concat("c", ("a", "x", "b"), ("c",))]
    check(graph_of(nodes, shapes, ["x"], ["c", "a"]))


def test_concat_part_that_is_an_output_of_several_images_equals_reference():
    shape = (3, 16, 2, 2)
    nodes = [scaled("a", "x"), scaled("b", "x"), Concat("c", ("b", "a"), ("c",))]
    check(graph_of(nodes, {"x": shape, "a": shape, "b": shape, "c": (3, 32, 2, 2)}, ["x"],
                   ["c", "a", "b"]))  # fmt: skip


def test_reshape_to_matrix_of_one_pixel_is_free():
    nodes = [
        scaled("a", "x"),
        Reshape("m", ("a",), ("m",)),
        Reshape("n", ("m",), ("n",)),
        scaled("b", "n"),
    ]
    shape = (1, 20, 1, 1)
    graph = graph_of(
        nodes, {"x": shape, "a": shape, "m": (1, 20), "n": shape, "b": shape}, ["x"], ["b"]
    )
    ops = [step.op for step in check(graph).program.steps if isinstance(step, CpuStep)]
    assert ops == ["pack", "unpack"]


def test_quantise_and_dequantise_are_part_of_packing():
    attributes = {"scale": 0.25, "zero_point": 3, "dtype": "int8"}
    shape = (1, 20, 3, 3)
    nodes = [
        CpuOp("q", ("x",), ("q",), op="quantize", attributes=attributes),
        scaled("a", "q"),
        CpuOp("r", ("a",), ("r",), op="dequantize", attributes={"scale": 0.5, "zero_point": 1}),
    ]
    graph = graph_of(
        nodes, dict.fromkeys("xqar", shape), ["x"], ["r"], {"x": "float32", "r": "float32"}
    )
    ops = [step.op for step in check(graph).program.steps if isinstance(step, CpuStep)]
    assert ops == ["pack", "unpack"]


def test_input_that_is_an_output_is_copied():
    shape = (1, 4, 2, 2)
    graph = graph_of([scaled("a", "x")], {"x": shape, "a": shape}, ["x"], ["a", "x"])
    check(graph)


def test_lonely_pool_is_cheaper_on_the_processor():
    pool = MaxPool("y", ("x",), ("y",), kernel=(2, 2), strides=(2, 2))
    graph = graph_of([pool], {"x": (1, 3, 4, 4), "y": (1, 3, 2, 2)}, ["x"], ["y"])
    compilation = check(graph)
    assert [type(step) for step in compilation.program.steps] == [CpuStep]
    decision = compilation.placement.decisions["y"]
    assert decision.where == "processor" and "cycles here" in decision.reason


def test_independent_layers_share_a_submission():
    """Layers that do not wait for the processor run before it is asked."""
    shape = (1, 16, 4, 4)
    attributes = {"scale": 0.5, "zero_point": 0}
    back = {"scale": 0.5, "zero_point": 0, "dtype": "int8"}
    nodes = [
        scaled("a", "x"),
        CpuOp("r", ("a",), ("r",), op="dequantize", attributes=attributes),
        CpuOp("t", ("r",), ("t",), op="relu"),
        CpuOp("q", ("t",), ("q",), op="quantize", attributes=back),
        scaled("b", "x"),
        scaled("c", "b", "q"),
    ]
    graph = graph_of(
        nodes, dict.fromkeys("xarqtbc", shape), ["x"], ["c"], {"r": "float32", "t": "float32"}
    )
    phases = order_tasks(tasks_of(graph))
    assert sum(accelerated for accelerated, _ in phases) == 2
    assert sum(isinstance(step, VtaStep) for step in check(graph).program.steps) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_raw_sums_are_rescaled_in_blocks(count):
    from host_compiler.ir import Conv

    random = np.random.default_rng(3)
    nodes: list[Node] = []
    shape = (1, 16, 4, 4)
    source = "x"
    shapes, dtypes = {"x": shape}, {}
    for number in range(count):
        raw, out = f"raw{number}", f"y{number}"
        weight = random.integers(-128, 128, (16, 16, 1, 1))
        nodes.append(Conv(raw, (source,), (raw,), weight=weight))
        attributes = {
            "scale": 0.0021, "zero_point": 2, "dtype": "int8", "qmin": -128, "qmax": 127,
        }  # fmt: skip
        nodes.append(CpuOp(out, (raw,), (out,), op="requantize", attributes=attributes))
        shapes |= {raw: shape, out: shape}
        dtypes[raw] = "int32"
        source = out
    compilation = check(graph_of(nodes, shapes, ["x"], [source], dtypes))
    ops = [step.op for step in compilation.program.steps if isinstance(step, CpuStep)]
    assert ops == ["pack", *["requantize"] * count, "unpack"]


def convolution(name: str, source: str, stages: tuple[object, ...]) -> Conv:
    weight = np.ones((16, 16, 1, 1), np.int8)
    bias = np.zeros(16, np.int32)
    return Conv(name, (source, *(s.value for s in stages if isinstance(s, AddTerm))), (name,),
                stages=stages, weight=weight, bias=bias)  # fmt: skip


@pytest.mark.parametrize(
    ("size", "op"), [(4, "Conv.Add.MaxPool"), (1, "Gemm.Add.MaxPool")], ids=["image", "pixel"]
)
def test_layer_operator_names_what_is_fused(size, op):
    pool = PoolStage((1, 1), (1, 1))
    stages = (AddTerm("b"), Requant(np.array(0.5), 0, -128, 127, "half_up"), pool)
    shape = (1, 16, size, size)
    graph = graph_of(
        [convolution("y", "a", stages)], {"a": shape, "b": shape, "y": shape}, ("a", "b"), ("y",)
    )
    assert [task.op for task in tasks_of(graph).tasks if isinstance(task, LayerTask)] == [op]


def test_layer_operator_alone_has_its_own_name():
    shape = (1, 16, 4, 4)
    graph = graph_of([scaled("y", "a")], {"a": shape, "y": shape}, ("a",), ("y",))
    assert [task.op for task in tasks_of(graph).tasks if isinstance(task, LayerTask)] == [
        "WeightedSum"
    ]
