"""Moves beyond the fields: several instructions leave what one description says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.machine import assert_clean, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import KernelBuilder
from vta_pynq.kernel.transfers import Transfer, split

CONFIG = HwConfig()


def image_of(move: Transfer, dram: np.ndarray) -> np.ndarray:
    rows = [dram[move.dram + y * move.stride :][: move.x] for y in range(move.y)]
    return np.pad(np.array(rows), (move.y_pad, move.x_pad)).reshape(-1)


@pytest.mark.parametrize("seed", range(150))
def test_split_random_move_leaves_the_described_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dram = np.arange(1, 4000)
    pads = [tuple(map(int, rng.integers(0, rng.choice([2, 9, 70]), 2))) for _ in range(2)]
    move = Transfer(
        int(rng.integers(0, 9)), int(rng.integers(0, 50)), int(rng.integers(1, 12)),
        int(rng.integers(1, 6)), int(rng.integers(0, 300)), *pads,
    )  # fmt: skip
    sram = np.full(40000, -1)
    for part in split(move, max_size=7, max_stride=40, max_pad=7):
        assert part.x <= 7
        assert part.y <= 7
        assert max(*part.y_pad, *part.x_pad) <= 7
        assert part.y == 1 or part.stride <= 40
        sram[part.sram : part.sram + part.sram_elems] = image_of(part, dram)
    expected = np.full(40000, -1)
    expected[move.sram : move.sram + move.sram_elems] = image_of(move, dram)
    np.testing.assert_array_equal(sram, expected, f"seed {seed}")


@pytest.mark.parametrize("profile", ["functional", "hls-64bit", "chisel-64bit"])
def test_load_beyond_every_field_arrives(profile: str) -> None:
    b = KernelBuilder(CONFIG, profile, auto_sync=True)
    data = np.random.default_rng(1).integers(-99, 99, (200_001, 16)).astype(np.int32)
    x = b.dram("x", MemType.ACC, 200_001, data)
    y = b.dram("y", MemType.OUT, 200_001)
    b.load(MemType.ACC, 0, x, 3, 4, 100_000 - 2, y_pad=(20, 17), x_pad=(1, 16))
    count = 40 * 21
    with b.alu(AluOp.ADD, imm=0) as k, k.loop(count, dst=1):
        k.uop(0)
    b.store(0, y, 2, count // 2, 100_000)
    kernel = b.build()
    image = np.zeros((40, 21, 16), np.int8)
    for row in range(3):
        image[20 + row, 1:5] = data[row * 99_998 :][:4]
    got = run_on_engine(kernel)["y"].view(np.int8).reshape(-1, 16)
    np.testing.assert_array_equal(got[: count // 2], image.reshape(-1, 16)[: count // 2])
    np.testing.assert_array_equal(got[100_000:][: count // 2], image.reshape(-1, 16)[count // 2 :])
    assert_clean(kernel)
    assert decode(kernel.words, CONFIG)["y_size"].max() == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda b, x: b.load(MemType.INP, 2000, x, x=49),
            "LOAD INP: SRAM elements must end within 2048 (1x16_i8w8a32_15_15_18_17), not at 2049; "
            "use a smaller tile",
        ),
        (
            lambda b, x: b.load(MemType.INP, 0, x[90], y=2, x=5, stride=8),
            "LOAD INP: rows must end within the 100 elements of buffer 'x', not at 103; move fewer "
            "elements or declare a larger buffer",
        ),
        (
            lambda b, x: b.load(MemType.WGT, 0, x),
            "LOAD WGT: buffer 'x' must have elements of 256 bytes, not 16 (INP); use a buffer of "
            "that memory type",
        ),
        (lambda b, x: b.load(MemType.INP, 0, x, x=0), "LOAD INP: x must be at least 1, not 0"),
        (lambda b, x: b.load(MemType.INP, -1, x), "LOAD INP: sram must be at least 0, not -1"),
        (
            lambda b, x: b.load(MemType.INP, 0, x, x_pad=(0, -1)),
            "LOAD INP: padding must be at least 0, not -1",
        ),
        (
            lambda b, x: b.load(MemType.UOP, 0, x),
            "LOAD: memory type must be one of INP, WGT, ACC, ACC_8BIT, not <MemType.UOP: 0>; "
            "micro-ops are loaded by the builder",
        ),
        (
            lambda b, x: b.load(MemType.ACC_8BIT, 0, x),
            "LOAD ACC_8BIT: 1x16_i8w8a32_15_15_18_17 with profile hls-64bit must have the "
            "capability load_acc8, not lack it; load 32-bit accumulators",
        ),
        (
            lambda b, x: b.store(3, x),
            "STORE: element 3 must be written last by the ALU or a GEMM without reset, not by a "
            "load, a reset or nothing; add 0 to it with the ALU first",
        ),
        (
            lambda b, x: b.load(MemType.INP, 0, KernelBuilder(CONFIG).dram("z", MemType.INP, 1)),
            "LOAD INP: buffer 'z' must be of this builder, not another; declare it here",
        ),
    ],
)
def test_move_that_is_impossible_is_refused(call, message: str) -> None:
    b = KernelBuilder(CONFIG)
    x = b.dram("x", MemType.INP, 100)
    with pytest.raises(KernelError) as error:
        call(b, x)
    assert str(error.value) == message
    assert len(b) == 0


def test_load_weights_with_padding_is_refused() -> None:
    b = KernelBuilder(CONFIG)
    w = b.dram("w", MemType.WGT, 4)
    with pytest.raises(KernelError, match=r"padding must be 0 .* keep zeros in DRAM"):
        b.load(MemType.WGT, 0, w, x_pad=(0, 1))


def test_store_after_reset_is_refused_on_hardware_and_allowed_functionally() -> None:
    for profile, fine in (("hls-64bit", False), ("functional", True)):
        b = KernelBuilder(CONFIG, profile, auto_sync=True)
        y = b.dram("y", MemType.OUT, 1)
        b.push_gemm(b.uops(0), reset=True)
        if fine:
            b.store(0, y)
            assert_clean(b.build())
        else:
            with pytest.raises(KernelError, match="element 0 must be written last by the ALU"):
                b.store(0, y)


def test_store_reads_what_a_load_reads_again_only_after_it_is_written() -> None:
    b = KernelBuilder(CONFIG, auto_sync=True)
    y = b.dram("y", MemType.OUT, 4)
    b.push_gemm(b.uops(np.arange(4)), reset=True)
    b.push_alu(AluOp.ADD, b.uops(np.arange(4)), imm=1)
    b.store(0, y, x=4)
    b.load(MemType.INP, 0, y, x=4)
    kernel = b.build()
    assert_clean(kernel)
    insns = decode(kernel.words, CONFIG)
    load = insns[(insns["memory_type"] == MemType.INP) & (insns["x_size"] == 4)][0]
    assert load["pop_next"] == 1


def test_move_takes_numpy_integers() -> None:
    number = np.int64
    b = KernelBuilder(CONFIG, auto_sync=True)
    x = b.dram("x", MemType.INP, 70_000)
    pads = (np.uint8(15), np.uint8(9))
    b.load(MemType.INP, number(5), x[number(7)], number(2), number(3), number(65_535), pads, pads)
    insn = decode(b.build().words, CONFIG)[0]
    names = ["sram_base", "dram_base", "y_size", "x_size", "x_stride", "y_pad_0", "x_pad_1"]
    assert [int(insn[name]) for name in names] == [5, 7, 2, 3, 65_535, 15, 9]
