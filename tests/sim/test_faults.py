"""Everything the engine refuses, with the whole message; strict mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.encode import INSN_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Module, Opcode
from vta_pynq.sim.engine import BasePointers, Dram, Engine, FaultKind, StreamError

DEFAULT = HwConfig()
NAME = DEFAULT.name
INSN, DATA, UOPS = 0x10000, 0x20000, 0x30000
DATA_BYTES = 0x4000


def insn(opcode: Opcode, **fields: int) -> dict[str, int]:
    return {"opcode": int(opcode), **fields}


def load(kind: MemType, x: int = 1, y: int = 1, dram: int = DATA, **fields: int) -> dict[str, int]:
    size = {MemType.UOP: 4, MemType.WGT: 256, MemType.ACC: 64}.get(kind, 16)
    return insn(Opcode.LOAD, memory_type=kind, x_size=x, y_size=y, x_stride=x,
                dram_base=dram // size, **fields)  # fmt: skip


def store(x: int = 1, dram: int = DATA, **fields: int) -> dict[str, int]:
    return insn(Opcode.STORE, memory_type=MemType.OUT, x_size=x, y_size=1, x_stride=x,
                dram_base=dram // 16) | fields  # fmt: skip


def gemm(**fields: int) -> dict[str, int]:
    return insn(Opcode.GEMM) | {"uop_end": 1, "iter_out": 1, "iter_in": 1} | fields


def alu(op: AluOp = AluOp.ADD, **fields: int) -> dict[str, int]:
    values = {"uop_end": 1, "iter_out": 1, "iter_in": 1, "alu_opcode": int(op), "use_imm": 1}
    return insn(Opcode.ALU) | values | fields


FINISH = insn(Opcode.FINISH)
NOP = insn(Opcode.LOAD, memory_type=MemType.UOP)
LOAD_UOPS = load(MemType.UOP, 8, dram=UOPS)


def words_of(insns: list[dict[str, int]], config: HwConfig = DEFAULT) -> np.ndarray:
    records = np.zeros(len(insns), INSN_DTYPE)
    for record, fields in zip(records, insns, strict=True):
        for name, value in fields.items():
            record[name] = value
    return encode(records, config, "width")


def run(
    insns: list[dict[str, int]] | np.ndarray, engine: Engine | None = None, **options: Any
) -> Any:
    engine = engine or Engine(DEFAULT)
    words = insns if isinstance(insns, np.ndarray) else words_of(insns, engine.config)
    uops = np.zeros(8, [("dst_idx", "<u2"), ("src_idx", "<u2"), ("wgt_idx", "<u2")])
    for field in uops.dtype.names or ():
        uops[field] = np.arange(8)
    data = options.pop("data", None)
    segments = [
        (INSN, words.view(np.uint8).reshape(-1)),
        (DATA, np.zeros(DATA_BYTES, np.uint8) if data is None else data),
        (UOPS, encode_uops(uops, engine.config).view(np.uint8)),
    ]
    return engine.run(Dram(segments), INSN, options.pop("count", len(words)), **options)


def fault(insns: list[dict[str, int]] | np.ndarray, **options: Any) -> StreamError:
    with pytest.raises(StreamError) as caught:
        run(insns, **options)
    return caught.value


OPCODE_WORDS = np.array([[6, 0]], np.uint64)
ALU_OPCODE_WORDS = words_of([alu()]) | np.array([[0, 7 << 44]], np.uint64)

REFUSED = [
    ("opcode", OPCODE_WORDS, "insn 0 (FETCH): opcode must be LOAD, STORE, GEMM, FINISH, ALU or "
     "REQUANT (0..5), not 6; check that address and count of the stream are right"),
    ("memory type", [load(MemType.OUT)], "insn 0 (COMPUTE): memory type must be one that the "
     "instruction can move, not 4; LOAD takes UOP, WGT, INP, ACC, ACC_8BIT, STORE takes OUT"),
    ("alu opcode", ALU_OPCODE_WORDS, "insn 0 (COMPUTE): ALU opcode must be MIN, MAX, ADD, SHR or "
     "MUL (0..4), not 7; check the encoding"),
    ("sram range", [load(MemType.INP, 2, sram_base=2047)], "insn 0 (LOAD): INP elements must end "
     f"at or before 2048 ({NAME}), not at 2049 (sram_base 2047, 2 elements); "
     "move less or lower sram_base"),
    ("uop range", [gemm(uop_end=8193)], "insn 0 (COMPUTE): uop_end must be in 0..8192 (micro-op "
     f"buffer of {NAME}), not 8193; use a shorter kernel"),
    ("index", [gemm(iter_in=3, src_factor_in=1024)], "insn 0 (COMPUTE): src index must be in "
     f"0..2047 (INP buffer of {NAME}) in every iteration, not 2048; use smaller factors or loop "
     "counts"),
    ("wild address", [NOP, load(MemType.ACC, dram=0x7FFF0000)], "insn 1 (COMPUTE): address "
     "0x7fff0000 must lie in DRAM (access to 64 bytes of ACC at 0x7fff0000); check dram_base and "
     "the buffers"),
    ("short buffer", [load(MemType.ACC, 2, dram=DATA + DATA_BYTES - 64)], "insn 0 (COMPUTE): "
     "address 0x24000 must lie in DRAM (access to 128 bytes of ACC at 0x23fc0); check dram_base "
     "and the buffers"),
    ("no finish", [NOP], "stream: last instruction must be FINISH, and there is none; append it"),
    ("after finish", [FINISH, store()], "insn 1 (FETCH): FINISH must be the last instruction, and "
     "this one follows it; drop it or move FINISH to the end"),
    ("budget", [gemm(iter_out=16383, iter_in=16383, uop_end=8192)], "insn 0 (COMPUTE): work must "
     "fit the budget of 1073741824 units, 1 are spent and this instruction takes 4397509656576; "
     "pass a larger budget if the stream is meant to be that long"),
    ("deadlock", [load(MemType.INP, pop_next=1), gemm(pop_prev=1), FINISH], "stream: modules must "
     "not wait for each other for ever (after fetching 3 instructions): LOAD waits at insn 0 for "
     "token g2l (buffer free, pushed by COMPUTE with push_prev); COMPUTE waits at insn 1 for token "
     "l2g (data ready, pushed by LOAD with push_next); push the token before it is needed"),
    ("left after finish", [store(pop_prev=1), FINISH], "stream: modules must not wait for each "
     "other for ever (after fetching 2 instructions): STORE waits at insn 0 for token g2s (result "
     "ready, pushed by COMPUTE with push_next); push the token before it is needed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("insns", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_engine_refused_stream_names_the_instruction(insns: Any, message: str) -> None:
    assert str(fault(insns)) == message


def test_engine_fetch_outside_dram_is_refused() -> None:
    error = fault([NOP, NOP], count=3)
    assert error.kind is FaultKind.INSN_RANGE
    assert str(error) == (
        "insn 2 (FETCH): instruction address 0x10020 must lie in DRAM; check address and count of "
        "the stream"
    )


def test_engine_store_into_read_only_memory_is_refused() -> None:
    data = np.zeros(DATA_BYTES, np.uint8)
    data.flags.writeable = False
    error = fault([store(), FINISH], data=data)
    assert (error.kind, error.insn, error.module) == (FaultKind.DRAM_READONLY, 0, Module.STORE)


def test_engine_fault_leaves_the_engine_usable() -> None:
    engine = Engine(DEFAULT)
    assert fault([NOP], engine=engine).kind is FaultKind.NO_FINISH
    assert run([NOP, FINISH], engine).counters.insns["COMPUTE"] == 2


def test_engine_base_pointers_are_added() -> None:
    data = np.arange(DATA_BYTES // 4, dtype=np.int32).view(np.uint8)
    engine = Engine(DEFAULT)
    run([load(MemType.ACC, dram=0), FINISH], engine, data=data, bases=BasePointers(acc=DATA + 64))
    np.testing.assert_array_equal(engine.sram(MemType.ACC)[0, 0], np.arange(16, 32))


def test_engine_row_across_two_segments_is_one_row() -> None:
    words = words_of([load(MemType.ACC, 2, dram=0x20000), alu(), store(x=2, dram=0x20100), FINISH])
    parts = [np.arange(0x60, dtype=np.uint8), np.zeros(0x100, np.uint8), np.zeros(0x40, np.uint8)]
    dram = Dram([(INSN, words.view(np.uint8).reshape(-1)), (0x20000, parts[0]),
                 (0x20060, parts[1]), (0x20160, parts[2])])  # fmt: skip
    engine = Engine(DEFAULT)
    engine.run(dram, INSN, len(words))
    image = np.concatenate([np.arange(0x60, dtype=np.uint8), np.zeros(0x20, np.uint8)])
    np.testing.assert_array_equal(engine.sram(MemType.ACC)[:2].reshape(-1), image.view(np.int32))


def test_dram_overlapping_ranges_are_refused() -> None:
    with pytest.raises(SimError, match="range at 0x10 must begin after the one before it"):
        Dram([(0, np.zeros(32, np.uint8)), (16, np.zeros(4, np.uint8))])


def test_engine_counters_are_exact() -> None:
    insns = [
        LOAD_UOPS,
        load(MemType.INP, 4, 2, x_pad_0=1, y_pad_1=2, push_next=1),
        load(MemType.WGT, 3),
        load(MemType.ACC, 5),
        gemm(reset=1, uop_end=4, iter_in=2, pop_prev=1),
        gemm(uop_end=4, iter_out=3, iter_in=2),
        alu(uop_end=5, iter_in=2, push_next=1),
        store(x=7, pop_prev=1),
        FINISH,
    ]
    counters = run(insns).counters
    assert counters.insns == {"FETCH": 9, "LOAD": 2, "COMPUTE": 6, "STORE": 1}
    assert counters.insn_bytes == 9 * 16
    assert counters.read_bytes == {
        "UOP": 32, "WGT": 768, "INP": 128, "ACC": 320, "OUT": 0, "ACC_8BIT": 0,
    }  # fmt: skip
    assert counters.written_bytes == 7 * 16
    assert counters.padding_elems["INP"] == 5 * 4 - 8
    assert (counters.gemm_uops, counters.gemm_reset_uops) == (24, 8)
    assert counters.gemm_macs == 24 * 256
    assert (counters.alu_uops, counters.alu_ops) == (10, 160)
    assert counters.nops == 0


CLEAN = [
    LOAD_UOPS, load(MemType.INP, 8, push_next=1), load(MemType.WGT, 8, push_next=1),
    load(MemType.ACC, 8), NOP | {"pop_prev": 1}, gemm(uop_end=8, pop_prev=1),
    alu(uop_end=8, push_next=1), store(x=8, pop_prev=1, push_prev=1), FINISH | {"pop_next": 1},
]  # fmt: skip

STRICT = [
    ("zero iter", 5, gemm(iter_in=0, pop_prev=1), FaultKind.STRICT_ZERO_ITER),
    ("zero rows", 3, load(MemType.ACC, 8, 0), FaultKind.STRICT_ZERO_SIZE),
    ("x0 pads", 3, load(MemType.ACC, 0, x_pad_0=1), FaultKind.STRICT_PAD),
    ("wgt pads", 2, load(MemType.WGT, 8, y_pad_0=1, push_next=1), FaultKind.STRICT_PAD),
    ("uop rows", 0, load(MemType.UOP, 4, 2, dram=UOPS), FaultKind.STRICT_UOP_2D),
    ("acc8", 3, load(MemType.ACC_8BIT, 8), FaultKind.STRICT_CAPABILITY),
    ("mul", 6, alu(AluOp.MUL, push_next=1), FaultKind.STRICT_CAPABILITY),
    ("shift imm", 6, alu(AluOp.SHR, imm=16, push_next=1), FaultKind.STRICT_SHIFT),
    ("gemm distance", 5, gemm(iter_in=4, uop_end=3, pop_prev=1), FaultKind.STRICT_DISTANCE),
    ("alu distance", 6, alu(iter_in=2, uop_end=2, push_next=1), FaultKind.STRICT_DISTANCE),
    ("out", 6, gemm(reset=1, uop_end=8, push_next=1), FaultKind.STRICT_OUT),
    ("undefined", 3, load(MemType.ACC, 7), FaultKind.STRICT_UNDEFINED),
    ("flag", 1, load(MemType.INP, 8, push_next=1, push_prev=1), FaultKind.STRICT_FLAG),
    ("race read", 5, gemm(uop_end=8), FaultKind.STRICT_RACE),
    ("race store", 7, store(x=8, push_prev=1), FaultKind.STRICT_RACE),
    ("finish", 8, FINISH, FaultKind.STRICT_FINISH),
]  # fmt: skip


def test_engine_strict_accepts_a_clean_stream() -> None:
    run(CLEAN, Engine(DEFAULT, strict=True))


@pytest.mark.parametrize(
    ("at", "change", "kind"), [s[1:] for s in STRICT], ids=[s[0] for s in STRICT]
)
def test_engine_strict_refuses(at: int, change: dict[str, int], kind: FaultKind) -> None:
    insns = [*CLEAN[:at], change, *CLEAN[at + 1 :]]
    if kind is FaultKind.STRICT_RACE and at == 5:
        insns[4] = NOP
    error = fault(insns, engine=Engine(DEFAULT, strict=True))
    assert error.kind is kind
    assert str(error).startswith(f"insn {error.insn} ({error.module.name}): ")


def test_engine_strict_register_shift_of_16_names_the_lane() -> None:
    data = np.full(DATA_BYTES // 4, 16, np.int32).view(np.uint8)
    insns = [LOAD_UOPS, load(MemType.ACC, 8), alu(AluOp.SHR, use_imm=0), FINISH]
    error = fault(insns, engine=Engine(DEFAULT, strict=True), data=data)
    assert str(error) == (
        "insn 2 (COMPUTE): shift amount must be in -16..15 (hls-64bit), not 16 (a lane of "
        "accumulator 0); split the shift"
    )


def test_engine_strict_capability_allows_mul_and_acc8() -> None:
    config = DEFAULT.with_capabilities(Capability.ALU_MUL, Capability.LOAD_ACC8)
    insns = [LOAD_UOPS, load(MemType.ACC_8BIT, 8), alu(AluOp.MUL, imm=3), FINISH]
    run(insns, Engine(config, strict=True))


def test_engine_strict_full_queue_stops_fetch() -> None:
    """Loads that wait for a token which a later instruction must push: fine without a limit."""
    waiting = [insn(Opcode.LOAD, memory_type=MemType.INP, pop_next=1, push_next=1)]
    first = [insn(Opcode.LOAD, memory_type=MemType.UOP, push_prev=1)]
    for count, ends in ((515, True), (516, False)):
        insns = waiting * count + first * count + [NOP | {"pop_prev": 1}] * count + [FINISH]
        run(insns)
        if ends:
            run(insns, Engine(DEFAULT, strict=True))
        else:
            assert fault(insns, engine=Engine(DEFAULT, strict=True)).deadlock


def test_engine_strict_full_token_counter_loses_or_blocks() -> None:
    pushes = [insn(Opcode.LOAD, memory_type=MemType.INP, push_next=1)] * 300
    pops = [NOP | {"pop_prev": 1}] * 300
    run([*pushes, *pops, FINISH], Engine(DEFAULT, strict=True))
    chisel = Engine(DEFAULT, strict=True, profile="chisel-64bit")
    assert fault([*pushes, *pops, FINISH], engine=chisel).kind is FaultKind.STRICT_TOKENS


def test_engine_random_order_shows_a_race() -> None:
    """Nothing orders STORE after ALU: program order gives 5, another order can give 0."""
    data = np.zeros(DATA_BYTES, np.uint8)
    found = set()
    for order_seed in range(16):
        engine = Engine(DEFAULT)
        run([LOAD_UOPS, alu(imm=5), store(), FINISH], engine, data=data, order_seed=order_seed)
        found.add(int(data[0]))
    assert found == {0, 5}


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("insn_phys", 1.5, "0..2^32, not 1.5"),
        ("insn_count", -1, "0..2^32, not -1"),
        ("budget", -1, "0..2^63, not -1"),
        ("budget", 1 << 70, f"0..2^63, not {1 << 70}"),
        ("order_seed", "7", "0..2^63, not '7'"),
    ],
)
def test_engine_run_number_out_of_range_is_refused(name: str, value: Any, rule: str) -> None:
    arguments: dict[str, Any] = {"insn_phys": 0, "insn_count": 0, name: value}
    with pytest.raises(SimError) as caught:
        Engine(DEFAULT).run(Dram([]), **arguments)
    assert str(caught.value) == f"engine: {name} must be an integer in {rule}"
