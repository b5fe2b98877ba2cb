"""Explicit tokens, submissions, debug options, bulk appending, linking."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest

from tests.kernel.machine import ORDERS, assert_clean, run_kernel, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import INSN_DTYPE, decode
from vta_pynq.isa.table import AluOp, MemType, Module, Opcode
from vta_pynq.kernel import Debug, Kernel, KernelBuilder

CONFIG = HwConfig()
LOAD, COMPUTE, STORE = Module.LOAD, Module.COMPUTE, Module.STORE


def pipeline(steps: int, **options) -> tuple[KernelBuilder, np.ndarray, np.ndarray]:
    """y[k] = x[k] @ w.T with explicit tokens and two halves of each buffer."""
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 5, (steps, 16)).astype(np.int8)
    w = rng.integers(-5, 5, (16, 16)).astype(np.int8)
    b = KernelBuilder(CONFIG, **options)
    dx, dw = b.dram("x", MemType.INP, steps, x), b.dram("w", MemType.WGT, 1, w)
    dy = b.dram("y", MemType.OUT, steps)
    b.load(MemType.WGT, 0, dw)
    for k in range(steps):
        half = k % 2
        if k >= 2:
            b.pop("g2l")
        b.load(MemType.INP, half, dx[k])
        b.push("l2g")
        if k >= 2:
            b.pop("s2g")
        b.push_gemm(b.uops(half), reset=True)
        b.pop("l2g")
        b.push_gemm(b.uops(half, half, 0))
        if k + 2 < steps:
            b.push("g2l")
        b.push("g2s")
        b.pop("g2s")
        b.store(half, dy[k])
        if k + 2 < steps:
            b.push("s2g")
    return b, (x.astype(int) @ w.T.astype(int)).astype(np.int8), x


@pytest.mark.parametrize("options", [{}, {"debug": Debug(force_serial=True)}], ids=str)
def test_explicit_tokens_give_the_right_result(options) -> None:
    b, expected, _ = pipeline(9, **options)
    kernel = b.build()
    for order in ORDERS:
        got = run_kernel(kernel, "hls", order)["y"].view(np.int8).reshape(-1, 16)
        np.testing.assert_array_equal(got, expected)
    assert_clean(kernel)


@pytest.mark.parametrize("limit", [32, 40, 47, 64])
def test_explicit_tokens_survive_the_end_of_a_submission(limit: int) -> None:
    b, expected, _ = pipeline(40, insn_limit=limit)
    kernel = b.build()
    assert len(kernel.submissions) > 2
    assert all(end - begin <= limit for begin, end in kernel.submissions)
    for order in ORDERS[::3]:
        got = run_kernel(kernel, "hls", order)["y"].view(np.int8).reshape(-1, 16)
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(
        run_on_engine(kernel)["y"].view(np.int8).reshape(-1, 16), expected
    )


def test_synchronize_between_push_and_pop_keeps_the_stream_balanced() -> None:
    b = KernelBuilder(CONFIG)
    x = b.dram("x", MemType.INP, 1)
    b.load(MemType.INP, 0, x)
    b.push(LOAD, COMPUTE)
    b.synchronize()
    b.load(MemType.INP, 0, x)
    kernel = b.build()
    assert len(kernel.submissions) == 2
    run_kernel(kernel)  # asserts that no token is left


def test_push_without_an_instruction_inserts_one() -> None:
    b = KernelBuilder(CONFIG)
    b.push("g2l")
    b.push("g2l")
    b.pop("g2l")
    b.pop("g2l")
    b.load(MemType.INP, 0, b.dram("x", MemType.INP, 1))
    kernel = b.build()
    insns = decode(kernel.words, CONFIG)
    assert insns["push_prev"][:2].tolist() == [1, 1]
    assert insns["x_size"][:4].tolist() == [0, 0, 0, 1]
    run_kernel(kernel)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda b: b.push(LOAD, STORE),
            "token: must be one of l2g (LOAD to COMPUTE), g2l (COMPUTE to LOAD), g2s (COMPUTE to "
            "STORE), s2g (STORE to COMPUTE), not LOAD to STORE; LOAD and STORE meet by way of "
            "COMPUTE",
        ),
        (
            lambda b: (b.pop("l2g"), b.push_gemm(b.uops(0), reset=True), b.build()),
            "builder: token l2g must be pushed once for each pop, not less; push it before "
            "synchronize()",
        ),
        (lambda b: b.build(), "builder: kernel must have instructions, not none"),
        (lambda b: b.dram("uops", MemType.INP, 1),
         "buffer 'uops': name must be unused, not taken; choose another"),
        (lambda b: b.dram("x", MemType.INP, 0), "buffer 'x': elems must be at least 1, not 0"),
        (
            lambda b: b.dram("x", MemType.INP, 1, np.zeros(17, np.uint8)),
            "buffer 'x': data must have at most 16 bytes (1 INP elements), not 17",
        ),
    ],
)  # fmt: skip
def test_misuse_is_refused(call, message: str) -> None:
    b = KernelBuilder(CONFIG)
    with pytest.raises(KernelError) as error:
        call(b)
    assert str(error.value) == message


def test_tokens_with_auto_sync_are_refused() -> None:
    b = KernelBuilder(CONFIG, auto_sync=True)
    with pytest.raises(KernelError, match="tokens must be left to auto_sync"):
        b.push("l2g")


def test_constructor_refuses_what_it_cannot_do() -> None:
    with pytest.raises(KernelError, match="insn_limit must be at least 32 instructions, not 3"):
        KernelBuilder(CONFIG, insn_limit=3)
    with pytest.raises(KernelError, match="hazards must be 'split' or 'error', not 'no'"):
        KernelBuilder(CONFIG, hazards="no")  # type: ignore[arg-type]
    with pytest.raises(KernelError, match="disable must name LOAD, COMPUTE or STORE"):
        Debug(disable=frozenset({Module.FETCH}))


def test_force_serial_refuses_a_pop_before_its_push() -> None:
    b = KernelBuilder(CONFIG, debug=Debug(force_serial=True))
    with pytest.raises(KernelError, match="must be pushed before it is popped with force_serial"):
        b.pop("g2l")


@pytest.mark.parametrize("module", [LOAD, COMPUTE, STORE])
def test_disabled_module_passes_tokens_and_does_nothing(module: Module) -> None:
    plain, expected, _ = pipeline(6)
    b, _, _ = pipeline(6, debug=Debug(disable=frozenset({module})))
    whole, part = decode(plain.build().words, CONFIG), decode(b.build().words, CONFIG)
    flags = ["pop_prev", "pop_next", "push_prev", "push_next"]
    assert whole[flags].tolist() == part[flags].tolist()
    kernel = b.build()
    got = run_kernel(kernel, "functional")["y"].view(np.int8).reshape(-1, 16)
    assert not np.array_equal(got, expected)
    if module == COMPUTE:
        assert not np.isin(part["opcode"], [Opcode.GEMM, Opcode.ALU]).any()
        assert part["opcode"][-1] == Opcode.FINISH


def test_dump_shows_instructions_and_micro_ops() -> None:
    insns, uops = io.StringIO(), io.StringIO()
    b = KernelBuilder(CONFIG, auto_sync=True, debug=Debug(dump_insns=insns, dump_uops=uops))
    x = b.dram("x", MemType.INP, 8)
    with b.label("first"):
        b.load(MemType.INP, 0, x[4], x=4)
    b.push_gemm(b.uops([3, 4]), reset=True)
    b.build()
    assert insns.getvalue().splitlines() == [
        "; first",
        "     0  LOAD.INP push_next dram_base=0x4 y_size=1 x_size=4 x_stride=4  ; x[4]",
        "     1  LOAD.UOP y_size=1 x_size=2 x_stride=2  ; uops[0]",
        "     2  GEMM reset uop_end=2 iter_out=1 iter_in=1",
        "     3  LOAD.UOP pop_prev",
        "     4  FINISH",
        "; end of submission",
    ]
    assert uops.getvalue().splitlines() == [
        "     0  dst 3 src 0 wgt 0",
        "     1  dst 4 src 0 wgt 0",
    ]


def test_append_emits_records_with_relocations() -> None:
    data = np.arange(64, dtype=np.int32).repeat(16)
    b = KernelBuilder(CONFIG)
    x, y = b.dram("x", MemType.ACC, 64, data), b.dram("y", MemType.OUT, 64)
    records = np.zeros(64, INSN_DTYPE)
    records["opcode"], records["memory_type"] = Opcode.LOAD, MemType.ACC
    records["x_size"] = records["y_size"] = 1
    records["sram_base"] = np.arange(64)
    records["dram_base"] = np.arange(64)[::-1]
    b.append(records, np.full(64, x.index))
    b.push_alu(AluOp.ADD, b.uops(0), (64, 1, 1, 0), imm=1)
    b.push("g2s")
    b.pop("g2s")
    b.store(0, y, x=64)
    kernel = b.build()
    got = run_on_engine(kernel)["y"].view(np.int8).reshape(64, 16)
    np.testing.assert_array_equal(got[:, 0], np.arange(64, 0, -1))
    assert_clean(kernel)


def test_append_refuses_finish_and_inserted_tokens() -> None:
    records = np.zeros(2, INSN_DTYPE)
    records["opcode"] = [Opcode.STORE, Opcode.FINISH]
    with pytest.raises(KernelError, match="instruction 1 must be a move"):
        KernelBuilder(CONFIG).append(records)
    with pytest.raises(KernelError, match="at most 8 at once .insn_limit 32., not 9"):
        KernelBuilder(CONFIG, insn_limit=32).append(np.zeros(9, INSN_DTYPE))
    with pytest.raises(KernelError, match="not use auto_sync"):
        KernelBuilder(CONFIG, auto_sync=True).append(records[:1])


def test_guide_example_runs_and_agrees() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "kernel-builder.md").read_text()
    names: dict[str, Kernel] = {}
    exec(re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1], names)  # type: ignore[index]
    assert_clean(names["kernel"])
    assert (run_on_engine(names["kernel"])["y"] == 16 >> 2).all()


def small_kernel() -> Kernel:
    b = KernelBuilder(CONFIG, auto_sync=True, name="small")
    with b.label("load"):
        b.load(MemType.WGT, 0, b.dram("w", MemType.WGT, 2)[1])
    return b.build()


def test_link_adds_addresses_in_elements() -> None:
    kernel = small_kernel()
    words = kernel.link({"w": 0x10000})
    assert decode(words, CONFIG)["dram_base"][0] == 0x10000 // 256 + 1
    assert decode(kernel.words, CONFIG)["dram_base"][0] == 1
    stream = kernel.stream()
    assert [label.name for label in stream.labels] == ["load"]


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ({}, "must be given, not left out; pass one for each buffer"),
        ({"w": 0x1080}, "must be a multiple of 256 bytes (one WGT element), not 0x1080; use 4 KiB "
                        "alignment"),
        ({"w": (1 << 32) - 256}, "must be in 0..2^32-512, not 0xffffff00"),
    ],
)  # fmt: skip
def test_link_with_a_bad_address_is_refused(addresses, message: str) -> None:
    with pytest.raises(KernelError) as error:
        small_kernel().link(addresses)
    assert str(error.value) == f"kernel 'small': address of buffer 'w' {message}"


def test_build_twice_goes_on() -> None:
    b = KernelBuilder(CONFIG, auto_sync=True)
    w = b.dram("w", MemType.WGT, 2)
    b.load(MemType.WGT, 0, w)
    first = b.build()
    b.load(MemType.WGT, 1, w[1])
    second = b.build()
    assert len(first.submissions) == 1
    assert len(second.submissions) == 2
    np.testing.assert_array_equal(second.words[: len(first)], first.words)


def test_nest_refuses_micro_ops_beside_a_loop() -> None:
    b = KernelBuilder(CONFIG)
    with pytest.raises(KernelError, match="GEMM: micro-ops must stand in the innermost loop"):  # noqa: SIM117
        with b.gemm() as k, k.loop(2, dst=1):
            k.uop(0)
            with k.loop(2):
                pass
