"""Planning: determinism, refusals, what a plan says of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.schedule_layers import RESNET18_CONVS, conv_layer
from host_compiler.layer import Layer, Multiply, Tap, TensorRef, Term
from host_compiler.lower import Target, lower_layer
from host_compiler.lower.plan import layer_kernel_builder
from host_compiler.lower.prepared import Prepared
from host_compiler.schedule.account import account_of, account_table
from host_compiler.schedule.bound import bound_of
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.search import measure, plan_layer
from host_compiler.schedule.signature import signature
from tests.host_compiler.lower.configs import CONFIGS
from tests.host_compiler.lower.layer_machine import check
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import CompileError
from vta_pynq.timing import get_profile, simulate

SHAPES = {shape.name: shape for shape in RESNET18_CONVS}


def test_plan_layer_twice_gives_the_same_words() -> None:
    layer, target = conv_layer(SHAPES["C7"]), Target(HwConfig())
    plans = [plan_layer(layer, target, timed=4) for _ in range(2)]
    assert plans[0].schedule == plans[1].schedule
    kernels = [layer_kernel_builder(plan).build() for plan in plans]
    np.testing.assert_array_equal(kernels[0].words, kernels[1].words)
    for a, b in zip(plans[0].constants, plans[1].constants, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_plan_layer_known_schedule_is_used_and_noted() -> None:
    target, known = Target(HwConfig()), {}
    first = plan_layer(conv_layer(SHAPES["C10"], seed=1), target, timed=3, known=known)
    assert list(known.values()) == [first.schedule]
    other = Schedule.from_dict({**first.schedule.to_dict(), "rows": 1})
    known[next(iter(known))] = other
    assert plan_layer(conv_layer(SHAPES["C10"], seed=2), target, known=known).schedule == other


def test_plan_layer_estimate_is_the_models() -> None:
    target = Target(HwConfig())
    plan = plan_layer(conv_layer(SHAPES["C4"]), target, timed=3)
    report = simulate(layer_kernel_builder(plan).build().stream(), target.profile)
    assert plan.estimated_cycles == measure(plan) == report.total_cycles


# Part of the bound on the published PYNQ hardware.
LEAST = {
    "C2": 0.95, "C3": 0.95, "C4": 0.93, "C5": 0.95, "C6": 0.95, "C7": 0.88, "C8": 0.95,
    "C9": 0.95, "C10": 0.81, "C11": 0.95,
}  # fmt: skip
FAST = ("C2", "C4", "C7", "C10")


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in LEAST]
)
def test_plan_layer_resnet18_reaches_part_of_bound(name: str) -> None:
    target = Target(HwConfig())
    plan = plan_layer(conv_layer(SHAPES[name]), target)
    bound = bound_of(plan.lowered.prepared)
    stream = layer_kernel_builder(plan).build().stream()
    report = simulate(stream, target.profile)
    assert bound.cycles / report.total_cycles >= LEAST[name]
    assert sum(report.bytes_moved.values()) <= 1.3 * bound.bytes


@pytest.mark.parametrize("name", ["C10"])
def test_plan_layer_resnet18_equals_interpreter(name: str) -> None:
    check([plan_layer(conv_layer(SHAPES[name]), Target(HwConfig()), timed=2)], 5, light=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_plan_layer_all_resnet18_equal_interpreter(name: str) -> None:
    check([plan_layer(conv_layer(SHAPES[name]), Target(HwConfig()))], 7, light=True)


def multiply_layer(channels: int = 20) -> Layer:
    random = np.random.default_rng(3)
    tiles = random.integers(-128, 128, (1, 2, 1, 16, 16)).astype(np.int8)
    term = Term(
        TensorRef("x", (1, 16, 5, 6), 0, 1),
        (Tap((0, 0), 0, 0, 0),),
        tiles,
        np.ones((1, 2, 1), bool),
    )
    step = Multiply(
        random.integers(4, 9, channels), random.integers(1000, 30000, channels),
        random.integers(12, 20, channels), 3, -128, 127,
    )  # fmt: skip
    return Layer(
        "scaled", (1, channels, 5, 6), (term, step), (TensorRef("y", (1, channels, 5, 6), 0, 2),)
    )


def test_plan_layer_multiply_without_capability_is_refused() -> None:
    with pytest.raises(CompileError) as caught:
        plan_layer(multiply_layer(), Target(HwConfig()))
    assert str(caught.value) == (
        "layer scaled: rescale must be shifts on 1x16_i8w8a32_15_15_18_17, whose ALU does not "
        "multiply, not a fixed-point factor; requantise to powers of two"
    )


def test_plan_layer_multiply_with_capability_equals_interpreter() -> None:
    config = HwConfig().with_capabilities(Capability.ALU_MUL)
    check([plan_layer(multiply_layer(), Target(config), timed=2)], 1)


def test_lower_layer_too_large_tile_is_refused() -> None:
    with pytest.raises(CompileError) as caught:
        lower_layer(conv_layer(SHAPES["C2"]), Target(HwConfig()), Schedule(56, 56, 4, 4, 4))
    assert str(caught.value) == (
        "layer C2: input elements of a tile must be at most 2048 on 1x16_i8w8a32_15_15_18_17, not "
        "12544; use smaller tiles"
    )


def test_plan_layer_schedule_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CompileError, match="layer C2: schedule must fit the buffers of 1x16_"):
        plan_layer(conv_layer(SHAPES["C2"]), Target(HwConfig()), Schedule(56, 56, 4, 4, 4))


def test_signature_other_weights_same_key_other_stride_another() -> None:
    target = Target(HwConfig())
    keys = [
        signature(Prepared(conv_layer(shape, seed=seed), target))
        for shape, seed in (
            (SHAPES["C7"], 1),
            (SHAPES["C7"], 2),
            (dataclasses.replace(SHAPES["C7"], stride=1), 1),
        )
    ]
    assert keys[0] == keys[1] != keys[2]


def test_account_of_layer_parts_add_up() -> None:
    plan = plan_layer(conv_layer(SHAPES["C10"]), Target(HwConfig()), timed=1)
    account = account_of(plan)
    parts = (account.gemm, account.alu, account.again, account.fixed, account.fetched)
    assert sum(parts) + sum(account.waits.values()) + account.end == account.cycles
    assert min(parts) >= 0 and 0 <= account.end < 100


def test_plan_layer_tiny_buffers_still_work() -> None:
    config = dataclasses.replace(CONFIGS["1x16-tiny"], log_wgt_buff_size=8)
    layer = conv_layer(dataclasses.replace(SHAPES["C11"], channels=64, outs=64))
    plan = plan_layer(layer, Target(config), timed=1)  # a single weight tile still works
    assert plan.lowered.schedule.wgt_slots == 1
    vectors = 400
    wide = conv_layer(dataclasses.replace(SHAPES["C10"], size=2, channels=16, outs=16 * vectors))
    fine = plan_layer(wide, Target(CONFIGS["1x16-tiny"]), timed=1)
    assert not fine.lowered.places.vectors_stay


def test_target_batch_beyond_profile_is_refused() -> None:
    with pytest.raises(CompileError) as caught:
        Target(CONFIGS["2x16"], get_profile("chisel-64bit"))
    assert str(caught.value) == (
        f"target {CONFIGS['2x16'].name}: batch must be at most 1 for profile chisel-64bit, not 2; "
        "choose another configuration"
    )


def test_target_other_widths_are_refused() -> None:
    config = HwConfig(log_inp_width=2, log_inp_buff_size=14)
    with pytest.raises(CompileError, match="must have .8, 8, 32. bits"):
        Target(config)


def test_explain_names_tile_and_slots() -> None:
    plan = plan_layer(conv_layer(SHAPES["C4"]), Target(HwConfig()), timed=1)
    text = plan.explain()
    assert text.startswith("C4: ") and "cycles estimated" in text and "slots: " in text


def test_account_table_names_bound_parts_and_assumptions() -> None:
    plan = plan_layer(conv_layer(SHAPES["C10"]), Target(HwConfig()), timed=2)
    head, row, legend, *assumed = account_table([plan]).splitlines()
    numbers = dict(
        zip(head.replace("% of it", "%").replace("x bytes", "x").split(), row.split(), strict=True)
    )
    account = account_of(plan)
    assert int(numbers["cycles"]) == account.cycles
    above = sum(
        int(numbers[name])
        for name in ("repeated", "instructions", "micro-ops", "data", "stores", "fetch", "end")
    )
    assert account.gemm + account.alu + above == account.cycles
    assert legend.startswith("each layer on its own")
    assert len(assumed) == 1 and assumed[0].startswith("assumed: memory latency 32")


def test_account_table_without_timing_is_empty() -> None:
    target = Target(HwConfig(), get_profile("functional"))
    assert account_table([plan_layer(conv_layer(SHAPES["C10"]), target, timed=1)]) == ""
