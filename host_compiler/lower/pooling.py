"""Maxima over windows as ALU operations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Pool
from host_compiler.lower.issue import Issuer
from host_compiler.lower.pool_layout import PoolLayout
from host_compiler.lower.region import Region
from vta_pynq.isa.table import AluOp

__all__ = ["PoolWriter"]

Ints = npt.NDArray[np.int64]
# The smallest accumulator is made by a shift: immediates have 16 bits.
_LOWEST_IMM, _LOWEST_SHIFT = -(1 << 15), -16


class PoolWriter:
    """Issues the maximum over windows."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def in_place(self, pool: Pool, region: Region, layout: PoolLayout) -> None:
        """Along rows into the anchors' columns, then along columns into the anchors' rows."""
        tile, space = region.tile, region.space
        height, _ = tile.extent(space)
        _, out_width = tile.extent(space + 1)
        blocks = region.begin + np.arange(region.blocks, dtype=np.int64) * region.stride
        for offset, begin, count in _reach(pool, 1, region):
            number = offset % layout.cols.stride
            base, width = layout.column(number)
            src = base + offset // layout.cols.stride + begin
            each_row = (height, out_width, width, 0)
            self._max(blocks + begin, blocks + src, (each_row, (count, 1, 1, 0)))
        for offset, begin, count in _reach(pool, 0, region):
            number = offset % layout.rows.stride
            row = layout.rows.start(number) + offset // layout.rows.stride + begin
            every = (count * out_width, 1, 1, 0)
            self._max(blocks + begin * out_width, blocks + row * out_width, (every,))

    def _max(self, dst: Ints, src: Ints, loops: tuple[tuple[int, int, int, int], ...]) -> None:
        self._issuer.alu(AluOp.MAX, None, dst, src, loops)

    def aside(self, pool: Pool, region: Region) -> None:
        """Into the other area, one window position after the other."""
        rows, cols = (_window_taps(pool, axis, region) for axis in range(2))
        whole = [
            (r, c)
            for r in rows
            for c in cols
            if r[1] == 0 and c[1] == 0
            and (r[2], c[2]) == region.tile.extent(region.space + 1)
        ]  # fmt: skip
        start = whole[0] if whole else None
        first = np.array([region.aside])
        all_of_it = ((region.blocks * region.tile.pixels(region.space + 1), 1, 0, 0),)
        self._issuer.gemm(first, 0, 0, all_of_it, reset=True)
        if start is None:
            self._issuer.alu(AluOp.ADD, _LOWEST_IMM, first, first, all_of_it)
            self._issuer.alu(AluOp.SHR, _LOWEST_SHIFT, first, first, all_of_it)
        else:
            self._tap(AluOp.ADD, pool, *start, region)
        for row in rows:
            for col in cols:
                if (row, col) != start:
                    self._tap(AluOp.MAX, pool, row, col, region)

    def _tap(
        self, op: AluOp, pool: Pool, row: tuple[int, int, int], col: tuple[int, int, int],
        region: Region,
    ) -> None:  # fmt: skip
        _, width = region.tile.extent(region.space)
        out_height, out_width = region.tile.extent(region.space + 1)
        blocks = np.arange(region.blocks, dtype=np.int64)
        dst = region.aside + blocks * out_height * out_width + row[1] * out_width + col[1]
        src = region.begin + blocks * region.stride + row[0] * width + col[0]
        loops = (
            (row[2], out_width, pool.strides[0] * width, 0),
            (col[2], 1, pool.strides[1], 0),
        )
        self._issuer.alu(op, None, dst, src, loops)


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


def _reach(pool: Pool, axis: int, region: Region) -> list[tuple[int, int, int]]:
    """For each window position but the anchor's: its place in the tile for the first window, then
    the windows (first, count) for which it lies inside."""
    assert region.anchors is not None
    ranges = region.tile.rows if axis == 0 else region.tile.cols
    (low, high), (first, end) = ranges[region.space], ranges[region.space + 1]
    stride, result = pool.strides[axis], []
    for k in range(pool.kernel[axis]):
        place = first * stride - pool.pads[axis] + k - low
        begin = max(0, -(place // stride))
        last = min(end - first - 1, (high - low - 1 - place) // stride)
        if k != region.anchors[axis] and begin <= last:
            result.append((place, begin, last - begin + 1))
    return result
