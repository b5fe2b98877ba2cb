"""Several layers in one stream: what one stores the next one loads, in time and not before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from host_compiler.layer import Layer, TensorRef, Term
from host_compiler.lower import Target
from host_compiler.schedule.search import plan_layer
from tests.host_compiler.lower.configs import CONFIGS
from tests.host_compiler.lower.layer_machine import check
from tests.host_compiler.lower.random_layers import LayerMaker


def chain_of(seed: int, block: int, length: int) -> list[Layer]:
    """Layers whose first term reads what the layer before stored, some buffers used again."""
    maker = LayerMaker(seed, block, 10, 40)
    layers: list[Layer] = []
    value: TensorRef | None = None
    while len(layers) < length:
        layer = maker.layer(f"layer{len(layers)}")
        terms = layer.terms
        if not terms or len(layer.outputs) > 1:
            continue
        if value is not None:
            first = terms[0]
            n, channels, height, width = value.shape
            blocks = -(-channels // block)
            pattern = first.tiles[:, :, :1]
            tiles = np.repeat(pattern, blocks, axis=2)
            lanes = np.arange(blocks * block).reshape(blocks, block) < channels
            tiles = (tiles * lanes[None, None, :, None, :]).astype(np.int8)
            linked = dataclasses.replace(
                first, source=value, tiles=tiles, used=np.ones(tiles.shape[:3], bool)
            )
            steps = tuple(linked if step is first else step for step in layer.steps)
            layer = dataclasses.replace(layer, steps=steps)
            if layer.sum_shape[0] != n:
                continue
        value = layer.outputs[0]
        layers.append(layer)
    return layers


@pytest.mark.parametrize("name", ["1x16", "2x16", "4x8", "1x16-small"])
@pytest.mark.parametrize("seed", range(2))
def test_emit_layer_chain_equals_interpreter(seed: int, name: str) -> None:
    print(f"seed {seed} on {name}")
    config = CONFIGS[name]
    layers = chain_of(seed, config.block, 4)
    assert all(isinstance(layer.steps[0], Term) for layer in layers)
    plans = [plan_layer(layer, Target(config), timed=2) for layer in layers]
    check(plans, seed)
