"""The design-intent parameters of the project's own hardware give the table of docs/hardware.md."""

from __future__ import annotations

import numpy as np
import pytest

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.timing import PROFILES, instruction_cycles

L = 32
X, Y, N = 5, 3, 24
LOOPS = {"uop_end": 4, "iter_out": 2, "iter_in": 3}
BLOCK = {"x_size": X, "y_size": Y, "x_stride": 9}

TABLE = [
    ({"opcode": Opcode.GEMM, **LOOPS}, N + 28),
    ({"opcode": Opcode.ALU, "use_imm": 1, **LOOPS}, N + 28),
    ({"opcode": Opcode.ALU, **LOOPS}, 2 * N + 28),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.INP, **BLOCK}, 34 + L + 2 * X * Y),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.WGT, **BLOCK}, 26 + L + 32 * X * Y),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.ACC, **BLOCK}, 40 + L + 8 * X * Y),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.ACC_8BIT, **BLOCK}, 40 + L + 2 * X * Y),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.UOP, **BLOCK}, 26 + L + X * Y),
    (
        {"opcode": Opcode.STORE, "memory_type": MemType.OUT, **BLOCK},
        18 + L + 2 * X * Y + 2 * (Y - 1),
    ),
]


@pytest.mark.parametrize(("fields", "cycles"), TABLE)
def test_vta1_instruction_takes_what_the_page_says(fields, cycles):
    record = np.zeros(1, INSN_DTYPE)
    for name, value in fields.items():
        record[name] = value
    assert instruction_cycles(record, "vta1", HwConfig())[0] == cycles


def test_vta1_padding_takes_a_cycle_each():
    record = np.zeros(1, INSN_DTYPE)
    for name, value in {"opcode": Opcode.LOAD, "memory_type": MemType.INP, **BLOCK}.items():
        record[name] = value
    plain = instruction_cycles(record, "vta1", HwConfig())[0]
    record["x_pad_0"] = 2
    record["y_pad_1"] = 1
    assert instruction_cycles(record, "vta1", HwConfig())[0] - plain == 2 * Y + (X + 2)


def test_vta1_source_says_that_nothing_confirmed_it():
    timing = PROFILES["vta1"].timing
    assert timing is not None and "no build has confirmed it" in timing.source
