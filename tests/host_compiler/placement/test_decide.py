"""Placement: what the accelerator can do goes there unless packing costs more than it saves."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.ir import Concat, CpuOp, Graph, MaxPool, Requant, Value, WeightedSum
from host_compiler.placement import cpu_cycles, packing_cycles, place_nodes, weigh_islands
from vta_pynq.config import HwConfig
from vta_pynq.errors import CompileError

SHAPE = (1, 16, 8, 8)
POOLED = (1, 16, 4, 4)


def pooling_graph():
    """Two pools of one value, joined."""
    values = [Value("x", SHAPE, "int8"), *(Value(n, POOLED, "int8") for n in "ab")]
    values.append(Value("c", (1, 32, 4, 4), "int8"))
    window = {"kernel": (2, 2), "strides": (2, 2)}
    nodes = [
        MaxPool("a", ("x",), ("a",), **window),
        MaxPool("b", ("x",), ("b",), **window),
        Concat("c", ("a", "b"), ("c",)),
    ]
    return Graph("pools", values, nodes, ["x"], ["c"])


def test_place_moves_and_pools_are_accelerated():
    placement = place_nodes(pooling_graph(), HwConfig())
    assert placement.accelerated == {"a", "b", "c"}


def test_weigh_cheap_island_moves_to_the_processor_as_a_whole():
    graph = pooling_graph()
    placement = place_nodes(graph, HwConfig())
    dear = weigh_islands(graph, placement, {"a": 10**6, "b": 10**6})
    assert dear.accelerated == frozenset()
    assert "1000" in dear.decisions["a"].reason or "cycles here" in dear.decisions["a"].reason


def test_weigh_island_with_cheap_layers_stays():
    nodes = pooling_graph()
    values = [*nodes.values.values(), Value("y", (1, 32, 4, 4), "int8")]
    stage = Requant(np.array(0.5), 0, -128, 127, "half_up")
    last = WeightedSum("y", ("c",), ("y",), coefficients=(1,), zero_points=(0,), stages=(stage,))
    graph = Graph("more", values, [*nodes.nodes, last], ["x"], ["y"])
    placement = place_nodes(graph, HwConfig())
    # The sum has no form on the processor: nothing it is connected with moves.
    assert weigh_islands(graph, placement, {"a": 10**9}) == placement


def test_place_five_dimensional_pool_is_refused_with_a_reason():
    shape = (1, 2, 3, 4, 5)
    values = [Value("x", shape, "int8"), Value("y", shape, "int8")]
    stage = Requant(np.array(0.5), 0, -128, 127, "half_up")
    node = WeightedSum("y", ("x",), ("y",), coefficients=(1,), zero_points=(0,), stages=(stage,))
    graph = Graph("five", values, [node], ["x"], ["y"])
    with pytest.raises(CompileError, match="x has 5 dimensions"):
        place_nodes(graph, HwConfig())


def test_place_processor_operator_says_why():
    values = [Value("x", SHAPE, "float32"), Value("y", SHAPE, "float32")]
    graph = Graph("one", values, [CpuOp("y", ("x",), ("y",), op="tanh")], ["x"], ["y"])
    decision = place_nodes(graph, HwConfig()).decisions["y"]
    assert (decision.where, decision.reason) == ("processor", "the accelerator has no tanh")


def test_costs_grow_with_size():
    assert cpu_cycles("softmax", [1000]) > cpu_cycles("softmax", [10]) > 0
    assert packing_cycles(3000, 16000) > packing_cycles(1000, 16000)
    assert cpu_cycles("matmul", [10], macs=10**6) > cpu_cycles("matmul", [10])
