"""REQUANT from the kernel builder: forms, reuse, splitting, refusals, and against the ALU."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.machine import ORDERS, assert_clean, run_kernel, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.kernel import Kernel, KernelBuilder

ABLE = HwConfig().with_capabilities("alu_requant")
PROFILES = ("functional", "hls-64bit", "chisel-64bit", "vta1")


def exact(x: int, sources: list[int], shift: int, clip: tuple[int, int], bias: bool, mul: bool):
    """One lane with Python's integers; `sources` are the accumulators from the source index on."""
    if bias:
        x = (x + sources[0] + (1 << 31)) % (1 << 32) - (1 << 31)
    if mul:
        x *= (sources[bias] + (1 << 15)) % (1 << 16) - (1 << 15)
    x = (x + (1 << shift >> 1)) >> shift
    return min(max(x, clip[0]), clip[1])


def sequence(dst, src, loops):
    """Destination and source of every micro-op in order."""
    if not loops:
        yield from zip(dst.tolist(), src.tolist(), strict=True)
        return
    for i in range(loops[0][0]):
        yield from sequence(dst + i * loops[0][1], src + i * loops[0][2], loops[1:])


def model(values: np.ndarray, dst, src, loops, **what) -> np.ndarray:
    acc = [[int(v) for v in row] for row in values]
    for d, s in sequence(np.atleast_1d(dst), np.atleast_1d(src), loops):
        rows = [acc[s], acc[(s + 1) % ABLE.acc_depth]] if s + 1 < len(acc) else [acc[s], acc[s]]
        acc[d] = [exact(x, [r[i] for r in rows], **what) for i, x in enumerate(acc[d])]
    return np.array(acc)


def kernel_of(values, dst, src, loops, profile="hls-64bit", **what) -> Kernel:
    """Accumulators from DRAM, one operation, all of them stored."""
    b = KernelBuilder(ABLE, profile, auto_sync=True)
    count = len(values)
    x = b.dram("x", MemType.ACC, count, values.astype(np.int32))
    y = b.dram("y", MemType.OUT, count)
    b.load(MemType.ACC, 0, x, x=count)
    b.push_requant(b.uops(dst, src), *loops, **what)
    b.push_alu(AluOp.ADD, b.uops(0), (count, 1, 1, 0), imm=0)
    b.store(0, y, x=count)
    return b.build()


FORMS = [
    {"shift": 0, "clip": (-128, 127), "bias": False, "mul": False},
    {"shift": 9, "clip": (0, 127), "bias": True, "mul": False},
    {"shift": 31, "clip": (-100, 90), "bias": False, "mul": True},
    {"shift": 24, "clip": (-128, 127), "bias": True, "mul": True},
]


@pytest.mark.parametrize("what", FORMS, ids=str)
@pytest.mark.parametrize("profile", PROFILES)
def test_requant_any_form_is_right_on_every_profile(profile: str, what) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-(1 << 31), 1 << 31, (20, 16))
    loops = [(2, 8, 2, 0), (4, 1, 0, 0)]
    kernel = kernel_of(values, [0, 4], [16, 16], loops, profile, **what)
    assert_clean(kernel)
    expected = model(values, np.array([0, 4]), np.array([16, 16]), loops, **what)
    got = run_on_engine(kernel)["y"].view(np.int8).reshape(-1, 16)
    np.testing.assert_array_equal(got, expected.astype(np.int8))
    assert (decode(kernel.words, ABLE)["opcode"] == Opcode.REQUANT).sum() == 1


@pytest.mark.parametrize("what", FORMS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_requant_with_any_reuse_keeps_the_order(seed: int, what) -> None:
    """Destinations that are sources or multipliers, and destinations twice: split, then right."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-1 << 12, 1 << 12, (14, 16))
    dst, src = rng.integers(0, 6, 5), rng.integers(0, 6, 5)
    loops = [(3, 1, 2, 0), (2, 3, 1, 0)]
    what = what | {"shift": what["shift"] // 4}
    expected = model(values, dst, src, loops, **what).astype(np.int8)
    for profile in PROFILES:
        kernel = kernel_of(values, dst, src, loops, profile, **what)
        assert_clean(kernel)
        got = run_on_engine(kernel)["y"].view(np.int8).reshape(-1, 16)
        np.testing.assert_array_equal(got, expected, f"seed {seed} {profile}")


def test_requant_multiplier_after_the_last_accumulator_is_the_first() -> None:
    """The micro-op after the one that writes element 0 reads it as multiplier."""
    b = KernelBuilder(ABLE, "hls-64bit", auto_sync=True)
    last = ABLE.acc_depth - 1
    values = np.array([[3] * 16, [5] * 16], np.int32)
    x = b.dram("x", MemType.ACC, 2, values)
    y = b.dram("y", MemType.OUT, 2)
    for sram in (0, last - 1):
        b.load(MemType.ACC, sram, x, x=2)
    # ACC: 3 5 … 3 5. Element 0 becomes 3 + 3 = 6; element 1 becomes (5 + 5) * 6 = 60.
    b.push_requant(b.uops([0, 1], [last - 1, last]), bias=True, mul=True)
    b.store(0, y, x=2)
    kernel = b.build()
    assert_clean(kernel)
    got = run_on_engine(kernel)["y"].view(np.int8).reshape(2, 16)
    assert got[:, 0].tolist() == [min((3 + 3) * 5, 127), 127]
    assert (decode(kernel.words, ABLE)["opcode"] == Opcode.REQUANT).sum() == 2


def test_requant_with_does_what_the_quick_form_does() -> None:
    kernels = []
    for quick in (True, False):
        b = KernelBuilder(ABLE, "vta1", auto_sync=True)
        b.load(MemType.ACC, 0, b.dram("x", MemType.ACC, 20), x=20)
        if quick:
            b.push_requant(b.uops(0, 16), (2, 8, 2, 0), (8, 1, 0, 0), shift=7, bias=True, mul=True)
        else:
            with b.requant(7, bias=True, mul=True) as k, k.loop(2, dst=8, src=2), k.loop(8, dst=1):
                k.uop(0, 16)
        b.store(0, b.dram("y", MemType.OUT, 16), x=16)
        kernels.append(b.build())
    np.testing.assert_array_equal(kernels[0].words, kernels[1].words)
    insn = decode(kernels[0].words, ABLE)
    insn = insn[insn["opcode"] == Opcode.REQUANT][0]
    assert (insn["shift"], insn["clip_lo"], insn["clip_hi"]) == (7, -128, 127)
    assert (insn["use_bias"], insn["use_mul"], insn["src_factor_out"]) == (1, 1, 2)


def test_requant_without_operands_needs_no_source_index() -> None:
    b = KernelBuilder(ABLE)
    b.push_requant(b.uops(np.arange(4), 5000), shift=3)
    insn = decode(b.build().words, ABLE)
    insn = insn[insn["opcode"] == Opcode.REQUANT][0]
    assert insn["src_factor_in"] == insn["src_factor_out"] == insn["use_bias"] == 0


def test_requant_plan_may_be_issued_again() -> None:
    b = KernelBuilder(ABLE, "vta1", auto_sync=True)
    b.load(MemType.ACC, 0, b.dram("x", MemType.ACC, 8), x=8)
    uops = b.uops(np.arange(8))
    plan = b.plan_requant(uops, shift=2)
    assert plan.writes_out
    assert b.plan_requant(uops, shift=2) is plan
    assert b.plan_requant(uops, shift=3) is not plan
    for _ in range(3):
        b.issue(plan)
    kernel = b.build()
    assert (decode(kernel.words, ABLE)["opcode"] == Opcode.REQUANT).sum() == 3
    assert b.uop_loads == 1


def test_requant_result_may_be_stored_and_order_is_found() -> None:
    """auto_sync: stores wait for the operation, and it waits for the store before."""
    rng = np.random.default_rng(1)
    values = rng.integers(-(1 << 14), 1 << 14, (8, 16)).astype(np.int32)
    b = KernelBuilder(ABLE, auto_sync=True)
    x, y = b.dram("x", MemType.ACC, 8, values), b.dram("y", MemType.OUT, 16)
    for half in (0, 8):
        b.load(MemType.ACC, 0, x, x=8)
        b.push_requant(b.uops(np.arange(8)), shift=half // 2 + 4)
        b.store(0, y[half], x=8)
    kernel = b.build()
    want = np.concatenate([np.clip((values + (1 << s - 1)) >> s, -128, 127) for s in (4, 8)])
    for order in ORDERS:
        got = run_kernel(kernel, "hls", order)["y"].view(np.int8).reshape(16, 16)
        np.testing.assert_array_equal(got, want)
    assert_clean(kernel)


@pytest.mark.parametrize(
    ("config", "profile", "call", "message"),
    [
        (HwConfig(), "vta1", {},
         "REQUANT: 1x16_i8w8a32_15_15_18_17 must have the capability alu_requant, not lack it; "
         "use ADD, SHR, MAX and MIN"),
        (ABLE, "vta1", {"shift": 32}, "REQUANT: shift must be in 0..31, not 32"),
        (ABLE, "vta1", {"clip": (-129, 0)}, "REQUANT: clip_lo must be in -128..127, not -129"),
        (ABLE, "vta1", {"clip": (0, 128)}, "REQUANT: clip_hi must be in 0..127, not 128"),
        (ABLE, "vta1", {"clip": (9, 8)},
         "REQUANT: clip_lo must be at most clip_hi 8, not 9; exchange them"),
        (ABLE, "vta1", {"src": 2048, "bias": True},
         "REQUANT: src index must be in 0..2047 (accumulator buffer of "
         "1x16_i8w8a32_15_15_18_17+alu_requant, profile vta1), not 2048; use a smaller tile"),
        (HwConfig(log_batch=1).with_capabilities("alu_requant"), "chisel-64bit", {},
         "REQUANT: batch must be at most 1 (profile chisel-64bit), not 2; use another "
         "configuration"),
    ],
)  # fmt: skip
def test_requant_that_is_impossible_is_refused(config, profile, call, message: str) -> None:
    b = KernelBuilder(config, profile)
    what = dict(call)
    with pytest.raises(KernelError) as error:
        b.push_requant(b.uops(0, what.pop("src", 0)), **what)
    assert str(error.value) == message
    assert len(b) == 0


def test_requant_with_hazard_is_refused_on_request() -> None:
    b = KernelBuilder(ABLE, "hls-64bit", hazards="error")
    with pytest.raises(KernelError, match="accumulator 0 must be used again no earlier than 3"):
        b.push_requant(b.uops([0, 1], [5, 0]), bias=True)
    with pytest.raises(KernelError, match="accumulator 0 must be used again no earlier than 3"):
        b.push_requant(b.uops([0, 4], [7, ABLE.acc_depth - 1]), bias=True, mul=True)
    b.push_requant(b.uops([0, 1], [5, 0]))
