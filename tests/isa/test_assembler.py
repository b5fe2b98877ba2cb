"""Assembler and disassembler: text and bits round-trip exactly; mistakes are named by line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import binaries, hw_configs, insn_records
from vta_pynq.assembler import assemble
from vta_pynq.config import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.disassembler import disassemble
from vta_pynq.errors import AsmError
from vta_pynq.isa import INSN_DTYPE, Opcode, encode
from vta_pynq.stream import InstructionStream, Segment, StreamLabel

ROOT = Path(__file__).parent.parent.parent
CASES = sorted((ROOT / "tests" / "conformance").iterdir())
DEFAULT = HwConfig()
HEADER = f'.stream "made"\n.config {DEFAULT.name}\n'


def _same(first: InstructionStream, second: InstructionStream) -> None:
    """Equal in all that the text carries."""
    assert second.words.tobytes() == np.ascontiguousarray(first.words).tobytes()
    assert second.config == first.config
    assert second.tokens_in == first.tokens_in
    assert second.name == first.name
    for one, other in zip(first.segments, second.segments, strict=True):
        assert (one.kind, one.phys, one.size) == (other.kind, other.phys, other.size)
        if one.kind == "UOP" and one.data is not None:
            assert one.data.tobytes() == other.data.tobytes()


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_cases_round_trip(folder: Path) -> None:
    stream = load_case(folder).stream
    text = disassemble(stream)
    again = assemble(text)
    _same(stream, again)
    assert disassemble(again) == text
    assert disassemble(assemble(disassemble(stream, numbered=True))) == text


@given(st.data())
def test_any_bits_round_trip(data: st.DataObject) -> None:
    """Unknown opcodes, dirty reserved bits, values out of range: all of it is in the text."""
    stream = InstructionStream("any bits", data.draw(hw_configs()), data.draw(binaries()))
    text = disassemble(stream)
    again = assemble(text)
    _same(stream, again)
    assert disassemble(again) == text


_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)


@st.composite
def _streams(draw: st.DrawFn) -> InstructionStream:
    """Streams with everything that the text can carry."""
    config = draw(hw_configs())
    words = encode(draw(insn_records(config)), config)
    segments = []
    phys = draw(st.integers(0, 64)) * 4
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["UOP", "INP", "WGT", "ACC", "OUT", "INSN", "arena 1"]))
        raw = draw(st.binary(max_size=40))
        if kind == "UOP":
            raw = raw[: len(raw) // 4 * 4]
        size = len(raw) + draw(st.integers(0, 20))
        payload = np.frombuffer(raw, np.uint8) if raw and kind == "UOP" else None
        segments.append(Segment(draw(_NAMES), kind, phys, size, payload))
        phys += size + draw(st.integers(0, 8)) * 4
        phys += -phys % 4
    labels = tuple(
        StreamLabel(begin, begin + count, f"layer {begin}" if begin else "")
        for begin, count in sorted(
            draw(st.lists(st.tuples(st.integers(0, len(words)), st.integers(0, 9)), max_size=3))
        )
    )
    tokens = tuple(draw(st.integers(0, 9)) for _ in range(4))
    return InstructionStream(draw(_NAMES), config, words, tuple(segments), tokens, labels)


@settings(max_examples=60)
@given(_streams())
def test_streams_round_trip(stream: InstructionStream) -> None:
    text = disassemble(stream)
    again = assemble(text)
    assert again.words.tobytes() == stream.words.tobytes()
    assert again.labels == stream.labels
    assert (again.name, again.tokens_in) == (stream.name, stream.tokens_in)
    for one, other in zip(stream.segments, again.segments, strict=True):
        assert (one.phys, one.size) == (other.phys, other.size)
        assert (one.data is None) == (other.data is None)
        assert one.data is None or one.data.tobytes() == other.data.tobytes()
    assert disassemble(again) == text


CANONICAL = (
    HEADER
    + """\
.tokens 0 1 0 0
.segment micro_ops UOP 0x1000 32
kernel_0:
    0 0 0
    1 1 0
kernel_1:
    16 3 1023
.segment image INP 0x2000 1024
.segment out OUT 0x3000 1024

;; 3 conv1
;; 1 conv1 load
LOAD.UOP dram_base=kernel_1 y_size=1 x_size=1 x_stride=1
LOAD.INP pop_next push_next dram_base=image+3 y_size=2 x_size=4 x_stride=8 x_pad_0=1
GEMM pop_prev push_next reset uop_end=1 iter_out=1 iter_in=16 dst_factor_in=1
;; 5 relu1
ALU.MAX push_next uop_end=1 iter_out=1 iter_in=16 dst_factor_in=1 src_factor_in=1 use_imm
ALU.SHR uop_end=1 iter_out=1 iter_in=1 use_imm imm=-8
REQUANT use_bias uop_end=1 iter_out=1 iter_in=1 use_mul shift=7 clip_lo=-128 clip_hi=127
STORE.OUT pop_prev push_prev sram_base=4 dram_base=out y_size=1 x_size=4 x_stride=4
FINISH pop_next reserved=0x80
.word 0x0000000000000000000000000000000f
"""
)


def test_canonical_text_survives_assembly() -> None:
    stream = assemble(CANONICAL)
    assert disassemble(stream) == CANONICAL
    assert stream.tokens_in == (0, 1, 0, 0)
    assert stream.labels == (
        StreamLabel(0, 3, "conv1"),
        StreamLabel(0, 1, "conv1 load"),
        StreamLabel(3, 8, "relu1"),
    )
    assert [segment.name for segment in stream.segments] == ["micro_ops", "image", "out"]
    uops = stream.segments[0].data.view("<u4").tolist()
    assert uops == [0, 1 | 1 << 11, 16 | 3 << 11 | 1023 << 22]
    assert int(stream.words[7, 0]) == Opcode.FINISH | 1 << 4 | 0x80


def test_example_in_the_documentation_assembles() -> None:
    text = (ROOT / "docs" / "isa.md").read_text(encoding="utf-8")
    example = text[text.index("## Assembler text") :].split("```")[1]
    stream = assemble(example.replace('"conv1"', '"conv; 1"'))
    assert stream.name == "conv; 1"
    assert stream.labels == (StreamLabel(0, 2, "conv1"),)
    assert len(stream) == 2
    assert disassemble(assemble(disassemble(stream))) == disassemble(stream)


@pytest.mark.parametrize(
    "text", ["GEMM iter_in=" + "9" * 5000, ";; " + "9" * 5000 + " x", "9" * 5000]
)
def test_absurd_numbers_are_mistakes_or_comments(text: str) -> None:
    try:
        assert len(assemble(HEADER + text)) == 0
    except AsmError as error:
        assert str(error).startswith("line 3: ")


@settings(max_examples=60)
@given(st.data())
def test_kernels_inside_other_segments_are_listed_where_they_are_loaded(
    data: st.DataObject,
) -> None:
    """In an arena only what a LOAD UOP reads is known to be micro-ops."""
    raw = np.frombuffer(data.draw(st.binary(min_size=60, max_size=60)), np.uint8)
    phys = data.draw(st.sampled_from([0x1000, 0x1004, 0x1001]))
    loads = np.zeros(data.draw(st.integers(0, 4)), INSN_DTYPE)
    for load in loads:
        for name, low, high in (
            ("dram_base", 0x3FE, 0x412),
            ("x_size", 0, 5),
            ("y_size", 0, 3),
            ("x_stride", 0, 6),
        ):
            load[name] = data.draw(st.integers(low, high))
    words = encode(loads, DEFAULT)
    stream = InstructionStream("s", DEFAULT, words, (Segment("arena", "arena", phys, 64, raw),))
    text = disassemble(stream)
    again = assemble(text)
    assert again.words.tobytes() == words.tobytes()
    assert disassemble(again) == text
    read = np.zeros(64, bool)
    for load in loads:
        for row in range(load["y_size"]):
            begin = (int(load["dram_base"]) + row * int(load["x_stride"])) * 4 - phys
            for at in range(begin, begin + 4 * int(load["x_size"]), 4):
                if begin >= 0 and at + 4 <= 60:
                    read[at : at + 4] = True
    kept = np.zeros(64, np.uint8)
    if again.segments[0].data is not None:
        kept[: again.segments[0].data.size] = again.segments[0].data
    assert np.array_equal(kept[:60][read[:60]], raw[read[:60]])
    assert not kept[~read].any()


def test_hand_written_text_is_read_with_any_spacing_comments_and_forward_symbols() -> None:
    text = f"""
; a comment
.config {DEFAULT.name}
   LOAD.UOP   x_size=0x10 dram_base=ops+1 ; the kernel comes later
12: FINISH
.segment ops UOP 0x40 8
first:
  1   2 3     ; dst src wgt
"""
    stream = assemble(text, name="by hand")
    assert stream.name == "by hand"
    assert stream.words.tolist() == [[0x11 << 26, 0x10 << 16], [3, 0]]
    assert stream.segments[0].data.view("<u4").tolist() == [1 | 2 << 11 | 3 << 22]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LOAD.INQ", "line 3: suffix of LOAD must be one of UOP, WGT, INP, ACC, OUT, ACC_8BIT or "
                     "a number in 0..7, not 'INQ'"),
        ("JUMP x=1", "line 3: mnemonic must be one of LOAD, STORE, GEMM, FINISH, ALU, REQUANT, not "
         "'JUMP'"),
        ("GEMM.X", "line 3: mnemonic GEMM must have no suffix, not '.X'"),
        ("GEMM uop_end=16384", "line 3: GEMM: uop_end must be a number in 0..16383, not '16384'"),
        ("GEMM iter_in=two", "line 3: GEMM: iter_in must be a number in 0..16383, not 'two'"),
        ("GEMM iter_in", "line 3: GEMM: iter_in must be a number in 0..16383, not ''"),
        ("ALU.ADD use_imm imm=-32769",
         "line 3: ALU.ADD: imm must be a number in -32768..32767, not '-32769'"),
        ("FINISH iter_in=1", "line 3: FINISH: operand must be one of pop_prev, pop_next, "
                             "push_prev, push_next, not 'iter_in'"),
        ("FINISH pop_prev pop_prev", "line 3: FINISH: pop_prev must be given once"),
        ("FINISH reserved=0x81", "line 3: FINISH: reserved must not touch fields (bits 0x1)"),
        ("LOAD.INP dram_base=nowhere",
         "line 3: symbol nowhere must be defined by a segment or a label"),
        (".segment a INP 0x1001 16\nLOAD.INP dram_base=a",
         "line 4: LOAD.INP: symbol a must lie at a multiple of 16 bytes (INP elements), "
         "not at 0x1001"),
        (".segment a UOP 0x1000 4\n1 2 3\n1 2 3",
         "line 5: micro-ops must fit segment a of 4 bytes"),
        (".segment a UOP 0x1000 4\n1 2",
         "line 4: micro-op must be 3 numbers (dst src wgt), not 2"),
        (".segment a UOP 0x1000 4\n2048 0 0",
         "line 4: micro-op: dst_idx must be a number in 0..2047, not '2048'"),
        (".segment a INP 0x1000 4\nk: 0x1004",
         "line 4: label k must lie in segment a, not at 0x1004"),
        (".segment a INP 0x1000 4\nk: 1 2 3",
         "line 4: label k must stand alone on its line, or with an address"),
        ("1 2 3", "line 3: micro-op must follow a .segment line"),
        ("here:", "line 3: label here must follow a .segment line"),
        (".segment a INP 0 4\n.segment a INP 0 4", "line 4: symbol a must be defined once"),
        (".segment a INP 0xffffffff 2", "line 3: segment a must lie below 2^32"),
        (".segment a INP", "line 3: .segment must be followed by a name, a kind, an address "
                           "and a size"),
        (".tokens 1 2", "line 3: .tokens must be followed by 4 counts (l2g g2l g2s s2g)"),
        (".org 5", "line 3: directive must be one of .stream, .config, .tokens, .segment, .word, "
                   "not '.org'"),
        (".word zero", "line 3: .word must be followed by one number of 128 bits"),
        (".config 1x16", "line 3: .config must be given once; assemble one stream at a time"),
    ],
)  # fmt: skip
def test_mistake_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(AsmError) as caught:
        assemble(HEADER + text)
    assert str(caught.value) == message


def test_all_mistakes_are_reported_in_the_order_of_lines() -> None:
    with pytest.raises(AsmError) as caught:
        assemble(HEADER + "LOAD.INP dram_base=gone\nJUMP\nFINISH\nGEMM iter_in=-1\n")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "line 3",
        "line 4",
        "line 6",
    ]


def test_more_than_twenty_mistakes_are_counted() -> None:
    with pytest.raises(AsmError) as caught:
        assemble(HEADER + "JUMP\n" * 50)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 30 more mistakes"


def test_config_comes_from_the_text_or_the_caller_and_must_agree() -> None:
    assert assemble("FINISH\n", DEFAULT).config == DEFAULT
    with pytest.raises(AsmError) as caught:
        assemble("FINISH\nFINISH\n")
    assert str(caught.value) == "line 1: .config must come before instructions and segments"
    other = dataclasses.replace(DEFAULT, log_uop_buff_size=14)
    with pytest.raises(AsmError) as caught:
        assemble(f".config {DEFAULT.name}\n", other)
    assert str(caught.value) == f"line 1: .config must be {other.name}, not {DEFAULT.name}"
