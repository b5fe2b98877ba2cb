"""A lowered layer's instructions, appended to a kernel builder."""

from __future__ import annotations

from collections.abc import Mapping

from host_compiler.lower.alu_steps import AluStep, Join, PoolMax
from host_compiler.lower.constants import ConstantPlan
from host_compiler.lower.issue import Issuer
from host_compiler.lower.loops import choose_loops
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.moves import load_moves, store_moves
from host_compiler.lower.nests import GemmNest, ItemShape, build_nests
from host_compiler.lower.region import Region
from host_compiler.lower.steps import StepWriter
from host_compiler.lower.tiling import Tile
from host_compiler.lower.work import Finish, Item
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import DramBuffer, DramView, KernelBuilder

__all__ = ["Emitter"]

_PLANE_BITS = 8


class Emitter:
    """Appends one layer. `buffers` holds every tensor and constant by name."""

    def __init__(
        self, builder: KernelBuilder, lowered: Lowered, constants: ConstantPlan,
        buffers: Mapping[str, DramBuffer | DramView],
    ) -> None:  # fmt: skip
        self._builder, self._lowered, self._constants = builder, lowered, constants
        self._buffers = buffers
        self._prepared, self._places = lowered.prepared, lowered.places
        self._issuer = Issuer(builder)
        self._modes = choose_loops(lowered)
        self._nests: dict[ItemShape, list[GemmNest]] = {}
        self._steps = StepWriter(lowered, self._issuer)
        self._addends_loaded = False
        self._began: set[tuple[Tile, int]] = set()
        self._vectors_of: tuple[int, int] | None = None

    def run(self) -> None:
        """Append everything."""
        if self._places.addend_base:
            weights = self._buffers[self._constants.weight_name]
            self._builder.load(MemType.WGT, 0, weights, x=self._places.addend_base)
        if self._lowered.vectors.in_acc and self._places.vectors_stay:
            self._load_vectors(0, self._prepared.out_blocks)
        for at, work in enumerate(self._lowered.work):
            if isinstance(work, Item):
                self._item(at, work)
            else:
                self._finish(work)

    # ---- data ----------------------------------------------------------------------------

    def _need_addends(self) -> None:
        """Load the addends' tiles and their input once, after the data of the first item."""
        places = self._places
        if self._addends_loaded or not self._lowered.vectors.as_tiles:
            return
        self._addends_loaded = True
        weights = self._buffers[self._constants.weight_name]
        first, count = places.addend_base, places.wgt_base - places.addend_base
        self._builder.load(MemType.INP, 0, self._buffers[self._constants.input_name])
        self._builder.load(MemType.WGT, first, weights[first], x=count)

    def _load_vectors(self, first: int, blocks: int) -> None:
        source = self._buffers[self._constants.vector_name]
        count = len(self._lowered.vectors.in_acc) * blocks
        offset = self._constants.vector_offset(first)
        self._builder.load(MemType.ACC, 0, source[offset], x=count)

    def _need_vectors(self, tile: Tile) -> tuple[int, int]:
        """Where the vectors of a tile lie: of its first block, and from one to the next."""
        if self._places.vectors_stay:
            return tile.blocks[0], self._prepared.out_blocks
        blocks = tile.blocks[1] - tile.blocks[0]
        if self._lowered.vectors.in_acc and self._vectors_of != tile.blocks:
            self._load_vectors(tile.blocks[0], blocks)
            self._vectors_of = tile.blocks
        return 0, blocks

    def _load_piece(self, work: Item, slot: int) -> None:
        ref = self._prepared.terms[work.term].term.source
        buffer = self._buffers[ref.buffer]
        sram = self._places.inp_base + slot * self._places.inp_slot
        for move in load_moves(ref, work.piece.n, work.piece.blocks, work.piece.area, sram):
            self._builder.load(
                MemType.INP, move.sram, buffer[move.dram], y=move.y, x=move.x, stride=move.stride
            )

    def _load_weights(self, work: Item, slot: int) -> None:
        assert work.weights is not None
        source = self._buffers[self._constants.weight_name]
        offset = self._constants.weight_offset[work.weights]
        count = self._lowered.weight_count(work.weights)
        sram = self._places.wgt_base + slot * self._places.wgt_slot
        self._builder.load(MemType.WGT, sram, source[offset], x=count)

    # ---- compute -------------------------------------------------------------------------

    def _areas(self, tile: Tile, group: int) -> tuple[int, int]:
        places = self._places
        base = places.acc_base + self._lowered.acc_slot_of(tile, group) * places.acc_slot
        return base, base + self._lowered.schedule.group * places.area[0]

    def _begin(self, tile: Tile, group: int, blocks: int) -> None:
        if (tile, group) not in self._began:
            self._began.add((tile, group))
            self._steps.reset(self._areas(tile, group)[0], blocks * tile.pixels(0))

    def _item(self, at: int, work: Item) -> None:
        lowered, places = self._lowered, self._places
        inp_slot, wgt_slot = lowered.inp_slots[at], lowered.wgt_slots[at]
        if lowered.inp_loads[at]:
            self._load_piece(work, inp_slot)
        if lowered.wgt_loads[at]:
            self._load_weights(work, wgt_slot)
        self._begin(work.tile, work.group, work.outs[1] - work.outs[0])
        term = self._prepared.terms[work.term]
        area = self._prepared.area_of_space[self._prepared.stage_space[term.stage]]
        acc = self._areas(work.tile, work.group)[area]
        inp = places.inp_base + inp_slot * places.inp_slot
        if work.weights is None:
            wgt = lowered.shared_place(work.term)
        else:
            wgt = places.wgt_base + wgt_slot * places.wgt_slot
        shape = lowered.shape_of(work)
        shift = lowered.shift_of(work)
        acc, inp = acc + shift[0], inp + shift[1]
        key = (shape, acc, inp, wgt)
        if self._issuer.known(key):
            return
        plans = []
        nests = self._nests.get(shape)
        if nests is None:
            nests = self._nests[shape] = build_nests(shape, self._modes[shape])
        for nest in nests:
            uops = self._builder.uops(nest.dst + acc, nest.src + inp, nest.wgt + wgt)
            plans.append(self._builder.plan_gemm(uops, *nest.loops))
        self._issuer.keep(key, plans)

    def _finish(self, work: Finish) -> None:
        prepared, tile = self._prepared, work.tile
        blocks = work.outs[1] - work.outs[0]
        self._begin(tile, work.group, blocks)
        first, advance = self._need_vectors(tile)
        inner = work.outs[0] - tile.blocks[0]
        space = prepared.stage_space[work.stage]
        region = Region(
            tile, blocks, work.outs[0], self._areas(tile, work.group), space,
            prepared.area_of_space[space], prepared.anchors, (first + inner, advance),
        )  # fmt: skip
        addend, stage = prepared.addends[work.stage], prepared.stages[work.stage]
        if addend is not None:
            self._need_addends()
            self._steps.addend(addend, region)
        for step in stage.steps:
            self._steps.step(step, region)
        if work.stage == len(prepared.stages) - 1:
            if not any(isinstance(s, (AluStep, Join, PoolMax)) for s in stage.steps):
                self._steps.touch(region)
            self._store(work, region)

    def _store(self, work: Finish, region: Region) -> None:
        tile = work.tile
        for plane, ref in enumerate(self._prepared.layer.outputs):
            if plane:
                self._steps.step(AluStep(AluOp.SHR, _PLANE_BITS), region)
            buffer = self._buffers[ref.buffer]
            for move in store_moves(
                ref, tile.n, work.outs, tile.rows[-1], tile.cols[-1], region.begin, region.stride
            ):
                self._builder.store(
                    move.sram, buffer[move.dram], y=move.y, x=move.x, stride=move.stride
                )
