"""Element-wise steps, addends and pools of one group of a tile as ALU instructions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host_compiler.lower.addends import AddendWork
from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, PoolMax, Step
from host_compiler.lower.issue import Issuer
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.pooling import PoolWriter
from host_compiler.lower.region import Region
from host_compiler.lower.vectors import fits_immediate
from vta_pynq.isa.table import AluOp

__all__ = ["StepWriter"]

Ints = npt.NDArray[np.int64]
Loop = tuple[int, int, int, int]


class StepWriter:
    """Issues steps."""

    def __init__(self, lowered: Lowered, issuer: Issuer) -> None:
        self._lowered, self._issuer = lowered, issuer
        self._pools = PoolWriter(issuer)

    def reset(self, first: int, count: int) -> None:
        """Set accumulators to zero."""
        self._issuer.gemm(np.array([first]), 0, 0, ((count, 1, 0, 0),), reset=True)

    def addend(self, work: AddendWork, region: Region) -> None:
        """Add a stage's addend."""
        tile, space = region.tile, region.space
        _, width = tile.extent(space)
        rows = work.strips(0, *tile.rows[space])
        cols = [(strip, width) for strip in work.strips(1, *tile.cols[space])]
        whole = len(rows) == len(cols) == 1
        layout = self._lowered.pool_layout(tile) if space == 0 else None
        if layout is not None and not whole:
            rows = [part for row in rows for part in layout.row_strips(row)]
            cols = [part for col, _ in cols for part in layout.col_strips(col)]
        for row in rows:
            for col, stride in cols:
                vector = work.vector(row.sign, col.sign)
                if vector.any():
                    first = region.begin + row.first * stride + col.first
                    loops = (
                        (row.count, row.advance * stride, 0, 0),
                        (col.count, col.advance, 0, 0),
                    )
                    self._add_vector(vector, region, first, None if whole else loops)

    def _add_vector(
        self, vector: Ints, region: Region, first: int, loops: tuple[Loop, ...] | None
    ) -> None:
        """Add a vector to a rectangle; to the whole plane of each block where `loops` is None."""
        blocks, pixels = np.arange(region.blocks, dtype=np.int64), region.pixels
        uops, tile_loop, acc_loop = blocks, loops, loops
        if loops is None:
            uops = np.zeros(1, np.int64)
            tile_loop = ((region.blocks, region.stride, 0, 1), (pixels, 1, 0, 0))
            acc_loop = ((region.blocks, region.stride, 1, 0), (pixels, 1, 0, 0))
        assert tile_loop is not None and acc_loop is not None
        dst = first + uops * region.stride
        tile = self._lowered.vectors.tile_number(vector)
        if tile is not None:
            prepared, places = self._lowered.prepared, self._lowered.places
            base = places.addend_base + tile * prepared.out_blocks + region.first_block
            self._issuer.gemm(dst, 0, base + uops, tile_loop)
        elif fits_immediate(vector):
            self._issuer.alu(AluOp.ADD, int(vector[0]), dst, dst, acc_loop)
        else:
            self._issuer.alu(AluOp.ADD, None, dst, self._vector(vector, region) + uops, acc_loop)

    def _vector(self, vector: Ints, region: Region) -> int:
        first, advance = region.vectors
        return first + self._lowered.vectors.acc_number(vector) * advance

    def step(self, step: Step, region: Region) -> None:
        """Carry out a step; a pool moves the region to its next space."""
        if isinstance(step, AluStep):
            self._alu(step, region)
        elif isinstance(step, CopyAside):
            self.reset(region.aside, region.blocks * region.pixels)
            loops = ((region.blocks, region.pixels, region.stride, 0), (region.pixels, 1, 1, 0))
            self._both(AluOp.ADD, region.aside, region.begin, loops)
        elif isinstance(step, Join):
            loops = ((region.blocks, region.stride, region.pixels, 0), (region.pixels, 1, 1, 0))
            self._both(step.op, region.begin, region.aside, loops)
        elif isinstance(step, PoolMax):
            self._pool(step, region)

    def _pool(self, step: PoolMax, region: Region) -> None:
        layout = self._lowered.pool_layout(region.tile) if region.space == 0 else None
        if layout is not None:
            self._pools.in_place(step.pool, region, layout)
        else:
            self._pools.aside(step.pool, region)
            region.area = 1 - region.area
        region.space += 1

    def _both(self, op: AluOp, dst: int, src: int, loops: tuple[Loop, ...]) -> None:
        self._issuer.alu(op, None, np.array([dst]), np.array([src]), loops)

    def _alu(self, step: AluStep, region: Region) -> None:
        begin = region.aside if step.aside else region.begin
        stride = region.pixels if step.aside else region.stride
        loops = ((region.blocks, stride, 1, 0), (region.pixels, 1, 0, 0))
        if isinstance(step.operand, int):
            dst = np.array([begin])
            self._issuer.alu(step.op, step.operand, dst, dst, loops)
            return
        src = np.array([self._vector(step.operand, region)])
        self._issuer.alu(step.op, None, np.array([begin]), src, loops)

    def touch(self, region: Region) -> None:
        """Make the output buffer hold what the accumulators hold."""
        self._alu(AluStep(AluOp.ADD, 0), region)
