"""Rules about addresses and SRAM contents: the smallest stream that breaks each, and its repair."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.lint.programs import (
    CONFIG,
    OUT_PHYS,
    UOP_PHYS,
    alu,
    finish,
    gemm,
    load,
    matmul,
    nop,
    store,
    stream,
)  # fmt: skip
from tests.lint.verdicts import Verdict, check
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream

ROWS = [(d, d, 0) for d in range(8)]


def changed(index: int, **fields: int) -> InstructionStream:
    """`matmul` with fields of one instruction changed."""
    insns = matmul()
    insns[index] = {**insns[index], **fields}
    return stream(insns)


def single(*insns: dict[str, int], uops: object = ROWS, acc: object = None) -> InstructionStream:
    """Eight accumulators and eight micro-ops are loaded, then the instructions run."""
    start = [load(MemType.ACC, count=8), load(MemType.UOP, count=8)]
    data = None if acc is None else np.repeat(np.array(acc, np.int32), CONFIG.block)
    return stream([*start, *insns, finish()], uops, acc=data)  # type: ignore[arg-type]


def stored(*insns: dict[str, int]) -> InstructionStream:
    """`single`, and the eight accumulators are stored."""
    last = {**insns[-1], "push_next": 1}
    tail = [store(count=8, pop_prev=1, push_prev=1), nop(pop_next=1)]
    return single(*insns[:-1], last, *tail)


ADD0 = alu(AluOp.ADD, (0, 8), imm=0)
OUT_BASE = OUT_PHYS // CONFIG.out_bytes
SAME = [(0, 0, 0), (1, 1, 0), (2, 2, 0), (0, 0, 0), *ROWS[4:]]

VERDICTS = [
    Verdict(
        "sram-range", "hls-64bit", "error", 1,
        changed(1, sram_base=2040, x_pad_1=1), changed(1, x_pad_1=1),
        "insn 1 LOAD INP: sram_base and size must stay within the 2048 elements of INP SRAM on "
        "hls-64bit, not end at 2049; move fewer elements or lower sram_base",
    ),
    Verdict(
        "sram-range", "functional", "error", 4,
        changed(4, src_factor_in=293), changed(4, src_factor_in=1),
        "insn 4 GEMM: INP index must be below 2048, not reach 2051: it traps on functional; "
        "lower loop counts, factors or micro-op indices",
    ),
    Verdict(
        "sram-range", "chisel-64bit", "error", 2,
        single(alu(AluOp.ADD, (2047, 2049), imm=0)), single(ADD0),
        "insn 2 ALU: uop_end must be at most 2048 (micro-op buffer of chisel-64bit), not 2049; "
        "split the micro-op kernel",
    ),
    Verdict(
        "dram-limit", "hls-64bit", "error", 2,
        changed(2, dram_base=1 << 24), changed(2),
        "insn 2 LOAD WGT: DRAM range must end below 2^32, not at 0x100000100; "
        "place the buffer lower",
    ),
    Verdict(
        "dram-page-zero", "hls-64bit", "warning", 1, changed(1, dram_base=255), changed(1),
        "insn 1 LOAD INP: DRAM address must not be in the first 4096 bytes, not 0xff0: no "
        "allocator hands them out; relocate the stream",
    ),
    Verdict(
        "dram-page-zero", "functional", "error", 1, changed(1, dram_base=0), changed(1),
        "insn 1 LOAD INP: DRAM address must not be in the first 4096 bytes, not 0x0: page 0 "
        "traps; relocate the stream",
    ),
    Verdict(
        "dram-outside", "hls-64bit", "warning", 1,
        changed(1, y_size=2, x_stride=4090), changed(1, y_size=2, x_stride=4080),
        "insn 1 LOAD INP: reads DRAM 0x10fa0..0x11020, which is not within the stream's buffers; "
        "mend dram_base, x_stride or the sizes",
    ),
    Verdict(
        "dram-outside", "hls-64bit", "error", 6,
        changed(6, dram_base=OUT_BASE + 4089), changed(6, dram_base=OUT_BASE + 4088),
        "insn 6 STORE: stores to DRAM 0xcff90..0xd0010, which is not within the stream's "
        "buffers; mend dram_base, x_stride or the sizes",
    ),
    Verdict(
        "store-code", "hls-64bit", "error", 6,
        changed(6, dram_base=UOP_PHYS // 16), changed(6),
        "insn 6 STORE: overwrites the UOP segment at 0x100000 while the stream may still fetch "
        "from it; store elsewhere",
    ),
    Verdict(
        "sram-unwritten", "hls-64bit", "error", 4, changed(1, x_size=5), changed(1),
        "insn 4 GEMM: reads 3 elements of INP SRAM from 5 on that nothing in this submission "
        "wrote: they hold what an earlier one left; load or compute them first",
    ),
    Verdict(
        "sram-unwritten", "functional", "info", 6, changed(6, x_size=9), changed(6),
        "insn 6 STORE: reads 1 element of OUT SRAM from 8 on that nothing in this submission "
        "wrote: they hold zeros after a reset of the model, on hardware what an earlier one "
        "left; load or compute them first",
    ),
    Verdict(
        "sram-unwritten", "hls-64bit", "error", 2,
        single(alu(AluOp.ADD, (7, 9), imm=0)), single(ADD0),
        "insn 2 ALU: reads 1 element of UOP SRAM from 8 on that nothing in this submission wrote: "
        "they hold what an earlier one left; load or compute them first",
    ),
    Verdict(
        "uop-unknown", "hls-64bit", "info", 3,
        stream(matmul(), segments=False), stream(matmul()),
        "insn 3 GEMM: micro-op 0 comes from DRAM whose contents are not given, so the elements "
        "that the instruction touches are not checked; give the segment's data",
    ),
    Verdict(
        "acc-distance", "hls-64bit", "error", 4,
        changed(4, iter_out=2, iter_in=3), changed(4, iter_out=2, iter_in=4),
        "insn 4 GEMM: a GEMM accumulator must be reused at the earliest 4 micro-ops after its "
        "write on hls-64bit, not 3 (element 0): the pipeline reads the old value; interleave "
        "other elements or split the instruction",
    ),
    Verdict(
        "acc-distance", "chisel-64bit", "error", 2,
        single(alu(AluOp.ADD, (0, 2)), uops=[(2, 0, 0), (3, 2, 0), *ROWS[2:]]),
        single(alu(AluOp.ADD, (0, 2)), uops=[(2, 0, 0), (3, 1, 0), *ROWS[2:]]),
        "insn 2 ALU: an ALU source must be reused at the earliest 2 micro-ops after its write on "
        "chisel-64bit, not 1 (element 2): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "acc-distance", "hls-64bit", "error", 2,
        single(alu(AluOp.ADD, (1, 4), imm=1, iter_in=2), uops=SAME[1:3] + SAME[1:]),
        single(alu(AluOp.ADD, (0, 4), imm=1), uops=SAME),
        "insn 2 ALU: an ALU operand must be reused at the earliest 3 micro-ops after its write on "
        "hls-64bit, not 1 (element 2): the pipeline reads the old value; interleave other "
        "elements or split the instruction",
    ),
    Verdict(
        "acc-distance-same", "hls-64bit", "info", 2,
        single(alu(AluOp.MAX, (0, 1), imm=0, iter_in=2)), single(alu(AluOp.MAX, (0, 1), imm=0)),
        "insn 2 ALU: element 0 is read 1 micro-op after its write, hls-64bit needs 3; MIN and MAX "
        "with an immediate give the same result from the old value",
    ),
    Verdict(
        "store-source", "hls-64bit", "error", 3, stored(nop()), stored(ADD0),
        "insn 3 STORE: stores 8 elements from 0 on that LOAD ACC (insn 0 LOAD ACC) wrote last: "
        "only ALU and GEMM without reset update the output buffer of hls-64bit, so something "
        "else is stored; run ALU ADD 0 over the elements first",
    ),
    Verdict(
        "store-source", "chisel-64bit", "error", 4,
        stored(ADD0, gemm((0, 1), reset=1)), stored(gemm((0, 1), reset=1), ADD0),
        "insn 4 STORE: stores 1 element from 0 on that GEMM reset (insn 3 GEMM) wrote last: only "
        "ALU and GEMM without reset update the output buffer of chisel-64bit, so something else "
        "is stored; run ALU ADD 0 over the elements first",
    ),
    Verdict(
        "shift-amount", "hls-64bit", "error", 2,
        single(alu(AluOp.SHR, imm=16)), single(alu(AluOp.SHR, imm=-16)),
        "insn 2 ALU: SHR immediate must be in -16..15 on hls-64bit, not 16; use several shifts",
    ),
    Verdict(
        "shift-amount", "chisel-64bit", "error", 2,
        single(alu(AluOp.SHR), uops=[(0, 5, 0)], acc=[0, 0, 0, 0, 0, -3, 0, 0]),
        single(alu(AluOp.SHR), uops=[(0, 5, 0)], acc=[0, 0, 0, 0, 0, 31, 0, 0]),
        "insn 2 ALU: SHR amount must be in 0..31 on chisel-64bit, not -3 (accumulator element "
        "5); use immediate shifts",
    ),
    Verdict(
        "shift-unknown", "hls-64bit", "info", 2,
        single(alu(AluOp.SHR), uops=[(0, 5, 0)]),
        single(alu(AluOp.SHR), uops=[(0, 5, 0)], acc=[0, 0, 0, 0, 0, 3, 0, 0]),
        "insn 2 ALU: SHR amount in accumulator element 5 is not known before the run; make sure "
        "that it is in -16..15 for hls-64bit",
    ),
]  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: f"{v.rule}-{v.profile}")
def test_lint_stream_data_rule_finds_and_accepts(verdict: Verdict) -> None:
    check(verdict)


def test_lint_stream_mid_run_contents_are_a_warning() -> None:
    tile = matmul()
    tile[1] = {**tile[1], "x_size": 5, "pop_next": 1}
    tile[4] = {**tile[4], "push_prev": 1}
    found = lint_stream(stream(tile, tokens_in=(0, 1, 0, 0))).findings
    assert [(f.rule, f.severity) for f in found] == [("sram-unwritten", "warning")]


def test_lint_stream_pending_load_acc_is_no_store_source() -> None:
    # The next tile's bias may arrive before the store ran: the output buffer keeps the result.
    tile = [load(MemType.ACC, count=8), load(MemType.UOP, count=8), {**ADD0, "push_next": 1},
            store(count=8, pop_prev=1, push_prev=1), load(MemType.ACC, count=8),
            nop(pop_next=1), finish()]  # fmt: skip
    assert lint_stream(stream(tile, ROWS), "hls-64bit").findings == ()
    assert [f.rule for f in lint_stream(stream(tile, ROWS), "functional").errors] == ["race-sram"]


def test_lint_stream_reset_under_pending_load_acc_is_store_source() -> None:
    # The next bias hides that the reset left something else in the HLS design's output buffer.
    tile = [load(MemType.ACC, count=8), load(MemType.UOP, count=8), ADD0,
            gemm((0, 1), reset=1, push_next=1), load(MemType.ACC, count=8),
            store(count=8, pop_prev=1, push_prev=1), nop(pop_next=1), finish()]  # fmt: skip
    found = lint_stream(stream(tile, ROWS), "hls-64bit").findings
    assert [(f.rule, f.instruction) for f in found] == [("store-source", 5)]
    assert found[0].message.startswith(
        "insn 5 STORE: stores 1 element from 0 on that GEMM reset (insn 3 GEMM) wrote last:"
    )


def test_lint_stream_shift_amount_of_stored_dram_is_unknown() -> None:
    shift = single(alu(AluOp.SHR), uops=[(0, 5, 0)], acc=[3] * 8)
    assert lint_stream(shift).findings == ()
    tile = matmul()
    tile[6] = {**tile[6], "dram_base": 0x80000 // 16}
    insns = [*tile[:8], load(MemType.ACC, count=8), alu(AluOp.SHR, (1, 2)), finish()]
    words = stream(insns, [(0, 0, 0), (0, 5, 0)], acc=np.full(128, 3))
    assert [f.rule for f in lint_stream(words).findings] == ["shift-unknown"]


def test_lint_stream_too_many_stored_pages_are_a_warning() -> None:
    rows = {"y_size": 2048, "x_stride": 256}  # one row in each page of 256 output elements
    insns = [store(dram=2048 * 256 * k, **rows) for k in range(17)]
    found = lint_stream(stream([*insns, finish()], segments=False)).findings
    assert [f.message for f in found if f.rule == "analysis-limit"] == [
        "insn 16 STORE: the stream stores to so much DRAM that races on what it stores from here "
        "on are not checked; check it in parts"
    ]


@pytest.mark.slow
def test_lint_stream_too_much_work_is_a_warning() -> None:
    insns = [load(MemType.UOP, count=8192), *[gemm((0, 8192), iter_in=2)] * 100, finish()]
    short = stream(insns, [(0, 0, 0)] * 8192)
    words = np.concatenate([short.words[:1], np.tile(short.words[1:-1], (1500, 1))])
    endless = dataclasses.replace(short, words=words)
    assert "analysis-limit" in {f.rule for f in lint_stream(endless).findings}


def test_lint_stream_unknown_segment_data_is_not_zero() -> None:
    known = stream(matmul())
    parts = tuple(dataclasses.replace(s, kind="arena") for s in known.segments)
    assert lint_stream(dataclasses.replace(known, segments=parts)).findings == ()
    hidden = tuple(dataclasses.replace(s, data=None) for s in parts)
    found = lint_stream(dataclasses.replace(known, segments=hidden)).findings
    assert {f.rule for f in found} == {"uop-unknown"}
