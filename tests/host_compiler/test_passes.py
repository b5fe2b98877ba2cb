"""Passes keep what a graph computes, and give it the form that the accelerator takes."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.ir import (
    AddTerm,
    Conv,
    CpuOp,
    FixedPoint,
    Graph,
    MaxPool,
    PoolStage,
    Requant,
    Reshape,
    SumPool,
    Value,
    WeightedSum,
)
from host_compiler.passes import prepare
from host_compiler.passes.bounds import sum_bounds
from host_compiler.passes.dead import remove_dead
from host_compiler.passes.flatten import absorb_flatten
from host_compiler.passes.pools import fuse_pools
from host_compiler.passes.requants import legalise_requants
from host_compiler.passes.reshapes import fold_reshapes
from host_compiler.passes.rounding import legalise_rounding
from host_compiler.reference import run


class Target:
    def __init__(self, multiplies: bool = False) -> None:
        self.multiplies = multiplies


def requant(multiplier=2.0**-9, **more) -> Requant:
    return Requant(np.array(multiplier), **more)


def conv(stages=None, outs=6, ins=5, kernel=3, seed=0, **more) -> Conv:
    random = np.random.default_rng(seed)
    fields = {
        "weight": random.integers(-128, 128, (outs, ins, kernel, kernel)),
        "bias": random.integers(-5000, 5000, outs).astype("i4"),
        "x_zero_point": 3,
        "stages": (requant(),) if stages is None else stages,
        **more,
    }
    return Conv("conv", ("x",), ("c",), **fields)


def graph_of(nodes, shapes, output, inputs=("x",)) -> Graph:
    """Values int8 unless the shape is (dtype, shape)."""
    values = [
        Value(name, shape[1], shape[0]) if isinstance(shape[0], str) else Value(name, shape, "int8")
        for name, shape in shapes.items()
    ]
    graph = Graph("test", values, nodes, inputs, [output])
    graph.verify()
    return graph


def feeds(graph: Graph, seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        name: random.integers(-128, 128, graph.values[name].shape).astype("i1")
        for name in graph.inputs
    }


def result(graph: Graph) -> np.ndarray:
    graph.verify()
    return run(graph, feeds(graph))[graph.outputs[0]]


def kinds(graph: Graph) -> list[str]:
    return [node.op if isinstance(node, CpuOp) else type(node).__name__ for node in graph.nodes]


def same(before: Graph, after: Graph) -> None:
    np.testing.assert_array_equal(result(before), result(after))


X, C = (1, 5, 8, 8), (1, 6, 6, 6)


def test_remove_dead_unread_node_goes():
    other = MaxPool("m", ("x",), ("m",), kernel=(8, 8))
    graph = graph_of([conv(), other], {"x": X, "c": C, "m": (1, 5, 1, 1)}, "c")
    after = remove_dead(graph)
    assert kinds(after) == ["Conv"] and "m" not in after.values
    same(graph, after)


def test_fold_reshapes_chain_becomes_one_and_identity_goes():
    nodes = [
        Reshape("a", ("x",), ("a",)),
        Reshape("b", ("a",), ("b",)),
        MaxPool("m", ("b",), ("m",), kernel=(2, 2)),
        Reshape("c", ("m",), ("d",)),
    ]
    shapes = {"x": X, "a": (5, 64), "b": X, "m": (1, 5, 7, 7), "d": (5, 49)}
    graph = graph_of(nodes, shapes, "d")
    after = remove_dead(fold_reshapes(graph))
    assert kinds(after) == ["MaxPool", "Reshape"]
    assert after.nodes[0].inputs == ("x",)
    same(graph, after)


def test_absorb_flatten_product_reads_the_image():
    dense = Conv(
        "dense", ("f",), ("y",), weight=np.random.default_rng(3).integers(-9, 9, (7, 320, 1, 1)),
        x_zero_point=-4, stages=(requant(2.0**-6),),
    )  # fmt: skip
    shapes = {"x": (2, 5, 8, 8), "f": (2, 320, 1, 1), "y": (2, 7, 1, 1)}
    graph = graph_of([Reshape("f", ("x",), ("f",)), dense], shapes, "y")
    after = remove_dead(absorb_flatten(graph))
    assert kinds(after) == ["Conv"] and after.nodes[0].kernel == (8, 8)
    same(graph, after)


def test_absorb_flatten_rows_of_a_batch_stay():
    dense = Conv("d", ("f",), ("y",), weight=np.ones((7, 160, 1, 1), int), stages=(requant(),))
    shapes = {"x": X, "f": (2, 160, 1, 1), "y": (2, 7, 1, 1)}
    graph = graph_of([Reshape("f", ("x",), ("f",)), dense], shapes, "y")
    assert kinds(absorb_flatten(graph)) == ["Reshape", "Conv"]


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("leak", [None, np.array(2.0**-11)])
def test_fuse_pools_pool_joins_and_goes_first_where_it_shrinks(strides, leak):
    size = {(1, 1): 6, (2, 2): 3}[strides]
    pool = MaxPool("p", ("c",), ("y",), kernel=(3, 3), strides=strides, pads=(1, 1, 1, 1))
    first = conv((requant(negative_multiplier=leak),))
    graph = graph_of([first, pool], {"x": X, "c": C, "y": (1, 6, size, size)}, "y")
    after = fuse_pools(graph)
    assert kinds(after) == ["Conv"]
    order = [type(stage).__name__ for stage in after.nodes[0].stages]
    assert order == (["Requant", "PoolStage"] if size == 6 else ["PoolStage", "Requant"])
    same(graph, after)


def test_fuse_pools_second_reader_keeps_the_pool():
    pool = MaxPool("p", ("c",), ("p",), kernel=(1, 1))
    add = WeightedSum(
        "s", ("c", "p"), ("y",), coefficients=(1, 1), zero_points=(0, 0), stages=(requant(0.5),)
    )
    graph = graph_of([conv(), pool, add], {"x": X, "c": C, "p": C, "y": C}, "y")
    assert kinds(fuse_pools(graph)) == ["Conv", "MaxPool", "WeightedSum"]


@pytest.mark.parametrize("multiplier", [0.0031, np.linspace(0.001, 0.004, 6)])
@pytest.mark.parametrize("leak", [None, 0.1])
def test_legalise_requants_other_scale_is_cut_exactly(multiplier, leak):
    negative = None if leak is None else np.array(multiplier) * leak
    stage = requant(multiplier, zero_point=5, qmin=-100, negative_multiplier=negative)
    graph = graph_of([conv((stage,))], {"x": X, "c": C}, "c")
    after = legalise_requants(graph, multiplies=False)
    assert kinds(after) == ["Conv", "requantize"]
    assert after.values[after.nodes[0].outputs[0]].dtype == "int32"
    same(graph, after)


def test_legalise_requants_power_of_two_stays():
    graph = graph_of([conv()], {"x": X, "c": C}, "c")
    assert legalise_requants(graph, multiplies=False).nodes == graph.nodes


def test_legalise_requants_stages_behind_the_cut_go_on():
    stages = (
        requant(0.0031, zero_point=5),
        AddTerm("z", 3, -2, shift=2, acc_zero_point=5),
        requant(0.3),
        PoolStage((2, 2), (2, 2)),
    )
    node = conv(stages)
    node = Conv(
        "conv", ("x", "z"), ("c",), weight=node.weight, bias=node.bias, x_zero_point=3,
        stages=stages,
    )  # fmt: skip
    shapes = {"x": X, "z": C, "c": (1, 6, 3, 3)}
    graph = graph_of([node], shapes, "c", ("x", "z"))
    after = legalise_requants(graph, multiplies=False)
    assert kinds(after) == ["Conv", "requantize", "WeightedSum", "requantize", "MaxPool"]
    same(graph, after)


def test_legalise_requants_mean_over_partial_windows_runs_on_processor():
    divisors = np.outer([2, 3, 3, 2], [2, 3, 3, 2])
    pool = SumPool(
        "p", ("x",), ("y",), kernel=(3, 3), x_zero_point=-7, strides=(1, 1), pads=(1, 1, 1, 1),
        divisors=divisors, stages=(requant(1.1, zero_point=2, qmax=80),),
    )  # fmt: skip
    graph = graph_of([pool], {"x": (1, 5, 4, 4), "y": (1, 5, 4, 4)}, "y")
    after = legalise_requants(graph, multiplies=False)
    assert kinds(after) == ["SumPool", "dequantize", "div", "clip", "quantize"]
    apart = np.abs(result(graph).astype(int) - result(after))
    assert apart.max() <= 1 and (apart > 0).sum() <= 1  # float32 division


@pytest.mark.parametrize("multiplier", [0.0031, 0.9, 1.7, np.geomspace(1e-4, 0.02, 6)])
def test_legalise_requants_multiplying_alu_is_exact_within_one(multiplier):
    stage = requant(multiplier, zero_point=-9)
    graph = graph_of([conv((stage,))], {"x": X, "c": C}, "c")
    after = legalise_requants(graph, multiplies=True)
    assert kinds(after) == ["Conv"] and isinstance(after.nodes[0].stages[0], FixedPoint)
    apart = np.abs(result(graph).astype(int) - result(after))
    assert apart.max() <= 1


def test_fixed_point_products_stay_inside_32_bits():
    for seed in range(40):
        random = np.random.default_rng(seed)
        kernel, ins = int(random.choice([1, 3, 7])), int(random.choice([1, 16, 300]))
        size = kernel + 1
        outs = 6
        multiplier = float(np.exp(random.uniform(-12, 0)))
        node = conv((requant(multiplier),), outs, ins, kernel, seed)
        shapes = {"x": (1, ins, size, size), "c": (1, outs, 2, 2)}
        graph = graph_of([node], shapes, "c")
        after = legalise_requants(graph, multiplies=True)
        stage = after.nodes[0].stages[0] if after.nodes[0].stages else None
        if not isinstance(stage, FixedPoint):
            continue
        low, high = sum_bounds(node, outs)
        bound = np.maximum(-low, high)
        worst = ((bound >> stage.pre_shifts) + 1) * stage.factors + (1 << stage.post_shifts)
        assert worst.max() < 1 << 31, seed
        assert np.abs(result(graph).astype(int) - result(after)).max() <= 1, seed


def test_sum_bounds_hold_and_are_reached():
    node = conv((), x_zero_point=0)
    graph = graph_of([node], {"x": X, "c": ("int32", C)}, "c")
    low, high = sum_bounds(node, 6)
    extreme = np.zeros((1, 5, 8, 8), "i1")
    extreme[0, :, :3, :3] = np.where(node.weight[2] > 0, 127, -128)
    sums = run(graph, {"x": extreme})["c"]
    assert sums[0, 2, 0, 0] == high[2]
    found = result(graph)
    assert (found.max((0, 2, 3)) <= high).all() and (found.min((0, 2, 3)) >= low).all()


def test_legalise_rounding_shift_keeps_even_and_leak_does_not():
    for stage, wanted in (
        (requant(), "half_even"),
        (requant(negative_multiplier=np.array(2.0**-12)), "half_up"),
        (requant(1.0), "half_up"),
    ):
        graph = graph_of([conv((stage,))], {"x": X, "c": C}, "c")
        after = legalise_rounding(graph, ties_up=False)
        assert after.nodes[0].stages[0].rounding == wanted
        assert legalise_rounding(graph, ties_up=True).nodes[0].stages[0].rounding == "half_up"


def test_prepare_power_of_two_graph_is_unchanged_in_every_element():
    pool = MaxPool("p", ("c",), ("p",), kernel=(2, 2), strides=(2, 2))
    flat = Reshape("f", ("p",), ("f",))
    dense = Conv(
        "d", ("f",), ("y",), weight=np.random.default_rng(4).integers(-9, 9, (4, 54, 1, 1)),
        stages=(requant(2.0**-5),),
    )  # fmt: skip
    shapes = {"x": X, "c": C, "p": (1, 6, 3, 3), "f": (1, 54, 1, 1), "y": (1, 4, 1, 1)}
    graph = graph_of([conv(), pool, flat, dense], shapes, "y")
    for multiplies in (False, True):
        after = prepare(graph, Target(multiplies))
        assert kinds(after) == ["Conv", "Conv"]
        same(graph, after)
