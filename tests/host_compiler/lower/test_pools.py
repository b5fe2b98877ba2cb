"""Pools in place and through the other area, at the end of a layer and inside it."""

from __future__ import annotations

import pytest

from host_compiler.layer import Layer, Pool
from host_compiler.lower import Target
from host_compiler.lower.pool_layout import AxisOrder, anchors_of
from host_compiler.schedule.search import plan_layer
from tests.host_compiler.lower.configs import CONFIGS
from tests.host_compiler.lower.layer_machine import check
from tests.host_compiler.lower.random_layers import LayerMaker


def pooled_layer(seed: int, block: int, in_place: bool) -> Layer:
    """A random layer whose pool reduces in place, or does not."""
    maker = LayerMaker(seed, block, 11, 40)
    while True:
        layer = maker.layer()
        pools = [step for step in layer.steps if isinstance(step, Pool)]
        if pools and (anchors_of(pools[0], layer.sum_shape[2:]) is not None) == in_place:
            return layer


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("name", ["1x16", "4x8", "1x16-small", "1x16-short-inputs"])
@pytest.mark.parametrize("seed", range(2))
def test_plan_layer_pool_equals_interpreter(seed: int, name: str, in_place: bool) -> None:
    print(f"seed {seed} on {name}")
    config = CONFIGS[name]
    layer = pooled_layer(seed, config.block, in_place)
    plan = plan_layer(layer, Target(config), timed=2)
    assert (plan.lowered.prepared.anchors is not None) == in_place
    check([plan], seed)


@pytest.mark.parametrize(
    ("pool", "extent", "wanted"),
    [
        (Pool((3, 3), (2, 2), (1, 1, 1, 1)), (112, 112), (1, 1)),
        (Pool((2, 2), (2, 2)), (14, 14), (0, 0)),
        (Pool((3, 3), (2, 2)), (13, 13), (1, 1)),
        (Pool((2, 2), (1, 1), (0, 0, 1, 1)), (13, 13), None),
        (Pool((3, 3), (1, 1), (1, 1, 1, 1)), (13, 13), None),
        (Pool((2, 2), (2, 2), (0, 0, 0, 0), (2, 2)), (13, 13), None),
        (Pool((1, 1), (3, 2)), (7, 8), (0, 0)),
    ],
)
def test_anchors_of_pool_finds_position(
    pool: Pool, extent: tuple[int, int], wanted: tuple[int, int] | None
) -> None:
    assert anchors_of(pool, extent) == wanted


@pytest.mark.parametrize("length", [1, 2, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_axis_order_parts_place_each_position_once(length: int, stride: int) -> None:
    for first in range(min(stride, length)):
        order = AxisOrder(length, stride, first)
        for advance in (1, 2, 3):
            places = {}
            for begin in range(min(advance, length)):
                count = -(-(length - begin) // advance)
                for number, index, step, items, skipped in order.parts(begin, advance, count):
                    for k in range(items):
                        at = begin + (skipped + k * order.period(advance)) * advance
                        assert at not in places
                        places[at] = order.start(number) + index + k * step
            assert sorted(places) == sorted(places.values()) == list(range(length))
            anchors = [places[at] for at in range(first, length, stride)]
            assert anchors == list(range(len(anchors)))
