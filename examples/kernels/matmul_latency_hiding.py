"""The blocked matrix multiply with two virtual threads: loads run while the other half computes.

Tokens are placed by hand here; `matmul.py` leaves them to the builder.
"""

from __future__ import annotations

from examples.kernels.matmul import Blocking, finish_tile, gemm_tile
from vta_pynq import HwConfig
from vta_pynq.isa.table import MemType, Module
from vta_pynq.kernel import Kernel, KernelBuilder
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["build_matmul_latency_hiding"]

_THREADS = 2
LOAD, COMPUTE, STORE = Module.LOAD, Module.COMPUTE, Module.STORE


def build_matmul_latency_hiding(
    config: HwConfig,
    rows: int,
    inner: int,
    cols: int,
    shift: int = 8,
    profile: str = DEFAULT_PROFILE,
) -> Kernel:
    """The kernel of `matmul.build_matmul` with each buffer split in two halves."""
    t = Blocking.of(config, rows, inner, cols, threads=_THREADS)
    b = KernelBuilder(config, profile, name="matmul_latency_hiding")
    a = b.dram("a", MemType.INP, t.rows * t.inner)
    w = b.dram("w", MemType.WGT, t.cols * t.inner)
    c = b.dram("c", MemType.OUT, t.rows * t.cols)
    tiles = [
        (row, col) for row in range(0, t.rows, t.tile_rows) for col in range(0, t.cols, t.tile_cols)
    ]
    steps = len(tiles) * -(-t.inner // t.tile_inner)
    step = 0
    for number, (row, col) in enumerate(tiles):
        m, n = min(t.tile_rows, t.rows - row), min(t.tile_cols, t.cols - col)
        if number:  # the tile before must be stored before its sums are reset
            b.pop(STORE, COMPUTE)
        with b.gemm(reset=True) as g, g.loop(m * n, dst=1):
            g.uop(0)
        for red in range(0, t.inner, t.tile_inner):
            k = min(t.tile_inner, t.inner - red)
            thread = step % _THREADS
            inp, wgt = thread * config.inp_depth // _THREADS, thread * config.wgt_depth // _THREADS
            if step >= _THREADS:  # this half must have been used up
                b.pop(COMPUTE, LOAD)
            b.load(MemType.INP, inp, a[row * t.inner + red], m, k, t.inner)
            b.load(MemType.WGT, wgt, w[col * t.inner + red], n, k, t.inner)
            b.push(LOAD, COMPUTE)
            b.pop(LOAD, COMPUTE)
            gemm_tile(b, m, k, n, inp, wgt)
            if step + _THREADS < steps:
                b.push(COMPUTE, LOAD)
            step += 1
        finish_tile(b, m * n, shift)
        b.push(COMPUTE, STORE)
        b.pop(COMPUTE, STORE)
        b.store(0, c[row * t.cols + col], m, n, t.cols)
        if number + 1 < len(tiles):
            b.push(STORE, COMPUTE)
    return b.build()
