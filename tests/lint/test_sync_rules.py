"""Rules about tokens, FINISH and races: the smallest stream that breaks each, and its repair."""

from __future__ import annotations

import dataclasses

import pytest

from tests.lint.programs import ACC_PHYS, OUT_PHYS, finish, load, matmul, nop, store, stream
from tests.lint.verdicts import Verdict, check
from vta_pynq.isa.table import MemType
from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream, StreamLabel
from vta_pynq.timing.profiles import get_profile


def changed(index: int, **fields: int) -> InstructionStream:
    """`matmul` with fields of one instruction changed."""
    insns = matmul()
    insns[index] = {**insns[index], **fields}
    return stream(insns)


def queued(count: int) -> InstructionStream:
    """`count` loads behind one that waits for compute, whose token comes after them."""
    waiting = nop(MemType.INP, pop_next=1)
    rest = [nop(MemType.INP) for _ in range(count - 1)]
    return stream([waiting, *rest, nop(push_prev=1), finish()])


def tokens(count: int, stuck: bool = True) -> InstructionStream:
    """`count` l2g tokens before compute, held up by store, pops the first."""
    pushes = [nop(MemType.INP, push_next=1) for _ in range(count)]
    start = [nop(push_next=1), nop(pop_next=1)] if stuck else []
    wait = [store(count=0, pop_prev=1, push_prev=1)] if stuck else []
    pops = [nop(pop_prev=1) for _ in range(count)]
    return stream([*start, *pushes, *wait, *pops, finish()])


def shared(**fields: int) -> InstructionStream:
    """`matmul` twice through the same SRAM; `fields` of the second LOAD INP and first GEMM."""
    first, second = matmul(), matmul(out=8)
    first[4] = {**first[4], "push_prev": fields.get("push", 0)}
    second[1] = {**second[1], "pop_next": fields.get("pop", 0)}
    return stream([*first[:-1], *second])


def chained(**fields: int) -> InstructionStream:
    """STORE, then a LOAD INP of what it stored."""
    tile = matmul()[:-1]
    back = load(MemType.INP, sram=64, dram=(0xC0000 - 0x1000) // 16, push_next=1, **fields)
    sync = nop(pop_next=1, push_prev=fields.get("pop_next", 0))
    return stream([*tile[:-1], sync, back, nop(pop_prev=1), finish()])


def reread(ordered: bool) -> InstructionStream:
    """LOAD ACC reads the DRAM that a STORE overwrites, before or after its token is given."""
    tile = matmul()
    tile.insert(6 - ordered, load(MemType.ACC, sram=64, dram=(OUT_PHYS - ACC_PHYS) // 64))
    return stream(tile)


def run_ahead(count: int) -> InstructionStream:
    """Loads that give `count` tokens, each popped by a compute instruction right behind it."""
    pair = [nop(MemType.INP, push_next=1), nop(pop_prev=1)]
    return stream([*pair * count, finish()])


VERDICTS = [
    Verdict(
        "token-deadlock", "hls-64bit", "error", 3, changed(2, push_next=0), changed(2),
        "insn 3 GEMM: never starts: compute waits for token l2g (pop_prev), of which only 0 "
        "arrive; give it push_next of an earlier load instruction or drop the pop",
    ),
    Verdict(
        "queue-deadlock", "chisel-64bit", "error", 0, queued(513), queued(512),
        "insn 0 LOAD INP: never starts on chisel-64bit: it waits for token g2l, but fetch stands "
        "still at insn 512 because the queue of load already holds 512 instructions; push the "
        "token earlier in the stream or queue fewer instructions ahead",
    ),
    Verdict(
        "queue-deadlock", "hls-64bit", "error", 0, queued(516), queued(515),
        "insn 0 LOAD INP: never starts on hls-64bit: it waits for token g2l, but fetch stands "
        "still at insn 515 because the queue of load already holds 515 instructions; push the "
        "token earlier in the stream or queue fewer instructions ahead",
    ),
    Verdict(
        "token-capacity", "chisel-64bit", "error", 258, tokens(257), tokens(256),
        "insn 258 LOAD INP: counter l2g of chisel-64bit may have to hold 257 tokens; it saturates "
        "at 255, drops the rest, and later pops wait for ever; order the pushes behind pops",
    ),
    Verdict(
        "token-leftover", "hls-64bit", "warning", None, changed(4, push_prev=1), changed(4),
        "stream test: token g2l starts at 0 and ends at 1; the next submission starts with stale "
        "tokens; balance pushes and pops",
    ),
    Verdict(
        "token-partner", "hls-64bit", "warning", 1, changed(1, pop_prev=1), changed(1),
        "insn 1 LOAD INP: pop_prev names a neighbour that the module does not have: hls-64bit "
        "ignores it; clear the flag",
    ),
    Verdict(
        "token-partner", "functional", "error", 6, changed(6, push_next=1), changed(6),
        "insn 6 STORE: push_next names a neighbour that the module does not have: functional "
        "stops with an error; clear the flag",
    ),
    Verdict(
        "finish-missing", "hls-64bit", "error", None, stream(matmul()[:-1]), stream(matmul()),
        "stream test: has no FINISH: done is never signalled and the host times out; "
        "append FINISH",
    ),
    Verdict(
        "finish-last", "hls-64bit", "error", 8, stream([*matmul(), nop()]), stream(matmul()),
        "insn 8 FINISH: must be the last compute instruction, but insn 9 LOAD UOP follows: done "
        "is signalled too early, then withdrawn; move FINISH to the end",
    ),
    Verdict(
        "finish-store", "hls-64bit", "error", 8, changed(7, pop_next=0), changed(7),
        "insn 8 FINISH: does not wait for insn 6 STORE: done is signalled before the data are in "
        "DRAM; let the store push s2g (push_prev) and compute pop it (pop_next) before FINISH",
    ),
    Verdict(
        "finish-load", "hls-64bit", "warning", 2,
        stream([nop(), load(MemType.INP), finish()]),
        stream([nop(), load(MemType.INP, push_next=1), finish(pop_prev=1)]),
        "insn 2 FINISH: does not wait for insn 1 LOAD INP, which may still read DRAM after done; "
        "let the load push l2g (push_next) and compute pop it (pop_prev) before FINISH",
    ),
    Verdict(
        "race-sram", "hls-64bit", "error", 9, shared(), shared(push=1, pop=1),
        "insn 9 LOAD INP: writes 8 elements of INP SRAM from 0 on that insn 4 GEMM reads, and no "
        "token orders the two: the result depends on timing; push a token after the earlier one "
        "and pop it before the later one",
    ),
    Verdict(
        "race-sram", "hls-64bit", "error", 4,
        stream([*matmul()[:2], *[{**f, "push_next": 0, "pop_prev": 0} for f in matmul()[2:4]],
                *matmul()[4:]]),
        stream(matmul()),
        "insn 4 GEMM: reads 8 elements of INP SRAM from 0 on that insn 1 LOAD INP writes, and no "
        "token orders the two: the result depends on timing; push a token after the earlier one "
        "and pop it before the later one",
    ),
    Verdict(
        "race-sram", "hls-64bit", "error", 6,
        stream([*matmul()[:5], {**matmul()[5], "push_next": 0}, {**matmul()[6], "pop_prev": 0},
                *matmul()[7:]]),
        stream(matmul()),
        "insn 6 STORE: reads 8 elements of OUT SRAM from 0 on that insn 5 ALU writes, and no "
        "token orders the two: the result depends on timing; push a token after the earlier one "
        "and pop it before the later one",
    ),
    Verdict(
        "race-dram", "hls-64bit", "error", 8, chained(), chained(pop_next=1),
        "insn 8 LOAD INP: reads DRAM at 0xc0000, which insn 6 STORE stores to, and no token "
        "orders the two: the result depends on timing; push tokens along the chain store, "
        "compute, load and pop them before the later one",
    ),
    Verdict(
        "race-dram", "hls-64bit", "error", 7, reread(False), reread(True),
        "insn 7 STORE: stores to DRAM at 0xc0000, which insn 6 LOAD ACC reads, and no token "
        "orders the two: the result depends on timing; push tokens along the chain store, "
        "compute, load and pop them before the later one",
    ),
]  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: f"{v.rule}-{v.profile}")
def test_lint_stream_sync_rule_finds_and_accepts(verdict: Verdict) -> None:
    check(verdict)


def crossed(count: int) -> InstructionStream:
    """Load and compute each push `count` tokens before they pop the other's."""
    loads = [nop(MemType.INP, push_next=1)] * count + [nop(MemType.INP, pop_next=1)] * count
    computes = [nop(push_prev=1)] * count + [nop(pop_prev=1)] * count
    return stream([*loads, *computes, finish()])


def test_lint_stream_blocking_counter_full_is_found() -> None:
    small = dataclasses.replace(get_profile("hls-64bit"), token_capacity=2)
    assert lint_stream(crossed(2), small).ok
    report = lint_stream(crossed(3), small)
    assert [f.rule for f in report.errors] == ["token-capacity", "token-capacity"]
    assert report.errors[0].message == (
        "insn 2 LOAD INP: never ends on hls-64bit: counter l2g is full with 2 tokens and compute "
        "cannot pop one; pop tokens before pushing more"
    )


def test_lint_stream_blocking_counter_of_published_build_holds_1024() -> None:
    roomy = dataclasses.replace(get_profile("hls-64bit"), insn_queue_depth=None)
    assert lint_stream(crossed(1024), roomy).ok
    assert "token-capacity" in {f.rule for f in lint_stream(crossed(1025), roomy).errors}


def test_lint_stream_counter_is_spared_by_a_short_queue() -> None:
    # Loads run ahead of compute by what compute's queue holds, not more.
    chisel = get_profile("chisel-64bit")
    short = dataclasses.replace(chisel, insn_queue_depth=200)
    assert [f.rule for f in lint_stream(run_ahead(1000), chisel).findings] == ["token-capacity"]
    assert lint_stream(run_ahead(1000), short).findings == ()
    assert lint_stream(run_ahead(256), chisel).findings == ()


def test_lint_stream_mid_run_tokens_are_no_finding() -> None:
    tile = matmul()
    tile[1] = {**tile[1], "pop_next": 1}
    tile[4] = {**tile[4], "push_prev": 1}
    assert lint_stream(stream(tile, tokens_in=(0, 1, 0, 0))).findings == ()
    report = lint_stream(stream(tile, tokens_in=(0, 2, 0, 0)))
    assert report.findings == ()
    tile[4] = {**tile[4], "push_prev": 0}
    report = lint_stream(stream(tile, tokens_in=(0, 1, 0, 0)))
    assert [f.rule for f in report.findings] == ["token-leftover"]
    assert report.ok


def test_lint_stream_label_is_named() -> None:
    labelled = dataclasses.replace(changed(2, push_next=0), labels=(StreamLabel(2, 5, "conv1"),))
    assert lint_stream(labelled).errors[0].message.startswith("insn 3 GEMM (conv1): never starts")


def test_lint_stream_empty_has_no_finish() -> None:
    assert [f.rule for f in lint_stream(stream([])).findings] == ["finish-missing"]


def test_lint_stream_many_findings_are_counted() -> None:
    pushes = [nop(MemType.INP, pop_prev=1) for _ in range(60)]
    report = lint_stream(stream([*pushes, finish()]))
    assert len(report.findings) == 51
    assert report.findings[-1].message == (
        "stream test: 10 more findings like those of rule token-partner"
    )
