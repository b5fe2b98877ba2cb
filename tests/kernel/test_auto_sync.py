"""Random programs: inserted tokens suffice whatever module runs first, and leave none over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.kernel.machine import ORDERS, assert_clean, run_kernel, run_on_engine
from tests.kernel.peak import peak_tokens
from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import Debug, Kernel, KernelBuilder
from vta_pynq.timing.profiles import HLS_64BIT

SMALL = {"log_uop_buff_size": 7, "log_inp_buff_size": 9, "log_wgt_buff_size": 11}
CONFIGS = {
    "default": HwConfig(),
    "small": HwConfig(**SMALL, log_acc_buff_size=11),
    "requant": HwConfig(**SMALL, log_acc_buff_size=11).with_capabilities("alu_requant"),
    "batch": HwConfig(**(SMALL | {"log_inp_buff_size": 10}), log_batch=1, log_acc_buff_size=12),
    "narrow": HwConfig(
        log_batch=2, log_block=3, log_uop_buff_size=7, log_inp_buff_size=10,
        log_wgt_buff_size=10, log_acc_buff_size=12,
    ),
    "wide": HwConfig(
        log_block=5, log_uop_buff_size=7, log_inp_buff_size=10, log_wgt_buff_size=13,
        log_acc_buff_size=12,
    ),
}  # fmt: skip


class Sequential:
    """The same calls as `KernelBuilder`'s, carried out at once on numpy arrays."""

    def __init__(self, config: HwConfig, dram: dict[str, np.ndarray]) -> None:
        self.dram = dram
        rows = (config.batch, config.block)
        self.inp = np.zeros((config.inp_depth, *rows), np.int64)
        self.acc = np.zeros((config.acc_depth, *rows), np.int64)
        self.wgt = np.zeros((config.wgt_depth, config.block, config.block), np.int64)

    def load(self, mem, sram, name, offset, y, x, stride, y_pad, x_pad):
        target = {MemType.INP: self.inp, MemType.WGT: self.wgt, MemType.ACC: self.acc}[mem]
        width = x_pad[0] + x + x_pad[1]
        image = np.zeros((y_pad[0] + y + y_pad[1], width, *target.shape[1:]), np.int64)
        for row in range(y):
            begin = offset + row * stride
            source = self.dram[name][begin : begin + x]
            image[y_pad[0] + row, x_pad[0] : x_pad[0] + x] = source
        flat = image.reshape(-1, *target.shape[1:])
        target[sram : sram + len(flat)] = flat

    def store(self, sram, name, offset, y, x, stride):
        for row in range(y):
            begin = offset + row * stride
            values = self.acc[sram + row * x : sram + (row + 1) * x]
            self.dram[name][begin : begin + x] = values.astype(np.int8)

    def gemm(self, uops, loops, reset):
        for dst, src, wgt in _sequence(uops, loops):
            if reset:
                self.acc[dst] = 0
            else:
                total = self.acc[dst] + self.inp[src] @ self.wgt[wgt].T
                self.acc[dst] = total.astype(np.int32)

    def alu(self, op, uops, loops, imm):
        for dst, src, _ in _sequence(uops, loops):
            x, y = self.acc[dst], self.acc[src] if imm is None else np.int64(imm)
            if op == AluOp.SHR:
                y = np.broadcast_to(y, x.shape)
                x = np.where(y >= 0, x >> np.clip(y, 0, 63), x << np.clip(-y, 0, 63))
            else:
                x = {AluOp.MIN: np.minimum, AluOp.MAX: np.maximum, AluOp.ADD: np.add}[op](x, y)
            self.acc[dst] = x.astype(np.int32)

    def requant(self, uops, loops, shift, clip, bias, mul):
        for dst, src, _ in _sequence(uops, loops):
            x = self.acc[dst]
            if bias:
                x = (x + self.acc[src]).astype(np.int32).astype(np.int64)
            if mul:
                x = x * self.acc[(src + bias) % len(self.acc)].astype(np.int16)
            self.acc[dst] = np.clip((x + (1 << shift >> 1)) >> shift, *clip)


def _sequence(uops, loops):
    if loops:
        count, dst, src, wgt = loops[0]
        for i in range(count):
            for uop in _sequence(uops, loops[1:]):
                yield uop[0] + i * dst, uop[1] + i * src, uop[2] + i * wgt
    else:
        yield from zip(*uops, strict=True)


class RandomProgram:
    """Drives a builder and the sequential model with the same random calls."""

    def __init__(self, config: HwConfig, seed: int, **options: object) -> None:
        self.rng, self.config = np.random.default_rng(seed), config
        self.builder = KernelBuilder(config, **options)
        rows = (config.batch, config.block)
        self.elems = 24
        shapes = {
            "x": (MemType.INP, rows, np.int8),
            "w": (MemType.WGT, (config.block, config.block), np.int8),
            "b": (MemType.ACC, rows, np.int32),
            "y": (MemType.OUT, rows, np.int8),
        }
        self.buffers, dram = {}, {}
        for name, (mem, shape, dtype) in shapes.items():
            data = self.rng.integers(-100, 100, (self.elems, *shape)).astype(dtype)
            dram[name] = data.copy()
            self.buffers[name] = self.builder.dram(name, mem, self.elems, data)
        self.model = Sequential(config, dram)
        self.valid = np.zeros(config.acc_depth, bool)
        self.zone = {
            MemType.INP: min(24, config.inp_depth),
            MemType.WGT: min(12, config.wgt_depth),
            MemType.ACC: min(24, config.acc_depth),
        }
        for mem, name in ((MemType.INP, "x"), (MemType.WGT, "w"), (MemType.ACC, "b")):
            self._load(mem, 0, name, 0, 1, self.zone[mem], self.zone[mem], (0, 0), (0, 0))

    def _load(self, mem, sram, name, offset, y, x, stride, y_pad, x_pad):
        place = self.buffers[name][offset]
        self.builder.load(mem, sram, place, y, x, stride, y_pad, x_pad)
        self.model.load(mem, sram, name, offset, y, x, stride, y_pad, x_pad)
        if mem == MemType.ACC:
            count = (sum(y_pad) + y) * (sum(x_pad) + x)
            self.valid[sram : sram + count] = False

    def step(self) -> None:
        kinds = ["load", "load", "gemm", "gemm", "alu", "store"]
        if self.config.has(Capability.ALU_REQUANT):
            kinds += ["requant", "requant"]
        getattr(self, self.rng.choice(kinds))()

    def load(self) -> None:
        rng = self.rng
        mem = MemType(rng.choice([MemType.INP, MemType.WGT, MemType.ACC]))
        # What STORE wrote is loaded as an input again: order by way of DRAM.
        name = {MemType.INP: rng.choice(["x", "y"]), MemType.WGT: "w", MemType.ACC: "b"}[mem]
        y, x = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        stride = int(rng.integers(x, 7))
        pads = [(0, 0), (0, 0)]
        if mem != MemType.WGT and rng.random() < 0.3:
            pads = [tuple(map(int, rng.integers(0, 2, 2))) for _ in range(2)]
        count = (sum(pads[0]) + y) * (sum(pads[1]) + x)
        if count > self.zone[mem]:
            return
        sram = int(rng.integers(0, self.zone[mem] - count + 1))
        offset = int(rng.integers(0, self.elems - (y - 1) * stride - x + 1))
        self._load(mem, sram, str(name), offset, y, x, stride, *pads)

    def _nest(self, with_wgt: bool):
        rng = self.rng
        n = int(rng.integers(1, 5))
        counts = [int(c) for c in rng.integers(1, 4, int(rng.integers(0, 3)))]
        limits = [self.zone[MemType.ACC], self.zone[MemType.INP if with_wgt else MemType.ACC]]
        limits.append(self.zone[MemType.WGT])
        steps = [[int(s) for s in rng.integers(0, 2 + (m > 8), len(counts))] for m in limits]
        reach = [sum((c - 1) * s for c, s in zip(counts, st, strict=True)) for st in steps]
        uops = [rng.integers(0, m - r, n) for m, r in zip(limits, reach, strict=True)]
        loops = [(c, steps[0][k], steps[1][k], steps[2][k]) for k, c in enumerate(counts)]
        return uops, loops

    def gemm(self) -> None:
        reset = bool(self.rng.random() < 0.2)
        uops, loops = self._nest(True)
        self.builder.push_gemm(self.builder.uops(*uops), *loops, reset=reset)
        self.model.gemm(uops, loops, reset)
        self.valid[[d for d, _, _ in _sequence(uops, loops)]] = not reset

    def alu(self) -> None:
        op = AluOp(self.rng.choice([AluOp.MIN, AluOp.MAX, AluOp.ADD, AluOp.SHR]))
        uops, loops = self._nest(False)
        imm = int(self.rng.integers(-200, 200))
        if op == AluOp.SHR:
            imm = int(self.rng.integers(-3, 40))
        elif self.rng.random() < 0.5:
            imm = None
        self.builder.push_alu(op, self.builder.uops(*uops), *loops, imm=imm)
        if imm is not None:
            uops, loops = [uops[0]] * 3, [(c, d, d, 0) for c, d, _, _ in loops]
        self.model.alu(op, uops, loops, imm)
        self.valid[[d for d, _, _ in _sequence(uops, loops)]] = True

    def requant(self) -> None:
        rng = self.rng
        uops, loops = self._nest(False)
        what = {
            "shift": int(rng.integers(0, 12)),
            "clip": (int(rng.integers(-128, 0)), int(rng.integers(0, 128))),
            "bias": bool(rng.integers(2)),
            "mul": bool(rng.integers(2)),
        }
        if what["bias"] and what["mul"]:  # the element after the last source was loaded, too
            uops[1] = np.maximum(uops[1] - 1, 0)
        self.builder.push_requant(self.builder.uops(*uops), *loops, **what)
        self.model.requant(uops, loops, **what)
        self.valid[[d for d, _, _ in _sequence(uops, loops)]] = True

    def store(self) -> None:
        y, x = int(self.rng.integers(1, 3)), int(self.rng.integers(1, 4))
        stride = int(self.rng.integers(x, 7))
        sram = int(self.rng.integers(0, self.zone[MemType.ACC] - x * y + 1))
        if not self.valid[sram : sram + x * y].all():
            return
        offset = int(self.rng.integers(0, self.elems - (y - 1) * stride - x + 1))
        self.builder.store(sram, self.buffers["y"][offset], y, x, stride)
        self.model.store(sram, "y", offset, y, x, stride)

    def finish(self, steps: int) -> tuple[Kernel, np.ndarray]:
        for _ in range(steps):
            self.step()
        return self.builder.build(), self.model.dram["y"]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("seed", range(2))
def test_auto_sync_random_program_agrees_in_every_order(config: HwConfig, seed: int) -> None:
    program = RandomProgram(config, seed, auto_sync=True)
    kernel, expected = program.finish(60)
    for order in ORDERS:
        got = run_kernel(kernel, "hls", order)["y"].view(np.int8).reshape(expected.shape)
        np.testing.assert_array_equal(got, expected, f"seed {seed}, order {order}")
    assert_clean(kernel)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_auto_sync_random_program_agrees_on_engine_in_random_order(config: HwConfig) -> None:
    for seed in range(1000, 1008):
        kernel, expected = RandomProgram(config, seed, auto_sync=True).finish(50)
        for order_seed in range(4):
            got = run_on_engine(kernel, order_seed=order_seed)["y"].view(np.int8)
            message = f"seed {seed}, order seed {order_seed}"
            np.testing.assert_array_equal(got.reshape(expected.shape), expected, message)


@pytest.mark.parametrize("profile", ["functional", "hls-64bit", "chisel-64bit"])
@pytest.mark.parametrize("seed", range(3))
def test_auto_sync_random_program_agrees_on_profile(profile: str, seed: int) -> None:
    program = RandomProgram(CONFIGS["small"], 100 + seed, auto_sync=True, profile=profile)
    kernel, expected = program.finish(60)
    for order in ORDERS[::2]:
        got = run_kernel(kernel, profile.split("-")[0], order)["y"]
        np.testing.assert_array_equal(got.view(np.int8).reshape(expected.shape), expected)
    assert_clean(kernel)


@pytest.mark.parametrize("seed", range(4))
def test_auto_sync_small_instruction_limit_splits_into_right_submissions(seed: int) -> None:
    program = RandomProgram(CONFIGS["small"], 200 + seed, auto_sync=True, insn_limit=32)
    kernel, expected = program.finish(80)
    assert len(kernel.submissions) > 3
    assert all(end - begin <= 32 for begin, end in kernel.submissions)
    for order in ORDERS[:3]:
        got = run_kernel(kernel, "hls", order)["y"]
        np.testing.assert_array_equal(got.view(np.int8).reshape(expected.shape), expected)


@pytest.mark.parametrize("auto_sync", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_force_serial_random_program_needs_no_other_token(seed: int, auto_sync: bool) -> None:
    debug = Debug(force_serial=True)
    program = RandomProgram(CONFIGS["small"], 300 + seed, auto_sync=auto_sync, debug=debug)
    kernel, expected = program.finish(50)
    for order in ORDERS[:3]:
        got = run_kernel(kernel, "hls", order)["y"]
        np.testing.assert_array_equal(got.view(np.int8).reshape(expected.shape), expected)


def test_auto_sync_without_one_token_fails_in_some_order() -> None:
    """The comparison of orders would notice a missing token."""
    program = RandomProgram(CONFIGS["small"], 7, auto_sync=True)
    program.builder._tracker.compute = lambda *args: None  # type: ignore[union-attr, method-assign]
    kernel, expected = program.finish(60)
    outcomes = [run_kernel(kernel, "hls", order)["y"] for order in ORDERS]
    wrong = [
        not np.array_equal(o.view(np.int8).reshape(expected.shape), expected) for o in outcomes
    ]
    assert any(wrong)


def test_auto_sync_repeated_use_needs_one_token() -> None:
    config = CONFIGS["default"]
    b = KernelBuilder(config, auto_sync=True)
    x, w = b.dram("x", MemType.INP, 4), b.dram("w", MemType.WGT, 4)
    b.load(MemType.INP, 0, x, x=4)
    b.load(MemType.WGT, 0, w, x=4)
    uops = b.uops(np.arange(4), 0, np.arange(4))
    for _ in range(3):
        b.push_gemm(uops)
    insns = decode(b.build().words, config)
    assert insns["push_next"][:2].tolist() == [0, 1]
    assert insns["pop_prev"].sum() == 1


@pytest.mark.parametrize("capacity", [2, 5])
def test_auto_sync_counter_never_holds_more_than_its_capacity(capacity: int) -> None:
    profile = dataclasses.replace(HLS_64BIT, token_capacity=capacity)
    config = CONFIGS["default"]
    b = KernelBuilder(config, profile, auto_sync=True)
    x, w = b.dram("x", MemType.INP, 64), b.dram("w", MemType.WGT, 64)
    b.load(MemType.WGT, 0, w)
    for k in range(64):
        b.load(MemType.INP, k, x[k])
    for k in range(64):
        b.push_gemm(b.uops(k % 8, k, 0))
    for k in range(64):
        b.load(MemType.INP, k, x[k])
    for k in range(64):
        b.push_gemm(b.uops(k % 8, k, 0))
    kernel = b.build()
    for order in ORDERS:
        run_kernel(kernel, "hls", order)
        assert 0 < max(peak_tokens(kernel.streams()[0], order).values()) <= capacity
