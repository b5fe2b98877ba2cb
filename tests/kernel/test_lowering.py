"""Kernels that the fields or the pipelines cannot take as they are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.machine import assert_clean, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.kernel import KernelBuilder
from vta_pynq.kernel.hazards import Nest, Reuse, cut, find_hazard
from vta_pynq.kernel.immediates import split_immediate

CONFIG = HwConfig()


def naive_hazard(nest: Nest, reuse: Reuse) -> bool:
    flat = nest.flat()
    dst, src = flat.dst.tolist(), flat.src.tolist()
    return any(
        (gap < reuse.dst and dst[at] == dst[at - gap])
        or (gap < reuse.src and src[at] == dst[at - gap])
        for at in range(len(dst))
        for gap in range(1, min(at + 1, max(reuse.dst, reuse.src)))
    )


def random_nest(rng: np.random.Generator) -> Nest:
    n = int(rng.integers(1, 5))
    loops = [(int(rng.integers(1, 5)), *(int(s) for s in rng.integers(0, 4, 3))) for _ in range(2)]
    return Nest(*(rng.integers(0, 6, n) for _ in range(3)), *loops)


@pytest.mark.parametrize("seed", range(8))
def test_find_hazard_agrees_with_comparing_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(400):
        nest = random_nest(rng)
        reuse = Reuse(int(rng.integers(1, 5)), int(rng.integers(1, 4)))
        hazard = find_hazard(nest, reuse) is not None
        assert hazard == naive_hazard(nest, reuse), f"seed {seed}: {nest} {reuse}"
        found += hazard
    assert 20 < found < 380


def test_cut_leaves_no_hazard_and_the_order() -> None:
    rng = np.random.default_rng(3)
    flat = Nest(*(rng.integers(0, 5, 60) for _ in range(3)))
    pieces = cut(flat, Reuse(4, 3))
    assert np.concatenate([p.dst for p in pieces]).tolist() == flat.dst.tolist()
    assert not any(naive_hazard(piece, Reuse(4, 3)) for piece in pieces)


def dot_product(uops, loops, profile="hls-64bit", **options):
    rng = np.random.default_rng(5)
    b = KernelBuilder(CONFIG, profile, auto_sync=True, **options)
    inp, wgt = rng.integers(-9, 9, (64, 16)), rng.integers(-9, 9, (64, 16, 16))
    x = b.dram("x", MemType.INP, 64, inp.astype(np.int8))
    w = b.dram("w", MemType.WGT, 64, wgt.astype(np.int8))
    y = b.dram("y", MemType.OUT, 16)
    b.load(MemType.INP, 0, x, x=64)
    b.load(MemType.WGT, 0, w, x=64)
    b.push_gemm(b.uops(np.arange(16)), reset=True)
    b.push_gemm(b.uops(*uops), *loops)
    b.push_alu(AluOp.ADD, b.uops(np.arange(16)), imm=0)
    b.store(0, y, x=16)
    acc = np.zeros((16, 16), np.int64)
    grid = [[]]
    for loop in loops:
        grid = [[*g, i] for g in grid for i in range(loop[0])]
    for index in grid:
        for dst, src, wg in zip(*np.broadcast_arrays(*map(np.atleast_1d, uops)), strict=True):
            at = [u + sum(i * lp[k] for i, lp in zip(index, loops, strict=True))
                  for k, u in ((1, dst), (2, src), (3, wg))]  # fmt: skip
            acc[at[0]] += inp[at[1]] @ wgt[at[2]].T
    return b.build(), acc.astype(np.int8)


@pytest.mark.parametrize(
    ("uops", "loops", "gemms"),
    [
        pytest.param((np.arange(4), 0, np.arange(4)), [(4, 0, 1, 4)], 1, id="as it is"),
        pytest.param((0, np.arange(4), np.arange(4)), [(4, 1, 4, 0)], 4, id="reordered"),
        pytest.param((0, 0, 0), [(8, 1, 0, 1), (4, 0, 1, 8)], 1, id="loops exchanged"),
        pytest.param((0, np.arange(3), np.arange(3)), [], 3, id="one sum only"),
        pytest.param(
            (np.arange(2), 0, 0), [(2, 2, 1, 1), (2, 0, 4, 4), (4, 4, 2, 2)], 1, id="3 loops"
        ),
        pytest.param((15, 63, 0), [(4, -4, -1, 0), (4, -1, -4, 1)], 1, id="negative steps"),
    ],
)  # fmt: skip
def test_gemm_nest_is_brought_into_a_legal_form(uops, loops, gemms: int) -> None:
    kernel, expected = dot_product(uops, loops)
    got = run_on_engine(kernel)["y"].view(np.int8).reshape(16, 16)
    np.testing.assert_array_equal(got, expected)
    assert_clean(kernel)
    insns = decode(kernel.words, CONFIG)
    count = int(((insns["opcode"] == Opcode.GEMM) & (insns["reset"] == 0)).sum())
    assert count == gemms


def test_gemm_with_hazard_is_refused_on_request() -> None:
    with pytest.raises(KernelError) as error:
        dot_product((0, np.arange(3), np.arange(3)), [], hazards="error")
    assert str(error.value) == (
        "GEMM: accumulator 0 must be used again no earlier than 4 micro-ops after it was written "
        '(profile hls-64bit), not 1; put another index innermost or use hazards="split"'
    )


def alu_kernel(op: AluOp, imm: int | None, uops, values: np.ndarray, loops=(), profile="hls-64bit"):
    b = KernelBuilder(CONFIG, profile, auto_sync=True)
    x = b.dram("x", MemType.ACC, len(values), values.astype(np.int32))
    y = b.dram("y", MemType.OUT, len(values))
    b.load(MemType.ACC, 0, x, x=len(values))
    b.push_alu(op, b.uops(*uops), *loops, imm=imm)
    count = len(values)
    b.push_alu(AluOp.ADD, b.uops(0), (count, 1, 1, 0), imm=0)
    b.store(0, y, x=count)
    kernel = b.build()
    assert_clean(kernel)
    return run_on_engine(kernel)["y"].view(np.int8).reshape(-1, 16)


@pytest.mark.parametrize("imm", [*range(-40, 41, 9), 15, 16, 31, 32, -16, -17, -32, 1000, -1000])
@pytest.mark.parametrize("profile", ["functional", "hls-64bit", "chisel-64bit"])
def test_shift_by_any_amount_is_right(imm: int, profile: str) -> None:
    values = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, (8, 16))
    wide = [int(v) >> imm if imm >= 0 else int(v) << -imm for v in values.reshape(-1)]
    expected = np.array([v & 0xFF for v in wide], np.uint8).view(np.int8).reshape(8, 16)
    got = alu_kernel(AluOp.SHR, imm, (np.arange(8),), values, profile=profile)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("imm", [32767, 32768, -32768, -32769, 100_000, -524_288])
def test_add_of_a_large_immediate_is_right(imm: int) -> None:
    values = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, (8, 16))
    got = alu_kernel(AluOp.ADD, imm, (np.arange(8),), values)
    np.testing.assert_array_equal(got, (values + imm).astype(np.int8))


@pytest.mark.parametrize("op", [AluOp.MIN, AluOp.MAX, AluOp.ADD])
@pytest.mark.parametrize("seed", range(5))
def test_register_form_with_any_reuse_keeps_the_order(op: AluOp, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-1000, 1000, (12, 16))
    dst, src = rng.integers(0, 6, 5), rng.integers(0, 6, 5)
    loops = [(3, 1, 2, 0), (2, 3, 1, 0)]
    expected = values.astype(np.int32)
    for i in range(3):
        for j in range(2):
            for d, s in zip(dst + i + 3 * j, src + 2 * i + j, strict=True):
                function = {AluOp.MIN: np.minimum, AluOp.MAX: np.maximum, AluOp.ADD: np.add}[op]
                expected[d] = function(expected[d], expected[s])
    for profile in ("hls-64bit", "chisel-64bit"):
        got = alu_kernel(op, None, (dst, src), values, loops, profile)
        np.testing.assert_array_equal(got, expected.astype(np.int8), f"seed {seed} {profile}")


def test_touched_agrees_with_every_index() -> None:
    rng = np.random.default_rng(8)
    for _ in range(100):
        nest = random_nest(rng)
        for name in ("dst", "src", "wgt"):
            assert nest.touched(name).tolist() == np.unique(getattr(nest.flat(), name)).tolist()


def test_very_long_loops_over_the_same_elements_are_one_instruction() -> None:
    b = KernelBuilder(CONFIG, auto_sync=True)
    b.push_alu(AluOp.ADD, b.uops(np.arange(4)), (16_383, 0, 0, 0), (16_383, 0, 0, 0), imm=1)
    assert (decode(b.build().words, CONFIG)["opcode"] == Opcode.ALU).sum() == 1


def test_loop_longer_than_its_field_is_split() -> None:
    loops = [(20_000, 0, 0, 0)]
    got = alu_kernel(AluOp.ADD, 1, (np.arange(4),), np.zeros((4, 16)), loops)
    np.testing.assert_array_equal(got, np.full((4, 16), 20_000).astype(np.int8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda b: b.push_gemm(b.uops(2040), (9, 1, 0, 0)),
            "GEMM: dst index must be in 0..2047 (accumulator buffer of 1x16_i8w8a32_15_15_18_17, "
            "profile hls-64bit), not 2048; use a smaller tile",
        ),
        (
            lambda b: b.push_gemm(b.uops(0, 0, 1), (2, 0, 0, -2)),
            "GEMM: wgt index must be in 0..1023 (weight buffer of 1x16_i8w8a32_15_15_18_17, "
            "profile hls-64bit), not -1; use a smaller tile",
        ),
        (
            lambda b: b.push_alu(AluOp.MUL, b.uops(0), imm=3),
            "ALU MUL: 1x16_i8w8a32_15_15_18_17 with profile hls-64bit must have the capability "
            "alu_mul, not lack it; multiply by shifts and additions or on the CPU",
        ),
        (
            lambda b: b.push_alu(AluOp.MAX, b.uops(0), imm=32768),
            "ALU MAX: imm must be in -32768..32767, not 32768; load the constant into the "
            "accumulator and use the register form",
        ),
        (
            lambda b: b.push_alu(AluOp.ADD, b.uops(0), (0, 1, 1, 0), imm=1),
            "ALU ADD: loop count must be at least 1, not 0",
        ),
        (
            lambda b: b.uops([1, 2], [1, 2, 3]),
            "micro-ops: dst, src and wgt must have one length, not 2, 3, 1",
        ),
    ],
)
def test_kernel_that_is_impossible_is_refused(call, message: str) -> None:
    b = KernelBuilder(CONFIG)
    with pytest.raises(KernelError) as error:
        call(b)
    assert str(error.value) == message
    assert len(b) == 0


def test_alu_on_chisel_with_batch_is_refused() -> None:
    b = KernelBuilder(HwConfig(log_batch=1), "chisel-64bit")
    with pytest.raises(KernelError, match="batch must be at most 1"):
        b.push_alu(AluOp.ADD, b.uops(0), imm=1)


def test_split_immediate_adds_up() -> None:
    for imm in (-524_288, -70_000, -1, 0, 5, 40_000, 524_272):
        parts = split_immediate(CONFIG, AluOp.ADD, imm)
        assert sum(parts) == imm
        assert all(-32768 <= part <= 32767 for part in parts)
