"""Small kernels that exercise one module each, with the results that numpy expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import Kernel, KernelBuilder, MicroOps
from vta_pynq.timing.profiles import HwProfile

__all__ = ["SELF_TESTS", "SelfTest"]

_TILES = 64
_ADDITIONS = 1200
"""More instructions than a queue holds (docs/isa.md, "Modules, queues, tokens")."""

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class SelfTest:
    """A kernel, the content of its buffers, and what buffer `y` must hold afterwards."""

    kernel: Kernel
    arrays: Mapping[str, Array]
    expected: Array


def _tiles(config: HwConfig) -> int:
    return min(_TILES, config.acc_depth, config.inp_depth)


def _accumulators(config: HwConfig, rng: np.random.Generator, tiles: int) -> Array:
    limit = 1 << (config.acc_width - 2)
    shape = (tiles, config.batch, config.block)
    return rng.integers(-limit, limit, shape).astype(f"<i{config.acc_width // 8}")


def _low_bits(config: HwConfig, values: Array) -> Array:
    return values.astype(f"<i{config.out_width // 8}")


def _start(config: HwConfig, profile: HwProfile, name: str) -> KernelBuilder:
    return KernelBuilder(config, profile, auto_sync=True, name=f"self-test of {name}")


def fetch_test(config: HwConfig, profile: HwProfile, rng: np.random.Generator) -> SelfTest:
    """Many instructions, each adding 1: the sum counts those that were executed."""
    b = _start(config, profile, "fetch")
    x, y = b.dram("x", MemType.ACC, 1), b.dram("y", MemType.OUT, 1)
    b.load(MemType.ACC, 0, x)
    one = b.uops(0, 0)
    for _ in range(_ADDITIONS):
        b.push_alu(AluOp.ADD, one, imm=1)
    b.store(0, y)
    data = _accumulators(config, rng, 1)
    return SelfTest(b.build(), {"x": data}, _low_bits(config, data + _ADDITIONS))


def load_test(config: HwConfig, profile: HwProfile, rng: np.random.Generator) -> SelfTest:
    """Inputs in rows with stride and padding, two weight tiles: sums of products of all."""
    columns, left, right, top, bottom = 4, 1, 1, 1, 1
    width = left + columns + right
    rows = max(1, min(8, _tiles(config) // width - top - bottom))
    height = top + rows + bottom
    pixels, stride = height * width, columns + 3
    b = _start(config, profile, "load")
    x = b.dram("x", MemType.INP, rows * stride)
    w = b.dram("w", MemType.WGT, 2)
    y = b.dram("y", MemType.OUT, pixels)
    pads = {"y_pad": (top, bottom), "x_pad": (left, right)}
    b.load(MemType.INP, 0, x, y=rows, x=columns, stride=stride, **pads)
    b.load(MemType.WGT, 0, w, x=2)
    forward = np.arange(pixels)
    every = MicroOps(forward, forward)
    b.push_gemm(every, reset=True)
    b.push_gemm(MicroOps(forward, forward, 0))
    b.push_gemm(MicroOps(forward, forward[::-1].copy(), 1))
    b.push_alu(AluOp.SHR, every, imm=4)
    b.store(0, y, x=pixels)

    batch, block = config.batch, config.block
    limit = 1 << (min(config.inp_width, config.wgt_width) - 1)
    inputs = rng.integers(-limit, limit, (rows, stride, batch, block)).astype(np.int8)
    weights = rng.integers(-limit, limit, (2, block, block)).astype(np.int8)
    image = np.zeros((height, width, batch, block), np.int64)
    image[top : top + rows, left : left + columns] = inputs[:, :columns]
    flat = image.reshape(pixels, batch, block)
    wide = weights.astype(np.int64)
    total = flat @ wide[0].T + flat[::-1] @ wide[1].T
    return SelfTest(b.build(), {"x": inputs, "w": weights}, _low_bits(config, total >> 4))


def compute_test(config: HwConfig, profile: HwProfile, rng: np.random.Generator) -> SelfTest:
    """Accumulators through every ALU operation, with registers and immediates."""
    half = _tiles(config) // 2
    b = _start(config, profile, "compute")
    x, y = b.dram("x", MemType.ACC, 2 * half), b.dram("y", MemType.OUT, half)
    b.load(MemType.ACC, 0, x, x=2 * half)
    index = np.arange(half)
    first, pairs = MicroOps(index, index), MicroOps(index, half + index)
    b.push_alu(AluOp.ADD, pairs)
    b.push_alu(AluOp.SHR, first, imm=config.acc_width - 2 - 15)
    b.push_alu(AluOp.MAX, first, imm=-9000)
    b.push_alu(AluOp.MIN, first, imm=9000)
    b.push_alu(AluOp.ADD, first, imm=-77)
    b.push_alu(AluOp.SHR, first, imm=6)
    b.push_alu(AluOp.SHR, first, imm=-1)
    b.store(0, y, x=half)
    data = _accumulators(config, rng, 2 * half)
    total = data[:half].astype(np.int64) + data[half:]
    bounded = np.clip(total >> (config.acc_width - 2 - 15), -9000, 9000) - 77
    return SelfTest(b.build(), {"x": data}, _low_bits(config, (bounded >> 6) << 1))


def store_test(config: HwConfig, profile: HwProfile, rng: np.random.Generator) -> SelfTest:
    """Rows stored with a stride: the tiles between them stay zero."""
    rows, columns, stride = _tiles(config) // 4, 4, 7
    b = _start(config, profile, "store")
    x, y = b.dram("x", MemType.ACC, rows * columns), b.dram("y", MemType.OUT, rows * stride)
    b.load(MemType.ACC, 0, x, x=rows * columns)
    index = np.arange(rows * columns)
    b.push_alu(AluOp.ADD, MicroOps(index, index), imm=0)
    b.store(0, y, y=rows, x=columns, stride=stride)
    data = _accumulators(config, rng, rows * columns)
    expected = np.zeros((rows, stride, config.batch, config.block), np.int64)
    expected[:, :columns] = data.reshape(rows, columns, config.batch, config.block)
    return SelfTest(b.build(), {"x": data}, _low_bits(config, expected))


SELF_TESTS: Mapping[str, Callable[[HwConfig, HwProfile, np.random.Generator], SelfTest]] = {
    "fetch": fetch_test,
    "store": store_test,
    "compute": compute_test,
    "load": load_test,
}
"""By module, in an order in which each relies only on those before it."""
