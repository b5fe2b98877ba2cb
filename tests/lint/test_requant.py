"""REQUANT in the linter: form, SRAM ranges, contents, distances, the output buffer."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest

from tests.lint.programs import Fields, finish, load, nop, store, stream
from tests.lint.test_loops import random_loops, steps
from tests.lint.verdicts import Verdict, check
from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import PROFILES, get_profile

ABLE = HwConfig().with_capabilities("alu_requant")
ROWS = [(d, d, 0) for d in range(8)]


def requant(uops: tuple[int, int] = (0, 1), **fields: Any) -> Fields:
    """REQUANT over a micro-op range, clipped to int8."""
    return {
        "opcode": Opcode.REQUANT, "uop_bgn": uops[0], "uop_end": uops[1], "iter_out": 1,
        "iter_in": 1, "shift": 7, "clip_lo": -128, "clip_hi": 127, **fields,
    }  # fmt: skip


def single(
    *insns: Fields, uops: list[tuple[int, int, int]] = ROWS, config: HwConfig = ABLE, acc: int = 8
) -> InstructionStream:
    """Accumulators and eight micro-ops are loaded, then the instructions run."""
    start = [load(MemType.ACC, count=acc), load(MemType.UOP, count=8)]
    return stream([*start, *insns, finish()], uops, config)


def stored(*insns: Fields) -> InstructionStream:
    """`single`, and the eight accumulators are stored."""
    last = {**insns[-1], "push_next": 1}
    return single(
        *insns[:-1], last, store(count=8, pop_prev=1, push_prev=1), nop(pop_next=1)
    )  # fmt: skip


CHAIN = [(0, 4, 0), (1, 0, 0), *ROWS[2:]]  # the second one's source is the first one's result
AFTER = [(1, 4, 0), (2, 0, 0), *ROWS[2:]]  # … and here its multiplier, one further
WRAPS = [(0, 4, 0), (1, 2047, 0), *ROWS[2:]]

VERDICTS = [
    Verdict(
        "unknown-insn", "hls-64bit", "error", 2,
        single(requant(), config=HwConfig()), single(requant()),
        "insn 2 REQUANT: REQUANT needs the capability alu_requant: hls-64bit executes it as a "
        "no-op; use ADD, SHR, MAX and MIN",
    ),
    Verdict(
        "unknown-insn", "chisel-64bit", "error", 2,
        single(requant(), config=HwConfig()), single(requant()),
        "insn 2 REQUANT: REQUANT needs the capability alu_requant: chisel-64bit hangs on it; use "
        "ADD, SHR, MAX and MIN",
    ),
    Verdict(
        "loop-empty", "vta1", "info", 2, single(requant(iter_in=0)), single(requant()),
        "insn 2 REQUANT: iter_in is 0: vta1 does nothing; do not emit the instruction",
    ),
    Verdict(
        "sram-range", "vta1", "error", 2,
        single(requant(iter_out=2, dst_factor_out=2047, iter_in=2, dst_factor_in=1)),
        single(requant(iter_out=2, dst_factor_out=7)),
        "insn 2 REQUANT: ACC index must be below 2048, not reach 2048: it traps on vta1; lower "
        "loop counts, factors or micro-op indices",
    ),
    Verdict(
        "sram-range", "vta1", "error", 2,
        single(requant(use_mul=1, iter_out=3, src_factor_out=1024)),
        single(requant(iter_out=3, src_factor_out=1024)),
        "insn 2 REQUANT: ACC index must be below 2048, not reach 2048: it traps on vta1; lower "
        "loop counts, factors or micro-op indices",
    ),
    Verdict(
        "sram-unwritten", "vta1", "info", 2,
        single(requant((7, 8), use_bias=1, use_mul=1)),
        single(requant((6, 7), use_bias=1, use_mul=1)),
        "insn 2 REQUANT: reads 1 element of ACC SRAM from 8 on that nothing in this submission "
        "wrote: they hold zeros after a reset of the model, on hardware what an earlier one left; "
        "load or compute them first",
    ),
    Verdict(
        "sram-unwritten", "hls-64bit", "error", 2,
        single(requant(use_mul=1), uops=[(0, 8, 0), *ROWS[1:]]),
        single(requant(), uops=[(0, 8, 0), *ROWS[1:]]),
        "insn 2 REQUANT: reads 1 element of ACC SRAM from 8 on that nothing in this submission "
        "wrote: they hold what an earlier one left; load or compute them first",
    ),
    Verdict(
        "acc-distance", "hls-64bit", "error", 2,
        single(requant(iter_in=2)), single(requant()),
        "insn 2 REQUANT: an ALU destination must be reused at the earliest 3 micro-ops after its "
        "write on hls-64bit, not 1 (element 0): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "acc-distance", "hls-64bit", "error", 2,
        single(requant((0, 2), use_bias=1), uops=CHAIN), single(requant((0, 2)), uops=CHAIN),
        "insn 2 REQUANT: an ALU source must be reused at the earliest 3 micro-ops after its write "
        "on hls-64bit, not 1 (element 0): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "acc-distance", "chisel-64bit", "error", 2,
        single(requant((0, 2), use_bias=1, use_mul=1), uops=AFTER),
        single(requant((0, 2), use_mul=1), uops=AFTER),
        "insn 2 REQUANT: an ALU source must be reused at the earliest 2 micro-ops after its write "
        "on chisel-64bit, not 1 (element 1): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "acc-distance", "hls-64bit", "error", 2,
        single(requant((0, 2), use_bias=1, use_mul=1), uops=WRAPS, acc=2048),
        single(requant((0, 2), use_mul=1), uops=WRAPS, acc=2048),
        "insn 2 REQUANT: an ALU source must be reused at the earliest 3 micro-ops after its write "
        "on hls-64bit, not 1 (element 0): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "alu-source", "chisel-64bit", "error", 2,
        single(requant(use_bias=1), uops=[(0, 1, 1), *ROWS[1:]]),
        single(requant(), uops=[(0, 1, 1), *ROWS[1:]]),
        "insn 2 REQUANT: wgt_idx must be 0 in an ALU operation on chisel-64bit, which takes it for "
        "upper source bits, not 1 (micro-op 0); clear it",
    ),
    Verdict(
        "store-source", "hls-64bit", "error", 3, stored(nop()), stored(requant((0, 8))),
        "insn 3 STORE: stores 8 elements from 0 on that LOAD ACC (insn 0 LOAD ACC) wrote last: "
        "only ALU and GEMM without reset update the output buffer of hls-64bit, so something "
        "else is stored; run ALU ADD 0 over the elements first",
    ),
]  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: f"{v.rule}-{v.profile}")
def test_lint_stream_requant_rule_finds_and_accepts(verdict: Verdict) -> None:
    check(verdict)


@pytest.mark.parametrize("profile", PROFILES)
def test_lint_stream_requant_of_a_tile_is_clean_on_every_profile(profile: str) -> None:
    channels = requant(
        use_bias=1, use_mul=1, iter_out=2, iter_in=4, dst_factor_out=4, dst_factor_in=1,
        src_factor_out=2,
    )  # fmt: skip
    uops = [(0, 8, 0), *ROWS[1:]]
    tile = [load(MemType.ACC, count=12), load(MemType.UOP, count=8), {**channels, "push_next": 1},
            store(count=8, pop_prev=1, push_prev=1), nop(pop_next=1), finish()]  # fmt: skip
    assert lint_stream(stream(tile, uops, ABLE), profile).findings == ()


def test_lint_stream_requant_with_a_batch_that_the_design_cannot_do() -> None:
    batch = dataclasses.replace(ABLE, log_batch=1)
    found = lint_stream(stream([requant(), finish()], config=batch, segments=False), "chisel-64bit")
    assert "batch" in {f.rule for f in found.errors}


def reads(step: tuple[int, int, int], bias: bool, mul: bool) -> list[int]:
    found = [step[1]] if bias or mul else []
    return [*found, (step[1] + 1) % ABLE.acc_depth] if bias and mul else found


@pytest.mark.parametrize("seed", range(6))
def test_lint_stream_requant_distance_agrees_with_enumeration(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    wide = {f"{r}_distance": 1 for r in ("gemm_acc", "alu_dst", "alu_src", "alu_imm")}
    found_some = 0
    for _ in range(120):
        least, bias, mul = rng.randrange(2, 9), rng.random() < 0.7, rng.random() < 0.7
        profile = dataclasses.replace(get_profile("vta1"), **{**wide, "alu_src_distance": least})
        high = rng.choice([6, 2048])
        near = [rng.randrange(6), rng.randrange(high - 6, high)]
        uops = [(rng.randrange(6), rng.choice(near) + rng.randrange(2), 0) for _ in range(6)]
        insn = requant(use_bias=int(bias), use_mul=int(mul)) | random_loops(rng, 5)
        insn |= {k: 0 for k in insn if k.startswith("wgt")}
        uops = [(d, min(s, 2047), w) for d, s, w in uops]
        order = steps(insn, uops)
        if max(step[1] for step in order) >= ABLE.acc_depth:
            continue
        best = min(
            (
                later - at
                for later, step in enumerate(order)
                for at in range(max(0, later - least + 1), later)
                if order[at][0] in reads(step, bias, mul)
            ),
            default=None,
        )
        report = lint_stream(stream([load(MemType.UOP, count=6), insn, finish()], uops, ABLE),
                             profile)  # fmt: skip
        got = [f.message for f in report.findings if f.rule == "acc-distance"]
        assert bool(got) == (best is not None), (insn, uops, best)
        if best is not None:
            assert any(f", not {best} (element" in message for message in got)
            found_some += 1
    assert 10 < found_some < 120


@pytest.mark.parametrize("seed", range(3))
def test_lint_stream_requant_touched_elements_agree_with_enumeration(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(60):
        uops = [(rng.randrange(300), rng.randrange(2048), 0) for _ in range(6)]
        bias, mul = rng.random() < 0.7, rng.random() < 0.7
        insn = requant(use_bias=int(bias), use_mul=int(mul)) | random_loops(rng, 400)
        insn |= {k: 0 for k in insn if k.startswith("wgt")}
        order = steps(insn, uops)
        loads = [load(MemType.UOP, count=6), load(MemType.ACC, count=1)]
        report = lint_stream(stream([*loads, insn, finish()], uops, ABLE), "vta1")
        inside = [step for step in order if step[1] < 2048]
        sources = {e for step in inside for e in reads(step, bias, mul)} - {0}
        said = [f.message for f in report.findings if f.rule == "sram-unwritten"]
        first, count = (min(sources), len(sources)) if sources else (0, 0)
        noun = "1 element" if count == 1 else f"{count} elements"
        expected = f"reads {noun} of ACC SRAM from {first} on"
        assert not sources or any(expected in message for message in said), (said, expected)


def test_lint_stream_requant_loops_of_any_size_cost_nothing() -> None:
    huge = {"iter_out": 16383, "iter_in": 16383, "use_bias": 1, "use_mul": 1}
    uops = [(d % 2040, 2046, 0) for d in range(8192)]
    start = [load(MemType.UOP, count=8192), load(MemType.ACC, count=2048)]
    many = [*start, *[requant((0, 8192), **huge)] * 50, finish()]
    assert lint_stream(stream(many, uops, ABLE)).findings == ()


def test_lint_stream_any_requant_bits_are_judged() -> None:
    rng = np.random.default_rng(seed := 3)
    print("seed", seed)
    for _ in range(150):
        words = rng.integers(0, 1 << 64, (20, 2), np.uint64, endpoint=False)
        words[:, 0] = words[:, 0] & ~np.uint64(7) | np.uint64(Opcode.REQUANT)
        report = lint_stream(
            InstructionStream("test", ABLE, words, single().segments), rng.choice(list(PROFILES))
        )
        assert all(f.message.startswith(("insn ", "stream ")) for f in report.findings)
