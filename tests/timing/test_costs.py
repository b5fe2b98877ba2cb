"""One instruction at a time against the tables of the instruction-set specification."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.timing.streams import CONFIG, FINISH, load, loop, nop, records_of, store
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ConfigError, SimError
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.timing import PROFILES, instruction_cycles
from vta_pynq.timing.parameters import LoopTiming, MemoryPort

INP, WGT, ACC, UOP = MemType.INP, MemType.WGT, MemType.ACC, MemType.UOP
PADDED = {"x_pad_0": 1, "x_pad_1": 2, "y_pad_0": 1, "y_pad_1": 1}

# Columns: hls-64bit at L = 32, hls-128bit at L = 10, chisel-64bit at L = 10; by hand.
TABLE = [
    ("compute NOP", nop(), 15, 15, 2),
    ("load NOP", nop(INP), 9, 9, 2),
    ("store NOP", store(0, 0), 3, 3, 2),
    ("FINISH", FINISH, 15, 15, 2),
    ("GEMM", loop(Opcode.GEMM, 100), 126, 126, 107),
    ("GEMM reset", loop(Opcode.GEMM, 100, reset=1), 126, 126, 107),
    ("GEMM loops", loop(Opcode.GEMM, 5, iter_out=4, uop_end=3), 86, 86, 67),
    ("ALU imm", loop(Opcode.ALU, 100, use_imm=1), 224, 224, 107),
    ("ALU reg", loop(Opcode.ALU, 100), 224, 224, 207),
    ("LOAD UOP", load(UOP, 9), 9 + 32 + 20, 9 + 10 + 20, 5 + 10 + 4),
    ("LOAD UOP odd", load(UOP, 9, dram_base=3), 61, 39, 5 + 10 + 4),
    ("LOAD UOP odd, even count", load(UOP, 8, dram_base=3), 60, 38, 5 + 10 + 4),
    ("LOAD ACC", load(ACC, 6, 3), 13 + 3 * (48 + 53), 13 + 3 * (24 + 31), 144 + 15),
    ("LOAD INP", load(INP, 6, 3), 9 + 3 * (12 + 51), 9 + 3 * (6 + 29), 36 + 15),
    (
        "LOAD INP padded",
        load(INP, 6, 3, **PADDED),
        9 + 3 * (12 + 3 + 51) + 9 * 2,
        9 + 3 * (6 + 3 + 29) + 9 * 2,
        # One cycle of row above; 27 zeros, 13 of them before the data.
        36 + 15 + 1 + 14,
    ),
    ("LOAD ACC padded", load(ACC, 6, 3, **PADDED), 13 + 3 * (48 + 3 + 53) + 18, 205, 174),
    ("LOAD WGT", load(WGT, 2, 3), 5 + 3 * (128 + 47), 5 + 3 * (64 + 25), 192 + 15),
    ("LOAD WGT padded", load(WGT, 2, 3, **PADDED), 530, 272, 192 + 15 + 1 + 6),
    ("STORE", store(5, 2), 3 + 2 * (10 + 46), 3 + 2 * (5 + 24), 30 + 2 * 13 - 1),
    ("STORE two bursts", store(5, 1, dram_base=126), 59, 32, 15 + 2 * 13 - 1),
    ("LOAD INP bottom only", load(INP, 4, 3, y_pad_1=3), 198, 120, 24 + 15 + 3),
    ("LOAD INP hidden pads", load(INP, 4, 3, x_pad_0=2), 192, 114, 24 + 15),
    ("LOAD INP empty rows", load(INP, 0, 2), 9 + 28, 9 + 28, 2),
    ("GEMM no iterations", loop(Opcode.GEMM, 0), 19, 19, (1 << 14) + 7),
    ("ALU empty micro-ops", loop(Opcode.ALU, 2, use_imm=1, uop_end=0), 17, 17, (2 << 14) + 7),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_instruction_cycles_of_each_table_row(row):
    _, insn, hls_64, hls_128, chisel = row
    records = records_of(insn)
    assert instruction_cycles(records, "hls-64bit", CONFIG).tolist() == [hls_64]
    assert instruction_cycles(records, "hls-128bit", CONFIG, 10).tolist() == [hls_128]
    assert instruction_cycles(records, "chisel-64bit", CONFIG, 10).tolist() == [chisel]


def test_instruction_cycles_of_many_equals_each_alone():
    rows = [row[1] for row in TABLE] * 700  # longer than one chunk
    together = instruction_cycles(records_of(*rows), "chisel-64bit", CONFIG)
    alone = [
        int(instruction_cycles(records_of(row[1]), "chisel-64bit", CONFIG)[0]) for row in TABLE
    ]
    assert together.tolist() == alone * 700


def test_instruction_cycles_hls_uop_rows_are_ignored():
    assert instruction_cycles(records_of(load(UOP, 4, 3)), "hls-64bit", CONFIG).tolist() == [56]


@pytest.mark.parametrize(
    ("config", "wgt", "inp", "acc"),
    [
        (HwConfig(), 64, 2, 8),
        (HwConfig(log_block=5), 256, 4, 16),
        (HwConfig(log_batch=1), 64, 4, 16),
        (HwConfig(log_wgt_width=2, log_wgt_buff_size=17), 32, 2, 8),
        (
            HwConfig(log_block=2, log_inp_buff_size=11, log_wgt_buff_size=12, log_acc_buff_size=13),
            4,
            1,
            2,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, HwConfig) else str(value),
)
def test_instruction_cycles_scale_with_element_bytes(config, wgt, inp, acc):
    records = records_of(load(WGT, 3), load(INP, 3), load(ACC, 3))
    expected = [5 + 3 * wgt + 47, 9 + 3 * inp + 51, 13 + 3 * acc + 53]
    assert instruction_cycles(records, "hls-64bit", config, 32).tolist() == expected


def test_instruction_cycles_of_another_bus_width_and_slower_memory():
    profile = PROFILES["hls-64bit"]
    wide = dataclasses.replace(
        profile.timing,
        ports=(MemoryPort(32, ("inp", "wgt", "uop", "acc", "fetch")), MemoryPort(4, ("out",), 3)),
    )
    profile = dataclasses.replace(profile, timing=wide)
    cycles = instruction_cycles(records_of(load(WGT, 3), store(5)), profile, CONFIG, 0)
    assert cycles.tolist() == [5 + 3 * 16 + 15, 3 + 5 * 4 * 3 + 14]


def test_instruction_cycles_of_a_fused_operation_and_pipelined_rows():
    profile = PROFILES["hls-64bit"]
    timing = dataclasses.replace(
        profile.timing,
        alu_by_opcode=((int(AluOp.MUL), LoopTiming(fixed=30, interval=4)),),
        inp=dataclasses.replace(profile.timing.inp, latency="once", next_row=1),
    )
    profile = dataclasses.replace(profile, timing=timing)
    records = records_of(
        loop(Opcode.ALU, 10, alu_opcode=AluOp.MUL), loop(Opcode.ALU, 10), load(INP, 6, 3)
    )
    assert instruction_cycles(records, profile, CONFIG, 32).tolist() == [70, 44, 9 + 51 + 36 + 2]


def test_instruction_cycles_load_acc8_follows_the_capability():
    record = records_of(load(MemType.ACC_8BIT, 8))
    plain = instruction_cycles(record, "hls-128bit", CONFIG, 10)
    able = HwConfig(capabilities=frozenset({Capability.LOAD_ACC8}))
    assert plain.tolist() == [9]
    assert instruction_cycles(record, "hls-128bit", able, 10).tolist() == [13 + 8 + 31]
    assert instruction_cycles(record, "chisel-64bit", able, 10).tolist() == [16 + 15]


@pytest.mark.parametrize(
    ("insn", "what"),
    [
        (load(MemType.ACC_8BIT, 8), "memory type must be one that chisel-64bit knows, not 5"),
        (load(MemType.OUT, 8), "memory type must be one that chisel-64bit knows, not 4"),
        (
            loop(Opcode.ALU, 8, alu_opcode=4),
            "ALU operation must be one that chisel-64bit knows, not 4",
        ),
        ({"opcode": 7}, "opcode must be one that chisel-64bit knows, not 7"),
    ],
)  # fmt: skip
def test_instruction_cycles_of_what_hangs_the_design_is_refused(insn, what):
    with pytest.raises(SimError) as caught:
        instruction_cycles(records_of(nop(), insn), "chisel-64bit", CONFIG)
    assert str(caught.value) == f"cycle model, insn 1: {what}; it would hang there"
    assert instruction_cycles(records_of(nop(), insn), "hls-64bit", CONFIG).shape == (2,)


def test_instruction_cycles_of_a_profile_without_time_is_refused():
    with pytest.raises(SimError) as caught:
        instruction_cycles(records_of(FINISH), "functional", CONFIG)
    assert str(caught.value) == (
        "cycle model: profile must have cycle parameters, not 'functional'; "
        "use hls-64bit, hls-128bit, chisel-64bit or vta1"
    )


@pytest.mark.parametrize("latency", [-1, 1.5, True, 1 << 21])
def test_instruction_cycles_latency_out_of_range_is_refused(latency):
    with pytest.raises(SimError) as caught:
        instruction_cycles(records_of(FINISH), "hls-64bit", CONFIG, latency)
    assert str(caught.value) == (
        f"cycle model: memory latency must be in 0..1048576 cycles, not {latency!r}"
    )


def test_instruction_cycles_unknown_profile_is_refused():
    with pytest.raises(ConfigError):
        instruction_cycles(records_of(FINISH), "verilog", CONFIG)


def test_profiles_name_each_memory_client_once():
    for profile in PROFILES.values():
        if profile.timing is not None:
            clients = [client for port in profile.timing.ports for client in port.clients]
            assert sorted(clients) == ["acc", "fetch", "inp", "out", "uop", "wgt"]
            assert profile.timing.source


def test_instruction_cycles_of_no_instructions_is_empty():
    assert instruction_cycles(np.zeros(0, records_of(FINISH).dtype), "hls-64bit", CONFIG).size == 0
