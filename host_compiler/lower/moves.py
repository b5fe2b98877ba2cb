"""Transfers of activations: pieces of a source into the SRAM, finished tiles out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from host_compiler.layer import TensorRef
from host_compiler.lower.terms import Area
from host_compiler.lower.tiling import Range2

__all__ = ["Move", "image_offset", "load_moves", "store_moves"]


class Move(NamedTuple):
    """`y` rows of `x` elements, `stride` apart in DRAM from `dram`; dense in the SRAM."""

    sram: int
    dram: int
    y: int
    x: int
    stride: int


def image_offset(ref: TensorRef, n: int, block: int) -> int:
    """First element of a channel block of image `n`."""
    _, _, height, width = ref.shape
    return (n * ref.buffer_blocks + ref.block_offset + block) * height * width


def load_moves(ref: TensorRef, n: int, blocks: Range2, area: Area, sram: int) -> Iterator[Move]:
    """The moves that bring an area of some channel blocks to SRAM element `sram`."""
    _, _, height, width = ref.shape
    count = blocks[1] - blocks[0]
    base = image_offset(ref, n, blocks[0])
    rows, cols = len(area.rows), len(area.cols)
    start = base + area.rows.begin * width + area.cols.begin
    plane = height * width
    if cols == width and (area.rows.stride == 1 or rows == 1):
        if rows == height:
            yield Move(sram, start, 1, count * plane, count * plane)
        else:
            yield Move(sram, start, count, rows * width, plane)
        return
    if rows == 1:
        yield Move(sram, start, count, cols, plane)
        return
    if plane == rows * area.rows.stride * width:
        yield Move(sram, start, count * rows, cols, area.rows.stride * width)
        return
    for number in range(count):
        yield Move(
            sram + number * rows * cols, start + number * plane, rows, cols,
            area.rows.stride * width,
        )  # fmt: skip


def store_moves(
    ref: TensorRef, n: int, blocks: Range2, rows: Range2, cols: Range2, sram: int, stride: int
) -> Iterator[Move]:
    """The moves that store a rectangle of some channel blocks from SRAM element `sram`, one block
    every `stride` elements.
    """
    _, _, height, width = ref.shape
    count = blocks[1] - blocks[0]
    start = image_offset(ref, n, blocks[0]) + rows[0] * width + cols[0]
    down, across, plane = rows[1] - rows[0], cols[1] - cols[0], height * width
    if stride != down * across and count > 1:
        for number in range(count):
            block = (blocks[0] + number, blocks[0] + number + 1)
            yield from store_moves(ref, n, block, rows, cols, sram + number * stride, stride)
        return
    if across == width:
        if down == height:
            yield Move(sram, start, 1, count * plane, count * plane)
        else:
            yield Move(sram, start, count, down * width, plane)
        return
    if down == 1:
        yield Move(sram, start, count, across, plane)
        return
    for number in range(count):
        yield Move(sram + number * down * across, start + number * plane, down, across, width)
