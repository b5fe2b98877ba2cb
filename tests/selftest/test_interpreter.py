"""The reference interpreter against every conformance case, and by hand where none exists."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vta_pynq.config import HwConfig
from vta_pynq.conformance import Case, load_case
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Module, Opcode
from vta_pynq.selftest.interpreter import MODULES, Deadlock, Hang, ReferenceFault, run_stream
from vta_pynq.selftest.memory import Dram, pack, unpack
from vta_pynq.stream import InstructionStream, Segment

CASES = sorted((Path(__file__).parent.parent / "conformance").iterdir())
# No published design has REQUANT, so nothing is recorded of any.
PUBLISHED = [folder for folder in CASES if not folder.name.startswith("isa_requant_")]


def _outcome(case: Case, profile: str) -> str:
    """What a run does, in the words of a case's `verified` record."""
    try:
        dram = run_stream(case.stream, profile).dram
    except Hang:
        return "hang"
    bad = sum(
        np.count_nonzero(dram.read(o.phys, o.expected.size) != o.expected) for o in case.outputs
    )
    return f"bad{bad}" if bad else "ok"


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_run_stream_functional_matches_expected(folder: Path) -> None:
    assert _outcome(load_case(folder), "functional") == "ok"


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda p: p.name)
def test_run_stream_hls_differs_by_as_many_bytes_as_the_design(folder: Path) -> None:
    case = load_case(folder)
    assert _outcome(case, "hls") == case.meta["verified"]["hls_c"]


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda p: p.name)
def test_run_stream_chisel_differs_by_as_many_bytes_as_the_design(folder: Path) -> None:
    case = load_case(folder)
    verified = re.match(r"ok|hang|bad\d+", case.meta["verified"]["chisel_rtl"]).group()
    if case.name == "isa_zero_iter":  # the wrapped loop count: reported, not imitated
        verified = "hang"
    assert _outcome(case, "chisel") == verified


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_run_stream_any_module_order_gives_the_same_dram(folder: Path) -> None:
    case = load_case(folder)
    images = []
    for order in itertools.permutations(MODULES):
        dram = run_stream(case.stream, order=order).dram
        images.append([dram.read(o.phys, o.expected.size).tobytes() for o in case.outputs])
    assert all(image == images[0] for image in images)


# ---- streams made here -------------------------------------------------------------------

_PHYS = {"UOP": 0x1000, "INP": 0x100000, "WGT": 0x200000, "ACC": 0x400000, "OUT": 0x800000}


def _insn(opcode: Opcode, **fields: int) -> np.ndarray:
    record = np.zeros(1, INSN_DTYPE)
    record["opcode"] = opcode
    for name, value in fields.items():
        record[name] = value
    return record


def _load(config: HwConfig, kind: MemType, count: int, size: int, **more: int) -> np.ndarray:
    base = _PHYS[kind.name] // size
    return _insn(
        Opcode.LOAD,
        memory_type=kind,
        dram_base=base,
        y_size=1,
        x_size=count,
        x_stride=count,
        **more,
    )


def _stream(config: HwConfig, insns: list[np.ndarray], **data: np.ndarray) -> InstructionStream:
    segments = tuple(Segment(kind, kind, _PHYS[kind], len(raw), raw) for kind, raw in data.items())
    return InstructionStream("made", config, encode(np.concatenate(insns), config), segments)


@pytest.mark.parametrize(
    "name",
    [
        "1x16_i8w8a32_15_15_18_17",
        "2x8_i8w8a32_12_12_14_14",
        "4x16_i4w2a32_12_12_14_14",
        "8x16_i1w1a16_12_10_14_12",
        "1x8_i16w8a32_12_12_14_14",
        "1x4_i32w32a32_12_12_14_12",
    ],
)
@pytest.mark.parametrize("profile", ["functional", "hls"])
def test_gemm_any_width_equals_matmul(name: str, profile: str) -> None:
    config = HwConfig.from_name(name)
    rng = np.random.default_rng(seed := 7)
    print("seed", seed)
    count, shape = 3, (config.batch, config.block)
    inp = rng.integers(*_range(config.inp_width), (count, *shape), endpoint=True)
    wgt = rng.integers(
        *_range(config.wgt_width), (count, config.block, config.block), endpoint=True
    )
    acc = rng.integers(*_range(config.acc_width), shape, endpoint=True)
    uops = np.array([(0, k, k) for k in range(count)], UOP_DTYPE)
    stream = _stream(
        config,
        [
            _load(config, MemType.UOP, count, 4),
            _load(config, MemType.ACC, 1, config.acc_bytes),
            _load(config, MemType.INP, count, config.inp_bytes),
            _load(config, MemType.WGT, count, config.wgt_bytes, push_next=1),
            _insn(Opcode.GEMM, pop_prev=1, push_next=1, uop_end=count, iter_out=1, iter_in=1),
            _insn(
                Opcode.STORE,
                memory_type=MemType.OUT,
                pop_prev=1,
                y_size=1,
                x_size=1,
                dram_base=_PHYS["OUT"] // config.out_bytes,
                push_prev=1,
            ),
            _insn(Opcode.LOAD, pop_next=1),
            _insn(Opcode.FINISH),
        ],
        UOP=encode_uops(uops, config).view(np.uint8),
        INP=pack(inp, config.inp_width),
        WGT=pack(wgt, config.wgt_width),
        ACC=pack(acc, config.acc_width),
    )
    result = run_stream(stream, profile)
    total = [
        [
            int(acc[b, c])
            + sum(
                int(inp[k, b, i]) * int(wgt[k, c, i])
                for k in range(count)
                for i in range(config.block)
            )
            for c in range(config.block)
        ]
        for b in range(config.batch)
    ]
    # Python integers do not wrap: the low bits of the exact sum are what must arrive.
    low = np.array([[v % (1 << config.out_width) for v in row] for row in total])
    stored = result.dram.read(_PHYS["OUT"], config.out_bytes)
    assert stored.tobytes() == pack(low, config.out_width).tobytes()
    exact = np.array([[v % (1 << config.acc_width) for v in row] for row in total])
    assert np.array_equal(result.machine.sram[MemType.ACC][0] % (1 << config.acc_width), exact)
    assert result.tokens == {"l2g": 0, "g2l": 0, "g2s": 0, "s2g": 0}


def _range(bits: int) -> tuple[int, int]:
    return -(1 << bits - 1), (1 << bits - 1) - 1


@given(st.sampled_from([1, 2, 4, 8, 16, 32]), st.binary(min_size=4, max_size=32))
def test_pack_unpack_round_trips(bits: int, raw: bytes) -> None:
    data = np.frombuffer(raw[: len(raw) // 4 * 4], np.uint8)
    values = unpack(data, bits)
    assert pack(values, bits).tobytes() == data.tobytes()
    number = int.from_bytes(data.tobytes(), "little")
    expected = [(number >> bits * k) % (1 << bits) for k in range(len(values))]
    assert [int(v) % (1 << bits) for v in values] == expected
    assert all(_range(bits)[0] <= v <= _range(bits)[1] for v in values)


def test_run_stream_pop_without_push_reports_deadlock() -> None:
    config = HwConfig()
    stream = _stream(config, [_insn(Opcode.LOAD, pop_prev=1), _insn(Opcode.STORE, pop_prev=1)])
    with pytest.raises(Deadlock, match=r"^insn 0: deadlock: COMPUTE at insn 0, STORE at insn 1$"):
        run_stream(stream)


def test_run_stream_full_queue_reports_deadlock() -> None:
    config = HwConfig()
    waiting = _insn(Opcode.LOAD, memory_type=MemType.INP, pop_next=1)
    idle = _insn(Opcode.LOAD, memory_type=MemType.INP)
    stream = _stream(config, [waiting, idle, idle, _insn(Opcode.LOAD, push_prev=1)])
    assert run_stream(stream).trace == [3, 0, 1, 2]
    assert run_stream(stream, queue_depth=3).trace == [3, 0, 1, 2]
    with pytest.raises(Deadlock) as caught:
        run_stream(stream, queue_depth=2)
    assert caught.value.heads == {Module.LOAD: 0}


def test_run_stream_tokens_in_let_the_stream_start() -> None:
    stream = _stream(HwConfig(), [_insn(Opcode.LOAD, pop_prev=1)])
    started = InstructionStream("started", stream.config, stream.words, tokens_in=(2, 0, 0, 0))
    assert run_stream(started).tokens == {"l2g": 1, "g2l": 0, "g2s": 0, "s2g": 0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"opcode": Opcode.LOAD, "memory_type": MemType.INP, "sram_base": 2047,
          "x_size": 2, "y_size": 1},
         "insn 0: INP elements 2047..2048 do not exist"),
        ({"opcode": Opcode.LOAD, "memory_type": 7, "x_size": 1, "y_size": 1},
         "insn 0: memory type 7 is not defined"),
        ({"opcode": Opcode.LOAD, "memory_type": MemType.ACC, "x_size": 1, "y_size": 1,
              "dram_base": 0xFFFFFFFF},
         "insn 0: DRAM access must end below 2^32, not at 0x4000000000"),
        ({"opcode": Opcode.ALU, "uop_end": 1, "iter_out": 2, "iter_in": 1, "dst_factor_out": 2047,
              "src_factor_out": 2047, "alu_opcode": 7},
         "insn 0: ALU opcode 7 is not defined"),
        ({"opcode": Opcode.GEMM, "uop_end": 1, "iter_out": 3, "iter_in": 1, "dst_factor_out": 1024},
         "insn 0: ACC element 2048 does not exist"),
    ],
)  # fmt: skip
def test_run_stream_outside_the_hardware_reports_a_fault(
    fields: dict[str, int], message: str
) -> None:
    with pytest.raises(ReferenceFault) as caught:
        run_stream(_stream(HwConfig(), [_insn(**fields)]))
    assert str(caught.value) == message


def _shift(profile: str, values: list[int], amount: int) -> list[int]:
    config = HwConfig()
    row = np.resize(np.array(values), (1, 16))
    stream = _stream(
        config,
        [
            _load(config, MemType.ACC, 1, 64),
            _insn(
                Opcode.ALU,
                alu_opcode=AluOp.SHR,
                use_imm=1,
                imm=amount,
                uop_end=1,
                iter_out=1,
                iter_in=1,
            ),
        ],
        ACC=pack(row, 32),
    )
    return run_stream(stream, profile).machine.sram[MemType.ACC][0, 0, : len(values)].tolist()


@pytest.mark.parametrize("amount", [0, 1, 15, 31, 32, 1000, -1, -31, -32, -1000])
def test_shift_functional_is_floor_of_the_exact_quotient(amount: int) -> None:
    values = [0, 1, -1, 5, -5, 2**31 - 1, -(2**31)]
    exact = [v >> amount if amount >= 0 else v << -amount for v in values]
    assert _shift("functional", values, amount) == [(v + 2**31) % 2**32 - 2**31 for v in exact]


def test_shift_hls_takes_five_bits_with_sign() -> None:
    assert _shift("hls", [3, -3], 16) == [3 << 16, -3 << 16]
    assert _shift("hls", [3, -3], 31) == [6, -6]
    assert _shift("hls", [64, -64], 33) == [32, -32]


def test_dram_access_across_pages_keeps_neighbours() -> None:
    dram = Dram([(4090, np.arange(12, dtype=np.uint8))])
    assert dram.read(4088, 16).tolist() == [0, 0, *range(12), 0, 0]
    twin = dram.copy()
    twin.write(4096, np.full(1, 99, np.uint8))
    assert dram.read(4096, 1)[0] == 6
    assert twin.read(4095, 3).tolist() == [5, 99, 7]
