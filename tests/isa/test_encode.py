"""Encoder and decoder: published bits, round trips over configurations, errors word for word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import binaries, hw_configs, insn_records, uop_records
from vta_pynq.config import HwConfig
from vta_pynq.errors import EncodeError
from vta_pynq.isa import (
    FORMAT_OF_OPCODE,
    FORMATS,
    INSN_DTYPE,
    UOP_DTYPE,
    AluOp,
    MemType,
    Opcode,
    as_words,
    decode,
    decode_uops,
    encode,
    encode_uops,
    format_layout,
    insn_mask,
    uop_layout,
)

DEFAULT = HwConfig()


def _record(opcode: int, **fields: int) -> np.ndarray:
    record = np.zeros(1, INSN_DTYPE)
    record["opcode"] = opcode
    for name, value in fields.items():
        record[name] = value
    return record


# The bits are those of the specification's examples, most significant digit first.
@pytest.mark.parametrize(
    ("record", "digits"),
    [
        (
            _record(Opcode.LOAD, memory_type=MemType.WGT, dram_base=0x20, y_size=1, x_size=1,
                    x_stride=1, push_next=1),
            "000000010001000100000000800000c0",
        ),
        (
            _record(Opcode.GEMM, reset=1, push_prev=1, uop_end=1, iter_out=1, iter_in=16,
                    dst_factor_out=16, dst_factor_in=1),
            "000000000000081000200008002000a2",
        ),
        (
            _record(Opcode.ALU, alu_opcode=AluOp.MAX, use_imm=1, uop_end=16, iter_out=1,
                    iter_in=1, push_next=1),
            "00009000000000000002000802000044",
        ),
        (  # fills both words: shift 31, clip -128..127
            _record(Opcode.REQUANT, use_bias=1, uop_bgn=1, uop_end=2, iter_out=1, iter_in=1,
                    use_mul=1, dst_factor_out=1, src_factor_in=1, shift=31, clip_lo=-128,
                    clip_hi=127, pop_prev=1),
            "ff01f00200000001800200080040018d",
        ),
        (_record(Opcode.FINISH), "00000000000000000000000000000003"),
    ],
)  # fmt: skip
def test_encode_published_examples_bit_for_bit(record: np.ndarray, digits: str) -> None:
    low, high = encode(record, DEFAULT)[0].tolist()
    assert f"{high:016x}{low:016x}" == digits
    assert np.array_equal(decode(bytes.fromhex(digits)[::-1], DEFAULT), record)


@pytest.mark.parametrize(
    ("format_index", "places"),
    [
        (0, [0, 3, 4, 5, 6, 7, 10, 26, 64, 80, 96, 112, 116, 120, 124]),
        (1, [0, 3, 4, 5, 6, 7, 8, 21, 35, 49, 64, 75, 86, 97, 108, 118]),
        (2, [0, 3, 4, 5, 6, 7, 8, 21, 35, 49, 64, 75, 86, 97, 108, 111, 112]),
        (3, [0, 3, 4, 5, 6, 7, 8, 21, 35, 49, 63, 64, 75, 86, 97, 108, 113, 121]),  # our own
    ],
)
def test_layout_default_has_the_documented_bits(format_index: int, places: list[int]) -> None:
    slots = format_layout(DEFAULT, FORMATS[format_index])
    assert [slot.low_bit for slot in slots] == places


@settings(max_examples=50)
@given(st.data())
def test_encode_decode_round_trips_in_any_configuration(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    records = data.draw(insn_records(config))
    words = encode(records, config)
    assert words.dtype == np.dtype("<u8")
    assert words.shape == (len(records), 2)
    assert np.array_equal(decode(words, config), records)


@settings(max_examples=50)
@given(st.data())
def test_encode_equals_arithmetic_on_integers(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    for record in data.draw(insn_records(config, min_size=1)):
        expected = 0
        for slot in format_layout(config, FORMAT_OF_OPCODE[record["opcode"]]):
            expected += (int(record[slot.field.name]) % (1 << slot.width)) << slot.low_bit
        low, high = encode(record.reshape(1), config)[0].tolist()
        assert low | high << 64 == expected


@settings(max_examples=50)
@given(st.data())
def test_uops_round_trip_in_any_configuration(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    records = data.draw(uop_records(config))
    words = encode_uops(records, config)
    assert np.array_equal(decode_uops(words, config), records)
    packed = [
        int(r["dst_idx"])
        | int(r["src_idx"]) << config.uop_dst_bits
        | int(r["wgt_idx"]) << config.uop_dst_bits + config.uop_src_bits
        for r in records
    ]
    assert words.tolist() == packed


@settings(max_examples=50)
@given(st.data())
def test_decode_ignores_reserved_bits_and_encode_writes_them_zero(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    words = data.draw(binaries())
    records = decode(words, config)
    known = np.isin(records["opcode"], [int(opcode) for opcode in Opcode])
    again = encode(records[known], config, check="width")
    masks = [insn_mask(config, Opcode(opcode)) for opcode in records["opcode"][known]]
    expected = [
        (int(low) | int(high) << 64) & mask
        for (low, high), mask in zip(words[known].tolist(), masks, strict=True)
    ]
    assert [low | high << 64 for low, high in again.tolist()] == expected


@settings(max_examples=50)
@given(st.data())
def test_layout_fields_never_overlap_and_none_crosses_a_word(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    for format_ in FORMATS:
        end = 0
        for slot in format_layout(config, format_):
            assert slot.low_bit >= end
            end = slot.low_bit + slot.width
            assert slot.shift + slot.width <= 64
        assert end <= 128
    assert sum(slot.width for slot in uop_layout(config)) <= 32


@settings(max_examples=50)
@given(st.data())
def test_encodings_of_different_records_never_collide(data: st.DataObject) -> None:
    config = data.draw(hw_configs())
    records = data.draw(insn_records(config, max_size=24))
    distinct = {record.tobytes() for record in records}
    assert len({word.tobytes() for word in encode(records, config)}) == len(distinct)


def test_opcodes_do_not_collide_and_lie_at_the_same_bits_in_every_format() -> None:
    opcodes = [opcode for format_ in FORMATS for opcode in format_.opcodes]
    assert sorted(opcodes) == sorted(set(Opcode))
    heads = {
        tuple((s.field.name, s.low_bit, s.width) for s in format_layout(DEFAULT, f)[:5])
        for f in FORMATS
    }
    assert len(heads) == 1


def test_encode_many_chunks_equals_one_by_one() -> None:
    rng = np.random.default_rng(seed := 11)
    print("seed", seed)
    records = np.zeros(70_001, INSN_DTYPE)
    records["opcode"] = rng.integers(0, len(Opcode), len(records))
    for flag in ("pop_prev", "pop_next", "push_prev", "push_next"):
        records[flag] = rng.integers(0, 2, len(records))
    words = encode(records, DEFAULT)
    head = sum(
        records[name].astype(np.uint64) << np.uint64(shift)
        for name, shift in (("opcode", 0), ("pop_prev", 3), ("pop_next", 4), ("push_prev", 5),
                            ("push_next", 6))
    )  # fmt: skip
    assert np.array_equal(words[:, 0], head)
    assert not words[:, 1].any()
    assert np.array_equal(decode(words, DEFAULT), records)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            _record(Opcode.GEMM, uop_end=8200),
            "insn 41 GEMM: uop_end must be in 0..8192 (micro-op buffer of "
            "1x16_i8w8a32_15_15_18_17), not 8200; use a smaller tile",
        ),
        (
            _record(Opcode.LOAD, y_pad_0=16),
            "insn 41 LOAD: y_pad_0 must be in 0..15 (4 bits), not 16; use several instructions",
        ),
        (
            _record(Opcode.ALU, src_factor_in=2048),
            "insn 41 ALU: src_factor_in must be in 0..2047 (accumulator buffer of "
            "1x16_i8w8a32_15_15_18_17), not 2048; use a smaller tile",
        ),
        (
            _record(Opcode.REQUANT, shift=32),
            "insn 41 REQUANT: shift must be in 0..31 (5 bits), not 32; use several instructions",
        ),
        (
            _record(6),
            "insn 41: opcode must be one of LOAD, STORE, GEMM, FINISH, ALU, REQUANT, not 6",
        ),
    ],
)
def test_encode_out_of_range_names_instruction_field_and_range(
    record: np.ndarray, message: str
) -> None:
    records = np.concatenate([np.zeros(41, INSN_DTYPE), record, np.zeros(3, INSN_DTYPE)])
    with pytest.raises(EncodeError) as caught:
        encode(records, DEFAULT)
    assert str(caught.value) == message


def test_encode_error_in_a_later_chunk_counts_from_the_start() -> None:
    records = np.zeros(100_000, INSN_DTYPE)
    records["y_pad_0"][77_777] = 99
    with pytest.raises(EncodeError, match=r"^insn 77777 LOAD: y_pad_0 must be in 0\.\.15"):
        encode(records, DEFAULT)


def test_encode_width_check_takes_what_the_bits_hold() -> None:
    record = _record(Opcode.GEMM, uop_end=8200)
    assert np.array_equal(decode(encode(record, DEFAULT, check="width"), DEFAULT), record)


def test_encode_uops_out_of_range_names_the_micro_op() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_uops(np.array([(0, 0, 0), (0, 0, 1024)], UOP_DTYPE), DEFAULT)
    assert str(caught.value) == (
        "uop 1: wgt_idx must be in 0..1023 (weight buffer of 1x16_i8w8a32_15_15_18_17), not 1024; "
        "use a smaller tile"
    )


def test_as_words_partial_instruction_is_refused() -> None:
    with pytest.raises(EncodeError) as caught:
        as_words(bytes(17))
    assert str(caught.value) == "instructions: length must be a multiple of 16 bytes, not 17"


def test_empty_arrays_encode_and_decode_to_empty_arrays() -> None:
    assert encode(np.zeros(0, INSN_DTYPE), DEFAULT).shape == (0, 2)
    assert decode(np.zeros((0, 2), np.uint64), DEFAULT).shape == (0,)
    assert encode_uops(np.zeros(0, UOP_DTYPE), DEFAULT).shape == (0,)
