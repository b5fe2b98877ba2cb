"""REQUANT in the engine: every path at the edges of its numbers, indices, strict mode."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.selftest.interpreter import ReferenceFault, run_stream
from vta_pynq.selftest.memory import pack
from vta_pynq.sim.engine import Dram, Engine, FaultKind, StreamError, available_paths
from vta_pynq.stream import InstructionStream, Segment

ABLE = HwConfig.from_name("1x16_i8w8a32_15_15_18_17+alu_requant")
NAMES = [
    ABLE.name,
    "1x4_i8w8a32_4_4_6_8+alu_requant",  # few lanes; a depth that the multiplier wraps at
    "2x32_i4w4a16_6_8_12_11+alu_requant",
    "1x8_i8w8a8_6_8_8_8+alu_requant",
    "4x8_i2w2a32_6_8_8_12+alu_requant",
]
UOPS, ACC, INSN = 0x1000, 0x10000, 0x80000
CLIP = {"clip_lo": -128, "clip_hi": 127}


def record(opcode: int, **fields: int) -> np.ndarray:
    insn = np.zeros(1, INSN_DTYPE)
    insn["opcode"] = opcode
    for name, value in fields.items():
        insn[name] = value
    return insn


def load(config: HwConfig, kind: MemType, phys: int, count: int, size: int) -> np.ndarray:
    return record(
        Opcode.LOAD, memory_type=kind, dram_base=phys // size, y_size=1, x_size=count,
        x_stride=count,
    )  # fmt: skip


def program(
    config: HwConfig, uops: list[tuple[int, int, int]], acc: np.ndarray, *insns: np.ndarray
) -> InstructionStream:
    """Micro-ops and the whole accumulator from DRAM, then `insns`."""
    words = np.concatenate([
        load(config, MemType.UOP, UOPS, len(uops), config.uop_bytes),
        load(config, MemType.ACC, ACC, config.acc_depth, config.acc_bytes),
        *insns, record(Opcode.FINISH),
    ])  # fmt: skip
    encoded = encode(words, config)
    raw = encode_uops(np.array(uops, UOP_DTYPE), config).view(np.uint8)
    image = pack(acc, config.acc_width)
    return InstructionStream(
        "requant", config, encoded,
        (
            Segment("uops", "UOP", UOPS, raw.size, raw),
            Segment("acc", "ACC", ACC, image.size, image),
            Segment("insn", "INSN", INSN, encoded.nbytes, encoded.view(np.uint8).reshape(-1)),
        ),
    )  # fmt: skip


def edges(config: HwConfig, rng: np.random.Generator) -> np.ndarray:
    """Accumulators with many values at the ends of every range that matters."""
    top = 1 << config.acc_width - 1
    special = [-top, -top + 1, top - 1, -32768, 32767, -129, -128, -1, 0, 1, 127, 128, 1 << 6]
    shape = (config.acc_depth, config.batch, config.block)
    chosen = rng.choice(np.array([s for s in special if -top <= s < top]), shape)
    return np.where(rng.integers(3, size=shape) == 0, rng.integers(-top, top, shape), chosen)


def run(stream: InstructionStream, **options: Any) -> Engine:
    engine = Engine(stream.config, **options)
    engine.run(Dram.of_stream(stream), INSN, len(stream))
    return engine


@pytest.mark.parametrize("semantics", ["functional", "hls"])
@pytest.mark.parametrize("name", NAMES)
def test_requant_at_the_edges_equals_the_reference_on_every_path(name: str, semantics: str) -> None:
    config = HwConfig.from_name(name)
    rng = np.random.default_rng(seed := 11)
    print("seed", seed)
    last = config.acc_depth - 1
    uops = [(0, last, 0), (1, 1, 0), (2, 0, 0), (last, 2, 0)]
    for shift, bias, mul in itertools.product((0, 1, 7, 15, 16, 31), (0, 1), (0, 1)):
        low, high = int(rng.integers(-128, 128)), int(rng.integers(128))
        insn = record(
            Opcode.REQUANT, use_bias=bias, use_mul=mul, shift=shift, uop_end=len(uops), iter_out=1,
            iter_in=1, clip_lo=low, clip_hi=high,
        )  # fmt: skip
        stream = program(config, uops, edges(config, rng), insn)
        wanted = run_stream(stream, semantics).machine.sram  # type: ignore[arg-type]
        for path in available_paths():
            engine = run(stream, semantics=semantics, path=path)
            where = f"{path}: {insn}"
            np.testing.assert_array_equal(engine.sram(MemType.ACC), wanted[MemType.ACC], where)
            if semantics == "hls":
                np.testing.assert_array_equal(engine.sram(MemType.OUT), wanted[MemType.OUT], where)


def test_requant_without_the_capability_is_an_unknown_opcode() -> None:
    stream = program(
        HwConfig(), [(0, 0, 0)], np.zeros((2048, 1, 16), np.int64),
        record(Opcode.REQUANT, uop_end=1, iter_out=1, iter_in=1),
    )  # fmt: skip
    with pytest.raises(StreamError) as caught:
        run(stream)
    assert caught.value.kind is FaultKind.OPCODE
    assert str(caught.value) == (
        "insn 2 (FETCH): opcode REQUANT must not be used without capability alu_requant "
        "(1x16_i8w8a32_15_15_18_17); use a configuration that has it"
    )
    with pytest.raises(ReferenceFault, match="insn 2: opcode 5 is not defined"):
        run_stream(stream)


def test_requant_source_past_the_buffer_is_refused_where_it_is_read() -> None:
    acc = np.zeros((2048, 1, 16), np.int64)
    loops = {"uop_end": 1, "iter_out": 2, "iter_in": 1, "src_factor_out": 2047}
    run(program(ABLE, [(0, 1, 0)], acc, record(Opcode.REQUANT, **loops)))
    for flag in ("use_bias", "use_mul"):
        with pytest.raises(StreamError, match="src index must be in"):
            run(program(ABLE, [(0, 1, 0)], acc, record(Opcode.REQUANT, **loops, **{flag: 1})))


@pytest.mark.parametrize(
    ("profile", "flags", "uops", "message"),
    [
        ("hls-64bit", {}, [(0, 9, 0), (1, 9, 0), (0, 9, 0)], "accumulator 0 must be read 3"),
        ("hls-64bit", {"use_bias": 1}, [(0, 9, 0), (1, 0, 0)], "accumulator 0 must be read 3"),
        ("hls-64bit", {"use_bias": 1}, [(9, 7, 0), (1, 8, 0)], None),
        ("hls-64bit", {"use_bias": 1, "use_mul": 1}, [(9, 7, 0), (1, 8, 0)],
         "accumulator 9 must be read 3"),
        ("hls-64bit", {"use_mul": 1}, [(9, 7, 0), (1, 8, 0)], None),
        ("chisel-64bit", {}, [(0, 9, 0), (0, 9, 0)], None),
        ("chisel-64bit", {"use_mul": 1}, [(0, 9, 0), (1, 0, 0)], "accumulator 0 must be read 2"),
        ("vta1", {"use_bias": 1, "use_mul": 1}, [(0, 9, 0), (9, 0, 0), (0, 9, 0)], None),
    ],
)  # fmt: skip
def test_requant_strict_keeps_the_distances_of_register_operations(
    profile: str, flags: dict[str, int], uops: list[tuple[int, int, int]], message: str | None
) -> None:
    loops = {"uop_end": len(uops), "iter_out": 1, "iter_in": 1}
    stream = program(
        ABLE, uops, np.zeros((2048, 1, 16), np.int64),
        record(Opcode.REQUANT, **loops, **flags, **CLIP),
    )  # fmt: skip
    if message is None:
        run(stream, strict=True, profile=profile)
        return
    with pytest.raises(StreamError, match=message) as caught:
        run(stream, strict=True, profile=profile)
    assert caught.value.kind is FaultKind.STRICT_DISTANCE


def test_requant_strict_refuses_sources_that_nothing_wrote_and_empty_loops() -> None:
    uops = encode_uops(np.array([(0, 5, 0)], UOP_DTYPE), ABLE).view(np.uint8)
    for bias, mul in ((1, 0), (0, 1)):
        words = encode(np.concatenate([
            load(ABLE, MemType.UOP, UOPS, 1, 4), load(ABLE, MemType.ACC, ACC, 1, 64),
            record(Opcode.REQUANT, use_bias=bias, use_mul=mul, uop_end=1, iter_out=1, iter_in=1),
            record(Opcode.FINISH),
        ]), ABLE)  # fmt: skip
        dram = Dram([(UOPS, uops), (ACC, np.zeros(64, np.uint8)),
                     (INSN, words.view(np.uint8).reshape(-1).copy())])  # fmt: skip
        with pytest.raises(StreamError, match="ACC element 5 must be loaded") as caught:
            Engine(ABLE, strict=True).run(dram, INSN, len(words))
        assert caught.value.kind is FaultKind.STRICT_UNDEFINED
    acc = np.zeros((2048, 1, 16), np.int64)
    empty = program(ABLE, [(0, 0, 0)], acc, record(Opcode.REQUANT, uop_end=1, iter_in=1))
    run(empty)
    with pytest.raises(StreamError) as caught:
        run(empty, strict=True)
    assert caught.value.kind is FaultKind.STRICT_ZERO_ITER


def test_requant_counts_as_alu_work_and_lets_out_be_stored() -> None:
    uops = [(k, 0, 0) for k in range(8)]
    acc = np.full((2048, 1, 16), 1000)
    insns = [
        record(Opcode.REQUANT, uop_end=8, iter_out=1, iter_in=2, dst_factor_in=8, shift=2, **CLIP,
               push_next=1),
        record(Opcode.STORE, memory_type=MemType.OUT, y_size=1, x_size=16, x_stride=16,
               dram_base=0xA0000 // 16, pop_prev=1, push_prev=1),
        record(Opcode.LOAD, pop_next=1),
    ]  # fmt: skip
    stream = program(ABLE, uops, acc, *insns)
    engine = Engine(ABLE, semantics="hls", strict=True)
    dram = Dram([*Dram.of_stream(stream).segments, (0xA0000, np.zeros(4096, np.uint8))])
    counters = engine.run(dram, INSN, len(stream)).counters
    assert (counters.alu_uops, counters.alu_ops) == (16, 16 * 16)
    assert (dram.view(0xA0000, 256) == 127).all()


def test_alu_source_and_destination_may_be_one_element_on_every_path() -> None:
    """The lanes are computed from where they lie: an element that is its own operand too."""
    rng = np.random.default_rng(5)
    acc = rng.integers(-(1 << 31), 1 << 31, (2048, 1, 16))
    uops = [(k, k if k % 2 else k + 1, 0) for k in range(16)]
    for op in AluOp:
        stream = program(
            ABLE, uops, acc, record(Opcode.ALU, alu_opcode=op, uop_end=16, iter_out=1, iter_in=1)
        )
        wanted = run_stream(stream).machine.sram[MemType.ACC]
        for path in available_paths():
            np.testing.assert_array_equal(run(stream, path=path).sram(MemType.ACC), wanted)
