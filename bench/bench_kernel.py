"""Instructions per second that the kernel builder emits, one line a case; run it as a script."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.kernel import KernelBuilder
from vta_pynq.profile.figures import Row, median_s

NAME = "kernel builder"
CONFIG = HwConfig()


def _tiles(count: int, auto_sync: bool) -> KernelBuilder:
    """A blocked matrix multiply's inner loop: load, load, GEMM, with tokens."""
    b = KernelBuilder(CONFIG, auto_sync=auto_sync, insn_limit=1 << 20)
    x = b.dram("x", MemType.INP, 64)
    w = b.dram("w", MemType.WGT, 64)
    ops = [b.uops(np.arange(16), 16 * k, 16 * k + np.arange(16)) for k in range(2)]
    loops = ((16, 16, 1, 0),)
    for step in range(count):
        half = step & 1
        if not auto_sync and step >= 2:
            b.pop(Module.COMPUTE, Module.LOAD)
        b.load(MemType.INP, 16 * half, x[16 * half], x=16)
        b.load(MemType.WGT, 16 * half, w[16 * half], x=16)
        if not auto_sync:
            b.push(Module.LOAD, Module.COMPUTE)
            b.pop(Module.LOAD, Module.COMPUTE)
        b.push_gemm(ops[half], *loops)
        if not auto_sync:
            b.push(Module.COMPUTE, Module.LOAD)
    return b


def _bulk(count: int) -> KernelBuilder:
    b = KernelBuilder(CONFIG, insn_limit=1 << 22)
    x = b.dram("x", MemType.INP, 64)
    records = np.zeros(count, INSN_DTYPE)
    records["opcode"], records["memory_type"] = Opcode.LOAD, MemType.INP
    records["x_size"] = records["y_size"] = 1
    records["sram_base"] = records["dram_base"] = np.arange(count) % 64
    b.append(records, np.full(count, x.index))
    return b


CASES: dict[str, Callable[[int], KernelBuilder]] = {
    "explicit tokens": lambda n: _tiles(n, False),
    "auto_sync": lambda n: _tiles(n, True),
    "append": lambda n: _bulk(3 * n),
}


def run(quick: bool) -> list[Row]:
    """Instructions a second that each way of emitting gives."""
    count = 2_000 if quick else 20_000
    rows = []
    for name, case in CASES.items():
        emitted = len(case(count))
        seconds, spread = median_s(lambda case=case: case(count), 3 if quick else 5)
        note = f"{emitted:,} instructions"
        rows.append(Row(name, emitted / seconds, "insn/s", None, note, spread))
    return rows


def main() -> None:
    """Print instructions per second of thread time, the best of several runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000, help="tiles to emit")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    for name, case in CASES.items():
        best = 0.0
        for _ in range(arguments.repeat):
            begin = time.thread_time()
            builder = case(arguments.count)
            best = max(best, len(builder) / (time.thread_time() - begin))
        print(f"kernel builder, {name}: {best:,.0f} instructions/s")


if __name__ == "__main__":
    main()
