"""A layer under a schedule: where everything lies in the SRAMs and in which order it is used."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from host_compiler.lower.nests import ItemShape, Pairs, relative_taps
from host_compiler.lower.pool_layout import AxisOrder, PoolLayout
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.region import block_stride
from host_compiler.lower.slots import assign_slots
from host_compiler.lower.terms import TermWork
from host_compiler.lower.tiling import Tile, tiles
from host_compiler.lower.vectors import VectorSet
from host_compiler.lower.work import Item, PieceKey, WeightKey, Work, work_of_tile
from host_compiler.schedule.parameters import Schedule
from vta_pynq.errors import CompileError

__all__ = ["Lowered", "Places", "Unfit"]


class Unfit(CompileError):
    """A schedule that does not fit the SRAMs; another one may."""


@dataclasses.dataclass(frozen=True)
class Places:
    """First elements of what lies in the SRAMs, and sizes of the slots."""

    inp_base: int
    addend_base: int
    """First weight tile of the addends."""
    wgt_base: int
    wgt_slot: int
    acc_base: int
    acc_slot: int
    area: tuple[int, int]
    """Accumulators of one block in each area of a slot."""
    vectors_stay: bool
    """Whether all constant vectors of the ALU fit the accumulator at once."""
    vector_blocks: int
    """Blocks of each constant vector that are in the accumulator at a time."""


class Lowered:
    """The decisions that follow from a schedule.

    Attributes
    ----------
    chunk
        Input blocks of an item of each term.
    vectors
        The constant vectors.
    places
        The SRAMs' layout.
    work
        Items and finishing steps in order.
    inp_slots, inp_loads, wgt_slots, wgt_loads
        For each entry of `work`: slot and whether it is loaded first; -1 and False where it
        needs none.
    inp_places
        First element of each input slot.

    Raises
    ------
    Unfit
        The schedule does not fit the SRAMs.
    """

    def __init__(self, prepared: Prepared, schedule: Schedule) -> None:
        self.prepared, self.schedule = prepared, schedule
        self.tiles = list(tiles(prepared.spaces, schedule, prepared.images, prepared.out_blocks))
        self._places_of = {(t.rows, t.cols): t for t in self.tiles}
        self.vectors = VectorSet(prepared, schedule.gemm_addend)
        self.chunk = self._chunks()
        self.places = self._place()
        self.groups = -(-schedule.blocks // schedule.group)
        self._numbers = {tile: number for number, tile in enumerate(self.tiles)}
        self._shapes: dict[object, ItemShape] = {}
        self.work: list[Work] = []
        for tile in self.tiles:
            self.work += work_of_tile(
                tile, prepared.terms, self.chunk, len(prepared.stages), prepared.stage_space,
                schedule.group, schedule.packed,
            )  # fmt: skip
        items = [w if isinstance(w, Item) else None for w in self.work]
        inp = [None if w is None else w.piece for w in items]
        wgt = [None if w is None else w.weights for w in items]
        self.inp_slots, self.inp_loads = assign_slots(inp, schedule.inp_slots)
        self.inp_places = self._input_places(inp)
        self.wgt_slots, self.wgt_loads = assign_slots(wgt, schedule.wgt_slots)
        order = dict.fromkeys(key for key in wgt if key is not None)
        self.weight_order: list[WeightKey] = list(order)

    # ---- sizes ---------------------------------------------------------------------------

    def _pixels(self, work: TermWork, packed: bool) -> int:
        """Largest number of source pixels of one block that a tile needs."""
        space = self.prepared.stage_space[work.stage]
        sizes = (work.area(t.rows[space], t.cols[space], packed) for t in self._places_of.values())
        return max((area.pixels for area in sizes if area is not None), default=0)

    def _chunks(self) -> list[int]:
        """Input blocks of an item of each term: the largest term's as the schedule says, of the
        others as many as fit the same slots."""
        terms, schedule = self.prepared.terms, self.schedule
        if not terms:
            return []
        self._sizes = [self._pixels(work, schedule.packed > 0) for work in terms]
        main = max(terms, key=lambda w: (int(w.pairs.sum()) * len(w.term.taps), -w.index))
        size = min(schedule.in_blocks, main.in_blocks)
        inp = max(1, size * self._sizes[main.index])
        wgt = self._tile_count(main, size)
        chunk = []
        for work in terms:
            if work is main:
                chunk.append(size)
                continue
            most = max(1, inp // max(1, self._sizes[work.index]))
            while most > 1 and self._tile_count(work, most) > max(wgt, 1):
                most //= 2
            chunk.append(min(most, work.in_blocks))
        return chunk

    def _tile_count(self, work: TermWork, chunk: int) -> int:
        """Most tiles of one item."""
        if work.shared is not None:
            return 0
        group = self.schedule.group
        count = min(chunk, work.in_blocks) * group
        if not work.dense:
            count = max(
                int(work.pairs[o : o + group, i : i + chunk].sum())
                for o in range(0, len(work.pairs), group)
                for i in range(0, work.in_blocks, chunk)
            )
        return count * len(work.weights)

    def _place(self) -> Places:
        prepared, schedule = self.prepared, self.schedule
        config, terms = prepared.target.config, prepared.terms
        shared = sum(work.shared is not None for work in terms)
        wgt_slot = max((self._tile_count(w, self.chunk[w.index]) for w in terms), default=0)
        addends = len(self.vectors.as_tiles)
        inp_base = 1 if addends else 0
        wgt_base = shared + addends * prepared.out_blocks
        piece = max((c * s for c, s in zip(self.chunk, self._sizes, strict=True)), default=0)
        self._fit("input", inp_base + piece, config.inp_depth)
        self._fit("weight", wgt_base + schedule.wgt_slots * wgt_slot, config.wgt_depth)
        spaces = len(prepared.spaces.extents)
        pixels = [max(t.pixels(s) for t in self._places_of.values()) for s in range(spaces)]
        area = prepared.area_pixels(pixels)
        depth = prepared.target.acc_source_depth if prepared.reads_tile else config.acc_depth
        acc_slot = schedule.group * sum(area)
        tiles_need = schedule.acc_slots * acc_slot
        blocks = prepared.out_blocks
        stay = len(self.vectors.in_acc) * blocks + tiles_need <= depth
        if not stay:
            blocks = min(schedule.blocks, blocks)
        vectors = len(self.vectors.in_acc) * blocks
        self._fit("constant", vectors, prepared.target.acc_source_depth)
        self._fit("accumulator", vectors + tiles_need, depth)
        if schedule.acc_slots < -(-schedule.blocks // schedule.group):
            raise Unfit(f"layer {prepared.layer.name}: a tile needs more accumulator slots")
        return Places(inp_base, shared, wgt_base, wgt_slot, vectors, acc_slot, area, stay, blocks)

    def _input_places(self, pieces: list[PieceKey | None]) -> list[int]:
        """First element of each input slot, which is as large as the largest piece in it."""
        sizes = [1] * self.schedule.inp_slots
        for slot, piece in zip(self.inp_slots, pieces, strict=True):
            if piece is not None:
                blocks = piece.blocks[1] - piece.blocks[0]
                sizes[slot] = max(sizes[slot], piece.area.pixels * blocks)
        ends = list(itertools.accumulate(sizes, initial=self.places.inp_base))
        self._fit("input", ends[-1], self.prepared.target.config.inp_depth)
        return ends[:-1]

    def _fit(self, what: str, need: int, depth: int) -> None:
        if need > depth:
            raise Unfit(
                f"layer {self.prepared.layer.name}: {what} elements of a tile must be at most "
                f"{depth} on {self.prepared.target.config.name}, not {need}; use smaller tiles"
            )

    # ---- items ---------------------------------------------------------------------------

    def acc_slot_of(self, tile: Tile, group: int) -> int:
        """The accumulator slot of a group of a tile."""
        return (self._numbers[tile] * self.groups + group) % self.schedule.acc_slots

    @property
    def all_at_once(self) -> bool:
        """Whether every group of every tile has accumulators of its own."""
        return len(self.tiles) * self.groups <= self.schedule.acc_slots and self.places.vectors_stay

    def first_weights(self, most: int) -> list[int]:
        """The first items, at most `most`, whose weights go into slots that held none before."""
        used: set[int] = set()
        found: list[int] = []
        for at, load in enumerate(self.wgt_loads):
            if load:
                if len(found) == most or self.wgt_slots[at] in used:
                    break
                used.add(self.wgt_slots[at])
                found.append(at)
        return found

    def acc_slot(self, item: Item) -> int:
        """The accumulator slot of an item."""
        return self.acc_slot_of(item.tile, item.group)

    def shape_of(self, item: Item) -> ItemShape:
        """What the item's micro-ops depend on besides bases."""
        key = (item.term, item.outs, item.piece.blocks, item.tile.rows, item.tile.cols)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape_of(item)
        return shape

    def pool_layout(self, tile: Tile) -> PoolLayout | None:
        """How space 0 of a tile is sorted, where its pool reduces in place."""
        anchors = self.prepared.anchors
        if anchors is None:
            return None
        pool = self.prepared.spaces.pools[0]
        orders = []
        for axis, ranges in enumerate((tile.rows, tile.cols)):
            (begin, end), window = ranges[0], ranges[1][0]
            first = window * pool.strides[axis] - pool.pads[axis] + anchors[axis] - begin
            orders.append(AxisOrder(end - begin, pool.strides[axis], first))
        return PoolLayout(orders[0], orders[1])

    def _shape_of(self, item: Item) -> ItemShape:
        work = self.prepared.terms[item.term]
        space = self.prepared.stage_space[work.stage]
        area = item.piece.area
        rows, cols = item.tile.rows[space], item.tile.cols[space]
        down = (
            dataclasses.replace(
                run,
                sources=tuple(
                    (o, (at - area.rows.begin) // area.rows.stride) for o, at in run.sources
                ),
                step=run.step // area.rows.stride,
            )
            for run in work.rows.runs(*rows)
        )
        across = (
            dataclasses.replace(
                run, sources=tuple((o, at - area.cols.begin) for o, at in run.sources)
            )
            for run in work.cols.runs(*cols)
        )
        layout = self.pool_layout(item.tile) if space == 0 else None
        if layout is not None:
            down = (part for run in down for part in layout.row_runs(run))
            across = (part for run in across for part in layout.col_runs(run))
        positions = work.position
        if work.shared is not None:
            positions = dict.fromkeys(positions, 0)
        taps = relative_taps(work.term.taps, positions)
        _, width = item.tile.extent(space)
        return ItemShape(
            taps,
            tuple(down),
            tuple(across),
            self._pairs(work, item),
            block_stride(item.tile, space, self.prepared.anchors),
            width,
            area.pixels,
            len(area.cols),
        )

    def _pairs(self, work: TermWork, item: Item) -> Pairs:
        (o0, o1), (i0, i1) = item.outs, item.piece.blocks
        mask = work.pairs[o0:o1, i0:i1]
        places = [(int(o), int(i)) for o, i in np.argwhere(mask)]
        stride = 0 if work.shared is not None else len(work.weights)
        o_first, i_first = self._first_pair(item)
        places = [(o - o_first, i - i_first) for o, i in places]
        triples = tuple((o, i, k * stride) for k, (o, i) in enumerate(places))
        grid = mask.shape if mask.all() else None
        diagonal = len(places) if places == [(k, k) for k in range(len(places))] else None
        return Pairs(triples, grid, diagonal, stride)  # type: ignore[arg-type]

    def _first_pair(self, item: Item) -> tuple[int, int]:
        """The first pair of blocks of an item; its shape counts from there."""
        (o0, o1), (i0, i1) = item.outs, item.piece.blocks
        pairs = self.prepared.terms[item.term].pairs[o0:o1, i0:i1]
        out, inp = np.argwhere(pairs)[0].tolist()
        return out, inp

    def shift_of(self, item: Item) -> tuple[int, int]:
        """Accumulators and inputs from the bases of an item's slots to its first pair's."""
        shape = self.shape_of(item)
        out, inp = self._first_pair(item)
        return out * shape.acc_pixels, inp * shape.inp_pixels

    def weight_tiles(self, key: WeightKey) -> npt.NDArray[np.int8]:
        """The tiles of a weight piece as they are packed: pair after pair, weight by weight."""
        work = self.prepared.terms[key.term]
        (o0, o1), (i0, i1) = key.outs, key.ins
        outs, ins = np.nonzero(work.pairs[o0:o1, i0:i1])
        tiles = work.term.tiles[work.weights][:, outs + o0, ins + i0]
        used = work.term.used[work.weights][:, outs + o0, ins + i0]
        picked = np.where(used[..., None, None], tiles, np.int8(0))
        return np.ascontiguousarray(picked.swapaxes(0, 1).reshape(-1, *picked.shape[2:]))

    def weight_count(self, key: WeightKey) -> int:
        """Tiles of a weight piece."""
        work = self.prepared.terms[key.term]
        (o0, o1), (i0, i1) = key.outs, key.ins
        return int(work.pairs[o0:o1, i0:i1].sum()) * len(work.weights)

    def shared_place(self, term: int) -> int:
        """Where the one tile of a term that has only one lies in the weight SRAM."""
        return sum(work.shared is not None for work in self.prepared.terms[:term])
