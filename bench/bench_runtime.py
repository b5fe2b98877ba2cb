"""The runtime's own cost on the simulated device: `python bench/bench_runtime.py`.

The host overhead is that of a program which holds nothing but FINISH: everything that is left is
the driver, the runtime and the simulator's hand-over.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.kernel import KernelBuilder, MicroOps
from vta_pynq.overlay import VtaOverlay
from vta_pynq.profile.figures import Row, median_s
from vta_pynq.program import Arena, ArenaKind, Program, Tensor, VtaStep
from vta_pynq.sim.device import SimDevice, activate

NAME = "runtime"
CONFIG = HwConfig()
TARGET_US = 200.0
TARGET_ACCESSES = 16
PER_CALL = 20


def empty_program() -> Program:
    """A program of one instruction, FINISH; its output is never written."""
    finish = np.zeros(1, INSN_DTYPE)
    finish["opcode"] = Opcode.FINISH
    return Program(
        model="empty",
        config=CONFIG,
        words=encode(finish, CONFIG),
        steps=(VtaStep("finish", 0, 1, (), ("y",)),),
        arenas=(Arena("y", ArenaKind.OUTPUT, 1, 64),),
        tensors=(Tensor("y", (1,), "int8", "C", "y", 0),),
        inputs=(),
        outputs=("y",),
    )


def wall_s(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall time of `call` in seconds and its relative spread."""
    call()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    low, middle, high = statistics.quantiles(seconds, n=4)
    return middle, (high - low) / middle


def run(quick: bool) -> list[Row]:
    """Overhead of one run in time and register accesses, of loading, of a kernel."""
    repeats = 20 if quick else 200
    overlay = VtaOverlay(CONFIG.name, device=activate(SimDevice(tag="bench")))
    rows = []
    with overlay.load(empty_program()) as model:

        def batch() -> None:
            for _ in range(PER_CALL):
                model.run()

        median, spread = wall_s(model.run, repeats * PER_CALL)
        rows.append(
            Row("empty program, wall", median * 1e6, "us", TARGET_US,
                "model.run() on the simulated device", spread)
        )  # fmt: skip
        median, spread = median_s(batch, repeats)
        rows.append(
            Row("empty program, CPU", median / PER_CALL * 1e6, "us", None,
                "CPU time of the calling thread", spread)
        )  # fmt: skip
        before = overlay.device.bus_accesses
        model.run()
        count = overlay.device.bus_accesses - before
        rows.append(
            Row("empty program, registers", count, "accesses", TARGET_ACCESSES,
                "reads and writes of one run", 0.0)
        )  # fmt: skip
    program = empty_program().to_bytes()
    median, spread = wall_s(lambda: overlay.load(program).close(), repeats)
    rows.append(Row("load and close", median * 1e6, "us", None, "from bytes", spread))
    b = KernelBuilder(CONFIG, auto_sync=True)
    x, w, y = (
        b.dram("x", MemType.INP, 16),
        b.dram("w", MemType.WGT, 1),
        b.dram("y", MemType.OUT, 16),
    )
    b.load(MemType.INP, 0, x, x=16)
    b.load(MemType.WGT, 0, w)
    index = MicroOps(np.arange(16), np.arange(16))
    b.push_gemm(index, reset=True)
    b.push_gemm(index)
    b.store(0, y, x=16)
    kernel = b.build()
    arrays = {"x": np.zeros(kernel.buffer("x").bytes, np.int8),
              "w": np.zeros(kernel.buffer("w").bytes, np.int8)}  # fmt: skip
    median, spread = wall_s(lambda: overlay.run_kernel(kernel, arrays), repeats)
    rows.append(Row("run_kernel", median * 1e6, "us", None, "16 vectors, one tile", spread))
    overlay.close()
    return rows


if __name__ == "__main__":
    from vta_pynq.profile.figures import table_text

    print(table_text([(NAME, row) for row in run(quick=False)]))
