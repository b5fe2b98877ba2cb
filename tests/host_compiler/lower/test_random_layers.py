"""Random layers on every configuration equal the layer interpreter, bit for bit."""

from __future__ import annotations

import pytest

from host_compiler.lower import Target
from host_compiler.schedule.search import plan_layer
from tests.host_compiler.lower.configs import CONFIGS
from tests.host_compiler.lower.layer_machine import check
from tests.host_compiler.lower.random_layers import LayerMaker
from vta_pynq.timing import get_profile

FAST = 2
SLOW = 60


def compile_and_check(seed: int, name: str, profile: str = "hls-64bit") -> None:
    config = CONFIGS[name]
    print(f"seed {seed} on {name} for {profile}")
    extent = 8 if "tiny" in name or "2x8" in name else 12
    layer = LayerMaker(seed, config.block, extent).layer()
    plan = plan_layer(layer, Target(config, get_profile(profile)), timed=3)
    check([plan], seed)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(FAST))
def test_plan_layer_random_equals_interpreter(seed: int, name: str) -> None:
    compile_and_check(seed, name)


@pytest.mark.parametrize("profile", ["functional", "chisel-64bit", "hls-128bit"])
@pytest.mark.parametrize("name", ["1x16", "1x8", "1x16-small"])
@pytest.mark.parametrize("seed", range(100, 99 + FAST))
def test_plan_layer_other_profile_equals_interpreter(seed: int, name: str, profile: str) -> None:
    compile_and_check(seed, name, profile)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(FAST, SLOW))
def test_plan_layer_many_random_equal_interpreter(seed: int, name: str) -> None:
    compile_and_check(seed, name)
