"""Loop nests against enumeration: which elements are touched, how soon they are reused."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from tests.lint.programs import Fields, alu, finish, gemm, load, stream
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.lint import lint_stream
from vta_pynq.timing.profiles import get_profile

Uops = list[tuple[int, int, int]]


def steps(insn: Fields, uops: Uops) -> list[tuple[int, int, int]]:
    """The dst, src and wgt index of every micro-op in order."""
    found = []
    for o, i in itertools.product(range(insn["iter_out"]), range(insn["iter_in"])):
        for uop in uops[insn["uop_bgn"] : insn["uop_end"]]:
            found.append(tuple(
                index + o * insn.get(f"{name}_factor_out", 0) + i * insn.get(f"{name}_factor_in", 0)
                for index, name in zip(uop, ("dst", "src", "wgt"), strict=True)
            ))  # fmt: skip
    return found


def least_distance(order: list[tuple[int, int, int]], column: int) -> int | None:
    """The least distance between a write of an element and a later read of it."""
    last: dict[int, int] = {}
    best: int | None = None
    for position, step in enumerate(order):
        if step[column] in last:
            distance = position - last[step[column]]
            best = distance if best is None else min(best, distance)
        last[step[0]] = position
    return best


def random_loops(rng: random.Random, big: int) -> Fields:
    """Loop counts and factors, often small or equal so that indices collide."""
    names = [f"{a}_factor_{b}" for a in ("dst", "src", "wgt") for b in ("out", "in")]
    begin = rng.randrange(3)
    fields = {name: rng.choice([0, 0, 1, 1, 2, 3, rng.randrange(big)]) for name in names}
    loops = {"iter_out": rng.randrange(1, 6), "iter_in": rng.randrange(1, 6)}
    return {**fields, **loops, "uop_bgn": begin, "uop_end": rng.randrange(begin + 1, 7)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("role", ["gemm", "alu_dst", "alu_src", "alu_imm"])
def test_lint_stream_distance_agrees_with_enumeration(role: str, seed: int) -> None:
    print("seed", seed)
    rng = random.Random(f"{role}{seed}")
    wide = {f"{r}_distance": 1 for r in ("gemm_acc", "alu_dst", "alu_src", "alu_imm")}
    found_some = 0
    for _ in range(120):
        least = rng.randrange(2, 9)
        name = "gemm_acc_distance" if role == "gemm" else f"{role}_distance"
        profile = dataclasses.replace(get_profile("hls-64bit"), **{**wide, name: least})
        uops = [(rng.randrange(6), rng.randrange(6), 0) for _ in range(6)]
        insn = random_loops(rng, 5)
        insn |= {k: 0 for k in insn if k.startswith("wgt")}
        base = gemm() if role == "gemm" else alu(AluOp.ADD, imm=1 if role == "alu_imm" else None)
        insn = {**base, **insn}
        order = steps(insn, uops)
        expected = least_distance(order, 1 if role == "alu_src" else 0)
        report = lint_stream(stream([load(MemType.UOP, count=6), insn, finish()], uops), profile)
        got = [f for f in report.findings if f.rule == "acc-distance"]
        if expected is None or expected >= least:
            assert not got, (insn, uops, expected)
        else:
            assert len(got) == 1, (insn, uops, expected)
            assert f", not {expected} (element" in got[0].message
            found_some += 1
    assert 10 < found_some < 120


@pytest.mark.parametrize("seed", range(4))
def test_lint_stream_touched_elements_agree_with_enumeration(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(80):
        uops = [(rng.randrange(300), rng.randrange(300), rng.randrange(300)) for _ in range(6)]
        insn = {**gemm(), **random_loops(rng, 400)}
        report = lint_stream(stream([load(MemType.UOP, count=6), insn, finish()], uops))
        order = steps(insn, uops)
        for memory, column, depth in (("ACC", 0, 2048), ("INP", 1, 2048), ("WGT", 2, 1024)):
            touched = {step[column] for step in order if step[column] < depth}
            largest = max(step[column] for step in order)
            said = [f.message for f in report.findings if f" {memory} " in f.message]
            first = min(touched)
            count = "1 element" if len(touched) == 1 else f"{len(touched)} elements"
            assert any(f"reads {count} of {memory} SRAM from {first} on" in m for m in said), said
            over = any(f"index must be below {depth}, not reach {largest}:" in m for m in said)
            assert over == (largest >= depth)


def test_lint_stream_largest_loops_cost_nothing() -> None:
    huge = {"iter_out": 16383, "iter_in": 16383}
    uops = [(d % 2048, 0, 0) for d in range(8192)]
    insns = [load(MemType.UOP, count=8192), load(MemType.INP), load(MemType.WGT, push_next=1),
             gemm((0, 8192), reset=1, pop_prev=1), *[gemm((0, 8192), **huge)] * 50,
             finish()]  # fmt: skip
    assert lint_stream(stream(insns, uops)).findings == ()
    crossing = gemm((0, 8192), **huge, dst_factor_out=1, dst_factor_in=2047, src_factor_in=1)
    rules = {f.rule for f in lint_stream(stream([insns[0], crossing, finish()], uops)).errors}
    assert rules == {"sram-range", "sram-unwritten", "acc-distance"}
