"""Every choice that a schedule can make gives the same result."""

from __future__ import annotations

import dataclasses

import pytest

from bench.schedule_layers import ConvShape, conv_layer
from host_compiler.lower import Target, lower_layer
from host_compiler.lower.lowered import Unfit
from host_compiler.lower.plan import layer_kernel_builder
from host_compiler.lower.prepared import Prepared
from host_compiler.schedule.neighbours import neighbours
from host_compiler.schedule.parameters import Schedule
from tests.host_compiler.lower.layer_machine import check
from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import MemType, Opcode

SHAPE = ConvShape("s", 9, 64, 80, 1, 2)
PLAIN = Schedule(5, 5, 2, 2, 2)
CHOICES = {
    "packed": {"packed": 2, "inp_slots": 2},
    "half packed": {"packed": 1, "inp_slots": 2},
    "short ends": {"end_blocks": 1},
    "all begun": {"acc_slots": 3, "packed": 2},
    "all begun, short ends": {"acc_slots": 4, "end_blocks": 1, "blocks": 3, "group": 3},
    "weights ahead": {"weights_ahead": 2, "wgt_slots": 3},
    "more ahead than slots": {"weights_ahead": 5, "wgt_slots": 2},
    "addend by GEMM": {"gemm_addend": True, "acc_slots": 3},
    "taps as loops": {"loops": ("vh",), "in_blocks": 1},
}


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("choice", CHOICES)
def test_lower_layer_any_choice_equals_interpreter(choice: str, kernel: int) -> None:
    layer = conv_layer(dataclasses.replace(SHAPE, kernel=kernel))
    schedule = dataclasses.replace(PLAIN, **CHOICES[choice])
    check([lower_layer(layer, Target(HwConfig()), schedule)], 3, light=True)


def test_neighbours_of_a_schedule_differ_and_equal_interpreter() -> None:
    layer, target = conv_layer(SHAPE), Target(HwConfig())
    found = list(neighbours(Prepared(layer, target), PLAIN))
    assert len(set(found)) == len(found) > 10 and PLAIN not in found
    for schedule in found[::4]:
        try:
            plan = lower_layer(layer, target, schedule)
        except Unfit:
            continue
        check([plan], 4, light=True)


def first_moves(schedule: Schedule) -> list[int]:
    plan = lower_layer(conv_layer(SHAPE), Target(HwConfig()), schedule)
    stream = layer_kernel_builder(plan).build().stream()
    records = decode(stream.words, stream.config)
    moves = (records["opcode"] == Opcode.LOAD) & (records["x_size"] > 0)
    moves &= (records["memory_type"] == MemType.WGT) | (records["memory_type"] == MemType.INP)
    return records["memory_type"][moves].tolist()


def test_lower_layer_weights_ahead_come_before_the_first_input() -> None:
    for ahead in (1, 2, 3):
        moves = first_moves(dataclasses.replace(PLAIN, weights_ahead=ahead, wgt_slots=4))
        assert moves.index(MemType.INP) == ahead


def test_lower_layer_all_begun_resets_before_the_first_product() -> None:
    plan = lower_layer(
        conv_layer(SHAPE), Target(HwConfig()), dataclasses.replace(PLAIN, acc_slots=3)
    )
    stream = layer_kernel_builder(plan).build().stream()
    records = decode(stream.words, stream.config)
    gemms = records[records["opcode"] == Opcode.GEMM]
    assert gemms["reset"].tolist()[:4] == [1, 1, 1, 0] and not gemms["reset"][3:].any()


def test_ahead_loads_micro_ops_of_many_operations_at_once() -> None:
    plan = lower_layer(conv_layer(SHAPE), Target(HwConfig()), PLAIN)
    builder = layer_kernel_builder(plan)
    stream = builder.build().stream()
    records = decode(stream.words, stream.config)
    loads = (records["opcode"] == Opcode.LOAD) & (records["memory_type"] == MemType.UOP)
    assert (loads & (records["x_size"] > 0)).sum() == 1 < builder.uop_loads
