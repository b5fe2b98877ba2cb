"""Random streams: portable ones are clean on every profile, broken ones never break the checker."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lint.programs import CONFIG, Fields, alu, finish, gemm, load, nop, store, stream
from tests.strategies import hw_configs, insn_records
from vta_pynq.isa.encode import encode
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream, Segment
from vta_pynq.timing.profiles import PROFILES

EVERY = tuple(PROFILES)


@st.composite
def portable_streams(draw: st.DrawFn) -> InstructionStream:
    """Tiles in two alternating halves of SRAM, ordered by tokens, inside the portable subset."""
    width, rows = draw(st.integers(4, 32)), draw(st.integers(1, 4))
    tiles = draw(st.integers(1, 9))
    count = width * rows
    pads = draw(st.booleans())
    insns: list[Fields] = [load(MemType.UOP, count=4)]
    for t in range(tiles):
        half = t % 2
        again = int(t >= 2)
        sweep = {"iter_out": rows, "iter_in": width, "dst_factor_out": width, "dst_factor_in": 1}
        same = {"src_factor_out": width, "src_factor_in": 1}
        rows_in = rows - 1 if pads and rows > 1 else rows
        insns += [
            load(MemType.INP, half * 1024, width, dram=t * count, y_size=rows_in,
                 y_pad_0=rows - rows_in, pop_next=again),
            load(MemType.WGT, half * 512, 2, dram=t, push_next=1),
            load(MemType.ACC, half * 1024, count, dram=t * 8, pop_next=again)
            if draw(st.booleans())
            else gemm((half, half + 1), reset=1, **sweep, pop_next=again),
            gemm((half, half + 1), **sweep, **same, wgt_factor_out=0, pop_prev=1),
        ]  # fmt: skip
        operation = draw(st.sampled_from([AluOp.MIN, AluOp.MAX, AluOp.ADD, AluOp.SHR]))
        imm = draw(st.integers(-16, 15) if operation == AluOp.SHR else st.integers(-9999, 9999))
        insns.append(alu(operation, (half + 2, half + 3), imm=imm, **sweep, **same))
        if draw(st.booleans()):
            insns.append(alu(AluOp.ADD, (half + 2, half + 3), **sweep, **same))
        insns[-1] |= {"push_next": 1, "push_prev": int(t + 2 < tiles)}
        insns.append(store(half * 1024, count, dram=t * count, pop_prev=1, push_prev=1))
    insns += [nop(pop_next=1)] * min(tiles, 2) + [finish()]
    return stream(insns, [(0, 0, 0), (1024, 1024, 512), (0, 0, 0), (1024, 1024, 0)])


@settings(max_examples=40, deadline=None)
@given(portable_streams(), st.sampled_from(EVERY))
def test_lint_stream_portable_program_is_clean(good: InstructionStream, profile: str) -> None:
    assert lint_stream(good, profile).findings == ()


@settings(max_examples=40, deadline=None)
@given(portable_streams(), st.data())
def test_lint_stream_program_without_one_token_is_not_clean(
    good: InstructionStream, data: st.DataObject
) -> None:
    flagged = [(i, bit) for i in range(len(good)) for bit in range(3, 7)
               if int(good.words[i, 0]) >> bit & 1]  # fmt: skip
    i, bit = data.draw(st.sampled_from(flagged))
    words = good.words.copy()
    words[i, 0] ^= np.uint64(1 << bit)
    broken = InstructionStream(good.name, good.config, words, good.segments)
    assert not lint_stream(broken).ok


def _is_sane(broken: InstructionStream, profile: str) -> None:
    report = lint_stream(broken, profile)
    for finding in report.findings:
        assert finding.instruction is None or 0 <= finding.instruction < len(broken)
        assert finding.message.startswith(("insn ", "stream "))


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(EVERY))
def test_lint_stream_any_legal_fields_are_judged(data: st.DataObject, profile: str) -> None:
    config = data.draw(hw_configs())
    records = data.draw(insn_records(config))
    image = np.frombuffer(data.draw(st.binary(max_size=200)), np.uint8)
    memory = Segment("all", "arena", 0x1000, 1 << 20, image)
    words = encode(records, config)
    _is_sane(InstructionStream("test", config, words, (memory,)), profile)


@pytest.mark.parametrize("seed", range(4))
def test_lint_stream_random_bytes_are_judged(seed: int) -> None:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for _ in range(150):
        words = rng.integers(0, 1 << 64, (rng.integers(0, 40), 2), np.uint64, endpoint=False)
        words[:, 0] &= ~np.uint64(rng.integers(0, 128))
        tokens = tuple(int(t) for t in rng.integers(0, 1 << 40, 4))
        _is_sane(InstructionStream("test", CONFIG, words, (), tokens), rng.choice(EVERY))


@pytest.mark.parametrize("seed", range(4))
def test_lint_stream_mutated_program_is_judged(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    tile = [load(MemType.UOP, count=2), load(MemType.INP, count=8), load(MemType.WGT, push_next=1),
            gemm(iter_in=8, reset=1, dst_factor_in=1, pop_prev=1),
            gemm(iter_in=8, dst_factor_in=1, src_factor_in=1),
            alu(AluOp.SHR, iter_in=8, dst_factor_in=1, src_factor_in=1, push_next=1),
            store(count=8, pop_prev=1, push_prev=1), nop(pop_next=1), finish()]  # fmt: skip
    good = stream(tile)
    for _ in range(400):
        words = good.words.copy()
        for _ in range(rng.randrange(1, 6)):
            row, column = rng.randrange(len(words)), rng.randrange(2)
            words[row, column] ^= np.uint64(1 << rng.randrange(64))
        _is_sane(InstructionStream("test", CONFIG, words, good.segments), rng.choice(EVERY))
