"""From a layer and a schedule to tiles, and the order of work on them.

The spatial extents between the pools of a layer are its *spaces*: space 0 is the sum's, each
pool leads to the next, the last one is stored. A tile is a rectangle of the last space, what it
needs of the others, and a range of output channel blocks.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from host_compiler.layer import Layer, Pool
from host_compiler.lower.alu_steps import PoolMax
from host_compiler.lower.axes import pool_window, pooled_extent, tiles_of
from host_compiler.lower.canonical import Stage
from host_compiler.schedule.parameters import Schedule

__all__ = ["Range2", "Spaces", "Tile", "groups_of", "tiles"]

Range2 = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Spaces:
    """The pools of a layer in order, and the (height, width) before and after each."""

    pools: tuple[Pool, ...]
    extents: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, layer: Layer, stages: Sequence[Stage]) -> Spaces:
        """The spaces of a layer's stages."""
        pools = tuple(s.pool for stage in stages for s in stage.steps if isinstance(s, PoolMax))
        extents = [layer.sum_shape[2:]]
        for pool in pools:
            h, w = extents[-1]
            extents.append((pooled_extent(pool, 0, h), pooled_extent(pool, 1, w)))
        return cls(pools, tuple((h, w) for h, w in extents))

    def back(self, axis: int, final: Range2) -> tuple[Range2, ...]:
        """The range in every space that a range of the last one needs."""
        ranges = [final]
        for number in reversed(range(len(self.pools))):
            extent = self.extents[number][axis]
            ranges.append(pool_window(self.pools[number], axis, *ranges[-1], extent))
        return tuple(reversed(ranges))


@dataclasses.dataclass(frozen=True)
class Tile:
    """Image `n`, rows and columns in every space, output channel blocks `blocks`."""

    n: int
    rows: tuple[Range2, ...]
    cols: tuple[Range2, ...]
    blocks: Range2

    def extent(self, space: int) -> tuple[int, int]:
        """Height and width in a space."""
        (top, bottom), (left, right) = self.rows[space], self.cols[space]
        return bottom - top, right - left

    def pixels(self, space: int) -> int:
        """Accumulators of one block in a space."""
        height, width = self.extent(space)
        return height * width


def tiles(spaces: Spaces, schedule: Schedule, images: int, out_blocks: int) -> Iterator[Tile]:
    """Every tile of a layer in the order of execution."""
    height, width = spaces.extents[-1]
    rows = [spaces.back(0, r) for r in tiles_of(height, schedule.rows)]
    cols = [spaces.back(1, r) for r in tiles_of(width, schedule.cols)]
    blocks = _block_ranges(schedule, out_blocks)
    places = [(n, r, c) for n in range(images) for r in rows for c in cols]
    if schedule.channels_outer:
        return (Tile(*place, b) for b in blocks for place in places)
    return (Tile(*place, b) for place in places for b in blocks)


def _block_ranges(schedule: Schedule, out_blocks: int) -> list[Range2]:
    """The output channel blocks of the tiles of one place."""
    ends = schedule.end_blocks
    if not ends or out_blocks <= 2 * ends:
        edges = [*range(0, out_blocks, schedule.blocks), out_blocks]
    else:
        edges = [0, *range(ends, out_blocks - ends, schedule.blocks), out_blocks - ends, out_blocks]
    return list(itertools.pairwise(edges))


def groups_of(blocks: Range2, group: int) -> list[Range2]:
    """The blocks of a tile in groups that one GEMM item works on."""
    return [(b, min(b + group, blocks[1])) for b in range(blocks[0], blocks[1], group)]
