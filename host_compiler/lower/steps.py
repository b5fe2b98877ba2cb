"""Element-wise steps, addends and pools of one group of a tile as ALU instructions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Pool
from host_compiler.lower.addends import AddendWork
from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, PoolMax, Step
from host_compiler.lower.issue import Issuer
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.tiling import Tile
from host_compiler.lower.vectors import fits_immediate
from vta_pynq.isa.table import AluOp

__all__ = ["Region", "StepWriter"]

Ints = npt.NDArray[np.int64]
Loop = tuple[int, int, int, int]
# The smallest accumulator is made by a shift: immediates have 16 bits.
_LOWEST_IMM, _LOWEST_SHIFT = -(1 << 15), -16


class Region:
    """The accumulators of one group of a tile.

    `areas` are the first elements of the slot's two areas; `space` says which is in use.
    `vectors` (first, advance) is where the group's part of constant vector 0 lies and how far it is
    to the next vector's; `first_block` is the group's first output block.
    """

    def __init__(
        self, tile: Tile, blocks: int, areas: tuple[int, int], space: int,
        vectors: tuple[int, int], first_block: int,
    ) -> None:  # fmt: skip
        self.tile, self.blocks, self.areas, self.space = tile, blocks, areas, space
        self.vectors, self.first_block = vectors, first_block

    @property
    def begin(self) -> int:
        """First accumulator in use."""
        return self.areas[self.space % 2]

    @property
    def aside(self) -> int:
        """First accumulator of the other area."""
        return self.areas[(self.space + 1) % 2]

    @property
    def pixels(self) -> int:
        """Accumulators of one block."""
        return self.tile.pixels(self.space)


class StepWriter:
    """Issues steps."""

    def __init__(self, lowered: Lowered, issuer: Issuer) -> None:
        self._lowered, self._issuer = lowered, issuer

    def reset(self, first: int, count: int) -> None:
        """Set accumulators to zero."""
        self._issuer.gemm(np.array([first]), 0, 0, ((count, 1, 0, 0),), reset=True)

    def addend(self, work: AddendWork, region: Region) -> None:
        """Add a stage's addend."""
        tile, space = region.tile, region.space
        _, width = tile.extent(space)
        rows = work.strips(0, *tile.rows[space])
        cols = work.strips(1, *tile.cols[space])
        for row in rows:
            for col in cols:
                vector = work.vector(row.sign, col.sign)
                if vector.any():
                    first = region.begin + row.first * width + col.first
                    loops = (
                        (row.count, row.advance * width, 0, 0),
                        (col.count, col.advance, 0, 0),
                    )
                    whole = row.count * col.count == region.pixels
                    self._add_vector(vector, region, first, None if whole else loops)

    def _add_vector(
        self, vector: Ints, region: Region, first: int, loops: tuple[Loop, ...] | None
    ) -> None:
        """Add a vector to a rectangle; to the whole plane of each block where `loops` is None."""
        blocks, pixels = np.arange(region.blocks, dtype=np.int64), region.pixels
        uops, tile_loop, acc_loop = blocks, loops, loops
        if loops is None:
            uops = np.zeros(1, np.int64)
            tile_loop = ((region.blocks, pixels, 0, 1), (pixels, 1, 0, 0))
            acc_loop = ((region.blocks, pixels, 1, 0), (pixels, 1, 0, 0))
        assert tile_loop is not None and acc_loop is not None
        dst = first + uops * pixels
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
            count = region.blocks * region.pixels
            self.reset(region.aside, count)
            self._both(AluOp.ADD, region.aside, region.begin, count)
        elif isinstance(step, Join):
            self._both(step.op, region.begin, region.aside, region.blocks * region.pixels)
        elif isinstance(step, PoolMax):
            self._pool(step.pool, region)
            region.space += 1

    def _both(self, op: AluOp, dst: int, src: int, count: int) -> None:
        self._issuer.alu(op, None, np.array([dst]), np.array([src]), ((count, 1, 1, 0),))

    def _alu(self, step: AluStep, region: Region) -> None:
        begin = region.aside if step.aside else region.begin
        if isinstance(step.operand, int):
            count = region.blocks * region.pixels
            dst = np.array([begin])
            self._issuer.alu(step.op, step.operand, dst, dst, ((count, 1, 0, 0),))
            return
        loops = ((region.blocks, region.pixels, 1, 0), (region.pixels, 1, 0, 0))
        src = np.array([self._vector(step.operand, region)])
        self._issuer.alu(step.op, None, np.array([begin]), src, loops)

    def touch(self, region: Region) -> None:
        """Make the output buffer hold what the accumulators hold."""
        self._alu(AluStep(AluOp.ADD, 0), region)

    def _pool(self, pool: Pool, region: Region) -> None:
        """The maximum over each window into the other area, tap by tap."""
        rows, cols = (self._window_taps(pool, axis, region) for axis in range(2))
        whole = [
            (r, c)
            for r in rows
            for c in cols
            if r[1] == 0 and c[1] == 0
            and (r[2], c[2]) == region.tile.extent(region.space + 1)
        ]  # fmt: skip
        start = whole[0] if whole else None
        count = region.blocks * region.tile.pixels(region.space + 1)
        self.reset(region.aside, count)
        if start is None:
            dst = np.array([region.aside])
            self._issuer.alu(AluOp.ADD, _LOWEST_IMM, dst, dst, ((count, 1, 0, 0),))
            self._issuer.alu(AluOp.SHR, _LOWEST_SHIFT, dst, dst, ((count, 1, 0, 0),))
        else:
            self._pool_tap(AluOp.ADD, pool, *start, region)
        for row in rows:
            for col in cols:
                if (row, col) != start:
                    self._pool_tap(AluOp.MAX, pool, row, col, region)

    @staticmethod
    def _window_taps(pool: Pool, axis: int, region: Region) -> list[tuple[int, int, int]]:
        """For each window position inside: first input, first output and count of outputs."""
        ranges = region.tile.rows if axis == 0 else region.tile.cols
        (low, high), (first, end) = ranges[region.space], ranges[region.space + 1]
        stride = pool.strides[axis]
        result = []
        for k in range(pool.kernel[axis]):
            offset = k * pool.dilations[axis] - pool.pads[axis]
            begin = max(first, -((offset - low) // stride))
            last = min(end - 1, (high - 1 - offset) // stride)
            if begin <= last:
                result.append((begin * stride + offset - low, begin - first, last - begin + 1))
        return result

    def _pool_tap(
        self, op: AluOp, pool: Pool, row: tuple[int, int, int], col: tuple[int, int, int],
        region: Region,
    ) -> None:  # fmt: skip
        height, width = region.tile.extent(region.space)
        out_height, out_width = region.tile.extent(region.space + 1)
        blocks = np.arange(region.blocks, dtype=np.int64)
        dst = region.aside + blocks * out_height * out_width + row[1] * out_width + col[1]
        src = region.begin + blocks * height * width + row[0] * width + col[0]
        loops = (
            (row[2], out_width, pool.strides[0] * width, 0),
            (col[2], 1, pool.strides[1], 0),
        )
        self._issuer.alu(op, None, dst, src, loops)
