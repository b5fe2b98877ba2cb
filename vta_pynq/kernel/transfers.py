"""Transfers that exceed a field: the same move as several that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MEM_FORMAT

__all__ = ["Transfer", "field_limits", "split"]


class Transfer(NamedTuple):
    """One LOAD or STORE: `dram` counts elements from the start of a buffer."""

    sram: int
    dram: int
    y: int
    x: int
    stride: int
    y_pad: tuple[int, int] = (0, 0)
    x_pad: tuple[int, int] = (0, 0)

    @property
    def width(self) -> int:
        """Elements of one row in the SRAM."""
        return self.x_pad[0] + self.x + self.x_pad[1]

    @property
    def sram_elems(self) -> int:
        """Elements in the SRAM, padding included."""
        return (self.y_pad[0] + self.y + self.y_pad[1]) * self.width


def field_limits(config: HwConfig) -> dict[str, int]:
    """Largest value of each field of LOAD and STORE."""
    return {field.name: field.value_range(config)[1] for field in MEM_FORMAT.fields}


def split(move: Transfer, max_size: int, max_stride: int, max_pad: int) -> Iterator[Transfer]:
    """Transfers that fit the fields and, in this order, leave what `move` describes.

    Padding beyond the fields is made of small transfers that write zeros next to one element; a
    later transfer overwrites that element, or it is the element that belongs there.
    """
    if max(*move.y_pad, *move.x_pad) > max_pad:
        yield from _padded(move, max_size, max_stride, max_pad)
    elif (move.y > 1 and move.stride > max_stride) or move.x > max_size or move.y > max_size:
        yield from _rows(move, max_size, max_stride, max_pad)
    else:
        yield move if move.y > 1 else move._replace(stride=min(move.stride, max_size))


def _rows(move: Transfer, max_size: int, max_stride: int, max_pad: int) -> Iterator[Transfer]:
    top, bottom = move.y_pad
    step = max_size if move.stride <= max_stride and move.x <= max_size else 1
    sram = move.sram
    for y in range(0, move.y, step):
        count = min(step, move.y - y)
        part = Transfer(
            sram,
            move.dram + y * move.stride,
            count,
            move.x,
            move.stride,
            (top if y == 0 else 0, bottom if y + count == move.y else 0),
            move.x_pad,
        )
        sram += part.sram_elems
        if part.x <= max_size:
            yield from split(part, max_size, max_stride, max_pad)
        else:  # a single row; depths keep it below twice the limit, so it needs no padding rows
            left, right = part.x_pad
            yield Transfer(part.sram, part.dram, 1, max_size, max_size, (0, 0), (left, 0))
            rest, at = part.x - max_size, part.sram + left + max_size
            yield Transfer(at, part.dram + max_size, 1, rest, rest, (0, 0), (0, right))


def _padded(move: Transfer, max_size: int, max_stride: int, max_pad: int) -> Iterator[Transfer]:
    """Zero runs before, between and after the rows, each made where its neighbour will lie."""
    left, right = move.x_pad
    width = move.width
    if max(left, right) <= max_pad:  # only rows above or below are too many
        first = move.sram + move.y_pad[0] * width
        yield from _zeros_before(first, move.y_pad[0] * width, move.dram, max_pad)
        body = move._replace(sram=first, y_pad=(0, 0))
        yield from split(body, max_size, max_stride, max_pad)
        # The last element of the body may be padding; zeros then continue from the row's data.
        last = first + move.y * width - right - 1
        after = right + move.y_pad[1] * width
        end = move.dram + (move.y - 1) * move.stride + move.x - 1
        if move.y_pad[1]:
            yield from _zeros_after(last, after, end, max_pad)
        return
    at, zeros = move.sram, move.y_pad[0] * width + left
    for y in range(move.y):
        row = move.dram + y * move.stride
        yield from _zeros_before(at + zeros, zeros, row, max_pad)
        at += zeros
        yield from split(Transfer(at, row, 1, move.x, move.x), max_size, max_stride, max_pad)
        at, zeros = at + move.x, right + left
    end = move.dram + (move.y - 1) * move.stride + move.x - 1
    yield from _zeros_after(at - 1, right + move.y_pad[1] * width, end, max_pad)


def _chunks(zeros: int, max_pad: int) -> Iterator[tuple[int, int]]:
    """Zero counts as (rows, columns) of padding around one element: rows*(columns+1)+columns."""
    width = max_pad + 1
    while zeros > max_pad:
        rows = min(max_pad, (zeros - max_pad) // width)
        yield rows, max_pad
        zeros -= rows * width + max_pad
    if zeros:
        yield 0, zeros


def _zeros_before(element: int, zeros: int, dram: int, max_pad: int) -> Iterator[Transfer]:
    """`zeros` zero elements that end before SRAM element `element`, which is overwritten."""
    at = element - zeros
    for rows, columns in _chunks(zeros, max_pad):
        yield Transfer(at, dram, 1, 1, 1, (rows, 0), (columns, 0))
        at += rows * (columns + 1) + columns


def _zeros_after(element: int, zeros: int, dram: int, max_pad: int) -> Iterator[Transfer]:
    """`zeros` zero elements from `element + 1`; `element` gets the DRAM element again."""
    placed = []
    for rows, columns in _chunks(zeros, max_pad):
        placed.append(Transfer(element, dram, 1, 1, 1, (0, rows), (0, columns)))
        element += rows * (columns + 1) + columns
    yield from reversed(placed)  # each overwrites the stray element of the one after it
