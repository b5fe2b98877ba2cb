"""What REQUANT takes: on the project's design by the sources that it reads, elsewhere as ALU."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.timing.streams import CONFIG, FINISH, loop, nop, records_of
from vta_pynq.errors import SimError
from vta_pynq.isa.encode import encode
from vta_pynq.isa.table import Opcode
from vta_pynq.timing import PROFILES, instruction_cycles, simulate

ABLE = CONFIG.with_capabilities("alu_requant")


def turns(fields: dict[str, int], sources: list[int]) -> int:
    """Micro-ops, and reads of operands that the registers do not hold yet, one by one."""
    count, held = 0, None
    for o, i in itertools.product(range(fields["iter_out"]), range(fields["iter_in"])):
        for uop in sources:
            source = uop + o * fields["src_factor_out"] + i * fields["src_factor_in"]
            count += 1
            if source != held:
                count += fields["use_bias"] + fields["use_mul"]
                held = source
    return count


def test_requant_on_vta1_takes_a_turn_for_each_new_bias_and_multiplier() -> None:
    grid = itertools.product((1, 4), (1, 5), (0, 2), (0, 3), (0, 1), (0, 1))
    for out, inner, src_out, src_in, bias, mul in grid:
        fields = {
            "opcode": Opcode.REQUANT, "uop_end": 1, "iter_out": out, "iter_in": inner,
            "src_factor_out": src_out, "src_factor_in": src_in, "use_bias": bias, "use_mul": mul,
        }  # fmt: skip
        found = instruction_cycles(records_of(fields), "vta1", ABLE)[0]
        assert found == 32 + turns(fields, [0]), fields


def test_requant_on_vta1_with_several_micro_ops_takes_never_less() -> None:
    fields = {
        "opcode": Opcode.REQUANT, "uop_end": 3, "iter_out": 2, "iter_in": 4, "use_bias": 1,
        "use_mul": 1, "src_factor_out": 2, "src_factor_in": 0,
    }  # fmt: skip
    found = instruction_cycles(records_of(fields), "vta1", ABLE)[0]
    assert found == 32 + turns(fields, [0, 2, 4]) == 32 + 24 * 3
    assert found > 32 + turns(fields, [6, 6, 6])


def test_requant_without_operands_or_iterations() -> None:
    records = records_of(
        loop(Opcode.REQUANT, 10, src_factor_in=1), loop(Opcode.REQUANT, 0, use_bias=1, use_mul=1)
    )
    assert instruction_cycles(records, "vta1", ABLE).tolist() == [42, 25]


def test_requant_on_other_designs_takes_what_a_register_operation_takes() -> None:
    requant, alu = records_of(loop(Opcode.REQUANT, 9, use_bias=1)), records_of(loop(Opcode.ALU, 9))
    for profile in ("hls-64bit", "hls-128bit", "chisel-64bit"):
        found = instruction_cycles(requant, profile, ABLE)
        assert found == instruction_cycles(alu, profile, ABLE)


def test_requant_without_the_capability_is_ignored_or_hangs() -> None:
    record = records_of(nop(), loop(Opcode.REQUANT, 9))
    for name in ("hls-64bit", "vta1"):
        timing = PROFILES[name].timing
        assert timing is not None
        assert instruction_cycles(record, name, CONFIG)[1] == timing.ignored
    with pytest.raises(SimError, match="insn 1: opcode must be one that chisel-64bit knows, not 5"):
        instruction_cycles(record, "chisel-64bit", CONFIG)


def test_simulate_counts_one_pass_instead_of_five() -> None:
    """Bias, rounding, shift and two clips of 1,024 elements in one channel block."""
    n = {"n": 32, "iter_out": 32}
    five = [loop(Opcode.ALU, **n)]
    five += [loop(Opcode.ALU, **n, use_imm=1, alu_opcode=o) for o in (2, 3, 1, 0)]
    cycles = []
    for insns in (five, [loop(Opcode.REQUANT, **n, use_bias=1)]):
        words = encode(np.asarray(records_of(*insns, FINISH)), ABLE)
        cycles.append(simulate(words, "vta1", config=ABLE).total_cycles)
    assert 5 < cycles[0] / cycles[1] < 6.1
