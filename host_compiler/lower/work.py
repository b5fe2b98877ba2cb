"""The work of a layer in order: GEMM items with the pieces of data that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from host_compiler.lower.terms import Area, TermWork
from host_compiler.lower.tiling import Range2, Spaces, Tile, groups_of

__all__ = ["Finish", "Item", "PieceKey", "WeightKey", "Work", "work_of_tile"]


@dataclasses.dataclass(frozen=True)
class PieceKey:
    """Input blocks `blocks` of an area of image `n` of a source."""

    source: tuple[str, int]
    n: int
    area: Area
    blocks: Range2


@dataclasses.dataclass(frozen=True)
class WeightKey:
    """The tiles of term `term` for output blocks `outs` and input blocks `ins`."""

    term: int
    outs: Range2
    ins: Range2


@dataclasses.dataclass(frozen=True)
class Item:
    """GEMMs of one term, with some input blocks, on one group of output blocks of a tile.

    `weights` is None where the term's only tile stays in the SRAM.
    """

    tile: Tile
    group: int
    outs: Range2
    term: int
    piece: PieceKey
    weights: WeightKey | None


@dataclasses.dataclass(frozen=True)
class Finish:
    """Addend and steps of stage `stage` for one group, and the store after the last stage."""

    tile: Tile
    group: int
    outs: Range2
    stage: int


Work = Item | Finish


def work_of_tile(
    tile: Tile, terms: Sequence[TermWork], chunk: Sequence[int], stages: int,
    spaces_of_stage: Sequence[int], group: int, packed: int,
) -> list[Work]:  # fmt: skip
    """Everything to do for one tile. `chunk` gives input blocks of an item for each term.

    Groups follow each other within a chunk of input blocks, so that a group's rescale and store
    run while the next one is summed, and inputs are used for all groups once they are there.
    """
    result: list[Work] = []
    groups = groups_of(tile.blocks, group)
    for stage in range(stages):
        space = spaces_of_stage[stage]
        items: list[Item] = []
        for work in terms:
            if work.stage != stage:
                continue
            for at, ins in enumerate(work.chunks(chunk[work.index])):
                area = work.area(tile.rows[space], tile.cols[space], at < packed)
                if area is None:
                    break
                for number, outs in enumerate(groups):
                    if not work.pairs[outs[0] : outs[1], ins[0] : ins[1]].any():
                        continue
                    key = None
                    if work.shared is None:
                        key = WeightKey(work.index, outs, ins)
                    piece = PieceKey(work.source_key, tile.n, area, ins)
                    items.append(Item(tile, number, outs, work.index, piece, key))
        last = {item.group: at for at, item in enumerate(items)}
        for number, outs in enumerate(groups):
            if number not in last:
                result.append(Finish(tile, number, outs, stage))
        for at, item in enumerate(items):
            result.append(item)
            if last[item.group] == at:
                result.append(Finish(tile, item.group, item.outs, stage))
    return result


def space_of_stages(spaces: Spaces, pools_of_stage: Sequence[int]) -> list[int]:
    """In which space each stage sums."""
    result, at = [], 0
    for pools in pools_of_stage:
        result.append(at)
        at += pools
    assert at == len(spaces.pools)
    return result
