"""GEMM items as micro-ops and loops.

An item is every (tap, output block, input block, row, column) of a term within a tile. Two of
these indices may become the loops of an instruction; the others are spelt out in micro-ops. A
tap whose source lies outside the tensor is left out, so no padding is ever loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Tap
from host_compiler.lower.axes import AxisRun

__all__ = ["Cell", "GemmNest", "ItemShape", "Pairs", "build_nests", "count_nests"]

TAPS = "vh"
"""The mode whose loops run over the taps."""

Ints = npt.NDArray[np.int64]
Loop = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The (output block, input block, weight tile) triples of an item, relative to its bases.

    `grid` (out, in) is given where they are all pairs of a grid with the tile number growing by
    `tap_tiles` from pair to pair (input blocks first), or with one tile for all (`shared`);
    `diagonal` is their count where they are (k, k).
    """

    triples: tuple[tuple[int, int, int], ...]
    grid: tuple[int, int] | None
    diagonal: int | None
    stride: int
    """Tiles from one pair to the next; 0 where all use one."""


@dataclasses.dataclass(frozen=True)
class ItemShape:
    """What an item's nests depend on besides the three base addresses.

    `taps` gives (phase, dy, dx, tile) of each tap; `rows` and `cols` hold sources relative to the
    loaded area; `acc_pixels`, `acc_width`, `inp_pixels`, `inp_width` are strides.
    """

    taps: tuple[tuple[tuple[int, int], int, int, int], ...]
    rows: tuple[AxisRun, ...]
    cols: tuple[AxisRun, ...]
    pairs: Pairs
    acc_pixels: int
    acc_width: int
    inp_pixels: int
    inp_width: int

    def __post_init__(self) -> None:
        # Shapes are looked up for every item; their many parts are hashed once.
        parts = tuple(getattr(self, field.name) for field in dataclasses.fields(self))
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]


@dataclasses.dataclass(frozen=True)
class Cell:
    """Rows and columns of a tile for which the same taps lie inside: (tap number, row, column)."""

    row: AxisRun
    col: AxisRun
    taps: tuple[tuple[int, int, int], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class GemmNest:
    """Micro-ops (int64 arrays of one length) relative to the bases, and the loops around them."""

    dst: Ints
    src: Ints
    wgt: Ints
    loops: tuple[Loop, ...]


def cells_of(shape: ItemShape) -> list[Cell]:
    """Every cell with at least one tap."""
    cells = []
    for row in shape.rows:
        down = dict(row.sources)
        for col in shape.cols:
            across = dict(col.sources)
            taps = tuple(
                (number, down[dy], across[dx])
                for number, (phase, dy, dx, _) in enumerate(shape.taps)
                if phase == (row.phase, col.phase) and dy in down and dx in across
            )
            if taps:
                cells.append(Cell(row, col, taps))
    return cells


def _groups(cells: Sequence[Cell], mode: str) -> Iterator[list[Cell]]:
    """The cells of each instruction."""
    if mode == TAPS:
        yield from ([cell] for cell in cells)
        return
    keys: dict[tuple[AxisRun | None, int, AxisRun | None], list[Cell]] = {}
    for cell in cells:
        row, width = (cell.row, cell.col.width) if "y" in mode else (None, 0)
        key = (row, width, cell.col if "x" in mode else None)
        keys.setdefault(key, []).append(cell)
    yield from keys.values()


def _pair_parts(pairs: Pairs, mode: str) -> tuple[list[Loop], Ints, Ints, Ints] | None:
    """Loops over blocks (dst and src in blocks), and the pairs that stay: outs, ins, tiles."""
    loops: list[Loop] = []
    wanted = [letter for letter in mode if letter in "oi"]
    if pairs.grid is None and pairs.diagonal is None and wanted:
        return None
    if pairs.grid is None and wanted:
        if len(wanted) == 2:
            return None
        assert pairs.diagonal is not None
        zero = np.zeros(1, np.int64)
        return [(pairs.diagonal, 1, 1, pairs.stride)], zero, zero, zero
    if pairs.grid is not None and wanted:
        outs, ins = pairs.grid
        if "o" in wanted:
            loops.append((outs, 1, 0, ins * pairs.stride))
        if "i" in wanted:
            loops.append((ins, 0, 1, pairs.stride))
        o, i = np.meshgrid(
            np.arange(1 if "o" in wanted else outs), np.arange(1 if "i" in wanted else ins),
            indexing="ij",
        )  # fmt: skip
        o, i = o.reshape(-1), i.reshape(-1)
        return loops, o, i, (o * ins + i) * pairs.stride
    columns = np.array(pairs.triples, np.int64).reshape(-1, 3)
    return loops, columns[:, 0], columns[:, 1], columns[:, 2]


@dataclasses.dataclass(frozen=True)
class _TapGrid:
    """Taps of a cell as two loops: (count, source step, tile step) along rows and columns."""

    down: tuple[int, int, int]
    across: tuple[int, int, int]


def _tap_grid(shape: ItemShape, cell: Cell) -> _TapGrid | None:
    """The taps of a cell as a grid whose sources and tiles advance by constant steps; None where
    they are none. Taps come row by row."""
    rows = sorted({row for _, row, _ in cell.taps})
    cols = sorted({col for _, _, col in cell.taps})
    height, width = len(rows), len(cols)
    places = [(row, col) for row in rows for col in cols]
    if [(row, col) for _, row, col in cell.taps] != places:
        return None
    tiles = np.array([shape.taps[n][3] for n, _, _ in cell.taps], np.int64).reshape(height, width)
    steps = []
    for positions, along in ((rows, tiles), (cols, tiles.T)):
        apart, tile = np.diff(positions), np.diff(along, axis=0)
        if not len(apart):
            steps.append((1, 0, 0))
            continue
        if (apart != apart[0]).any() or (tile != tile[0, 0]).any() or tile[0, 0] < 0:
            return None
        steps.append((len(positions), int(apart[0]), int(tile[0, 0])))
    return _TapGrid(*steps)


def count_nests(shape: ItemShape, mode: str, distance: int) -> tuple[int, int] | None:
    """Instructions and micro-ops of `build_nests`; None where the mode does not suit.

    It does not where an accumulator would be used again within `distance` micro-ops, as far as
    that shows without building them.
    """
    parts = _pair_parts(shape.pairs, mode)
    if parts is None:
        return None
    _, outs, _, _ = parts
    out_count = len(np.unique(outs))
    instructions = uops = 0
    for group in _groups(cells_of(shape), mode):
        if mode == TAPS:
            cell = group[0]
            pixels = cell.row.count * cell.col.count
            again = len(cell.taps) > 1 or len(outs) > out_count
            if _tap_grid(shape, cell) is None or (again and pixels * out_count < distance):
                return None
            instructions += 1
            uops += pixels * len(outs)
            continue
        reach: dict[int, int] = {}
        for cell in group:
            for number, _, _ in cell.taps:
                reach[number] = reach.get(number, 0) + _spelt(cell, mode)
        count = sum(reach.values()) * len(outs)
        distinct = min(reach.values()) * out_count
        again = len(reach) > 1 or len(outs) > out_count or "i" in mode
        if distinct < distance and again:
            return None
        instructions += 1
        uops += count
    return instructions, uops


def _spelt(cell: Cell, mode: str) -> int:
    return (1 if "y" in mode else cell.row.count) * (1 if "x" in mode else cell.col.count)


def build_nests(shape: ItemShape, mode: str) -> list[GemmNest]:
    """The nests of an item for a loop mode that suits it."""
    parts = _pair_parts(shape.pairs, mode)
    assert parts is not None, "count_nests says whether a mode suits"
    block_loops, outs, ins, tiles = parts
    pair_loops = [
        (n, o * shape.acc_pixels, i * shape.inp_pixels, w) for n, o, i, w in block_loops if n > 1
    ]
    rank = _ranks(outs)
    nests = []
    for group in _groups(cells_of(shape), mode):
        keys, dsts, srcs, wgts = [], [], [], []
        for cell in group:
            tap, row, col = np.array(cell.taps[: 1 if mode == TAPS else None], np.int64).T
            j = np.arange(1 if "y" in mode else cell.row.count)
            k = np.arange(1 if "x" in mode else cell.col.count)
            down = (cell.row.first + j * cell.row.advance) * (cell.col.width or shape.acc_width)
            dst = (
                down[:, None, None]
                + (cell.col.first + k * cell.col.advance)[None, :, None]
                + outs[None, None, :] * shape.acc_pixels
            )
            src = (
                (row[:, None, None, None] + (j * cell.row.step)[None, :, None, None])
                * shape.inp_width
                + (col[:, None] + k[None, :] * cell.col.step)[:, None, :, None]
                + (ins * shape.inp_pixels)[None, None, None, :]
            )
            tile = np.array([shape.taps[t][3] for t in tap.tolist()], np.int64)
            full = (len(tap), len(j), len(k), len(outs))
            keys.append(
                np.broadcast_to(
                    rank * len(shape.taps) + tap[:, None, None, None], full
                ).reshape(-1)
            )  # fmt: skip
            dsts.append(np.broadcast_to(dst[None], full).reshape(-1))
            srcs.append(np.broadcast_to(src, full).reshape(-1))
            wgts.append(np.broadcast_to(tile[:, None, None, None] + tiles, full).reshape(-1))
        # All accumulators once, then all of them again: as far apart as possible.
        order = np.argsort(np.concatenate(keys), kind="stable")
        first = group[0]
        loops = list(pair_loops)
        if mode == TAPS:
            grid = _tap_grid(shape, first)
            assert grid is not None, "count_nests says whether a mode suits"
            tall, wide = grid.down, grid.across
            loops = [
                (tall[0], 0, tall[1] * shape.inp_width, tall[2]),
                (wide[0], 0, wide[1], wide[2]),
            ]
        if "x" in mode and first.col.count > 1:
            loops.insert(0, (first.col.count, first.col.advance, first.col.step, 0))
        if "y" in mode and first.row.count > 1:
            advance = first.row.advance * (first.col.width or shape.acc_width)
            loops.insert(0, (first.row.count, advance, first.row.step * shape.inp_width, 0))
        nests.append(
            GemmNest(
                np.concatenate(dsts)[order],
                np.concatenate(srcs)[order],
                np.concatenate(wgts)[order],
                tuple(loops),
            )
        )
    return nests


def _ranks(outs: Ints) -> Ints:
    """How many earlier pairs have the same output block."""
    seen: dict[int, int] = {}
    ranks = []
    for out in outs.tolist():
        ranks.append(seen.get(out, 0))
        seen[out] = ranks[-1] + 1
    return np.array(ranks, np.int64)


def relative_taps(
    taps: Sequence[Tap], tiles: dict[int, int]
) -> tuple[tuple[tuple[int, int], int, int, int], ...]:
    """The taps of a shape, with the tile that each uses."""
    return tuple((tap.phase, tap.dy, tap.dx, tiles[tap.weight]) for tap in taps)
