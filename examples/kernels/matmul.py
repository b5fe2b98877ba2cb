"""Blocked matrix multiply: C = clip((A @ W.T) >> shift), int8 in and out."""

from __future__ import annotations

import dataclasses

import numpy as np

from vta_pynq import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import Debug, Kernel, KernelBuilder, MicroOps
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["Blocking", "build_matmul", "finish_tile", "gemm_tile"]


@dataclasses.dataclass(frozen=True)
class Blocking:
    """Sizes of a matrix multiply, and of its tiles, in elements of the accelerator."""

    rows: int
    inner: int
    cols: int
    tile_rows: int
    tile_inner: int
    tile_cols: int

    @classmethod
    def of(cls, config: HwConfig, rows: int, inner: int, cols: int, threads: int = 1) -> Blocking:
        """The largest tiles, halved until `threads` of them fit the buffers.

        Raises
        ------
        KernelError
            A size is not a multiple of the batch (rows) or block (inner, cols).
        """
        for name, size, unit in (
            ("rows", rows, config.batch),
            ("inner", inner, config.block),
            ("cols", cols, config.block),
        ):
            if size < 1 or size % unit:
                raise KernelError(
                    f"matmul: {name} must be a multiple of {unit} ({config.name}), not {size}; pad "
                    "the matrix"
                )
        sizes = [rows // config.batch, inner // config.block, cols // config.block]
        m, k, n = sizes
        while m * n > config.acc_depth:
            m, n = (-(-m // 2), n) if m >= n else (m, -(-n // 2))
        while m * k * threads > config.inp_depth or n * k * threads > config.wgt_depth:
            if k > 1:
                k = -(-k // 2)
            elif m * threads > config.inp_depth:
                m = -(-m // 2)
            else:
                n = -(-n // 2)
        return cls(sizes[0], sizes[1], sizes[2], m, k, n)


def gemm_tile(b: KernelBuilder, m: int, k: int, n: int, inp: int, wgt: int) -> None:
    """Add the product of an m x k tile of inputs and an n x k tile of weights to m x n sums."""
    # The reduction is the outermost loop: an accumulator comes again after m * n micro-ops.
    uops = MicroOps(np.arange(n), inp, wgt + k * np.arange(n))
    b.push_gemm(uops, (k, 0, 1, 1), (m, n, k, 0))


def finish_tile(b: KernelBuilder, count: int, shift: int) -> None:
    """Scale `count` sums by a right shift and clip them to the output's range."""
    high = (1 << b.config.out_width - 1) - 1
    for op, imm in ((AluOp.SHR, shift), (AluOp.MIN, high), (AluOp.MAX, -high - 1)):
        with b.alu(op, imm=imm) as k, k.loop(count, dst=1):
            k.uop(0)


def build_matmul(
    config: HwConfig,
    rows: int,
    inner: int,
    cols: int,
    shift: int = 8,
    profile: str = DEFAULT_PROFILE,
    debug: Debug | None = None,
) -> Kernel:
    """A kernel with buffers `a` (rows x inner), `w` (cols x inner) and `c` (rows x cols).

    `a` and `c` are packed by `layout.pack_matrix`, `w` by `layout.pack_weights`. Every tile
    goes through the same part of the buffers, so loads wait for the multiplication before.
    """
    t = Blocking.of(config, rows, inner, cols)
    b = KernelBuilder(config, profile, auto_sync=True, name="matmul", debug=debug)
    a = b.dram("a", MemType.INP, t.rows * t.inner)
    w = b.dram("w", MemType.WGT, t.cols * t.inner)
    c = b.dram("c", MemType.OUT, t.rows * t.cols)
    for row in range(0, t.rows, t.tile_rows):
        m = min(t.tile_rows, t.rows - row)
        for col in range(0, t.cols, t.tile_cols):
            n = min(t.tile_cols, t.cols - col)
            with b.label(f"tile {row},{col}"):
                with b.gemm(reset=True) as g, g.loop(m * n, dst=1):
                    g.uop(0)
                for red in range(0, t.inner, t.tile_inner):
                    k = min(t.tile_inner, t.inner - red)
                    b.load(MemType.INP, 0, a[row * t.inner + red], m, k, t.inner)
                    b.load(MemType.WGT, 0, w[col * t.inner + red], n, k, t.inner)
                    gemm_tile(b, m, k, n, 0, 0)
                finish_tile(b, m * n, shift)
                b.store(0, c[row * t.cols + col], m, n, t.cols)
    return b.build()
