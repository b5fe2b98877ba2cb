"""A lowered layer's instructions, appended to a kernel builder."""

from __future__ import annotations

from collections.abc import Mapping

from host_compiler.lower.ahead import Ahead
from host_compiler.lower.alu_steps import AluStep, Join, PoolMax
from host_compiler.lower.constants import ConstantPlan
from host_compiler.lower.issue import Issuer
from host_compiler.lower.loops import choose_loops
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.moves import load_moves, store_moves
from host_compiler.lower.nests import GemmNest, ItemShape, build_nests
from host_compiler.lower.region import Region
from host_compiler.lower.steps import StepWriter
from host_compiler.lower.tiling import Range2, Tile, groups_of
from host_compiler.lower.work import Finish, Item
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import DramBuffer, DramView, KernelBuilder, MicroOps

__all__ = ["Emitter"]

_PLANE_BITS = 8


class Emitter:
    """Appends one layer. `buffers` holds every tensor and constant by name."""

    def __init__(
        self, builder: KernelBuilder, lowered: Lowered, constants: ConstantPlan,
        buffers: Mapping[str, DramBuffer | DramView],
    ) -> None:  # fmt: skip
        self._ahead = Ahead(builder, lowered.prepared.target.uop_depth)
        self._lowered, self._constants = lowered, constants
        self._buffers = buffers
        self._prepared, self._places = lowered.prepared, lowered.places
        self._issuer = Issuer(self._ahead)
        self._modes = choose_loops(lowered)
        self._nests: dict[ItemShape, list[GemmNest]] = {}
        self._steps = StepWriter(lowered, self._issuer)
        self._addends_loaded = False
        self._began: set[tuple[Tile, int]] = set()
        self._vectors_of: tuple[int, int] | None = None
        self._weights_there: set[int] = set()

    def run(self) -> None:
        """Append everything."""
        if self._places.addend_base:
            weights = self._buffers[self._constants.weight_name]
            self._ahead.load(MemType.WGT, 0, weights, x=self._places.addend_base)
        if self._lowered.vectors.in_acc and self._places.vectors_stay:
            self._load_vectors(0, self._prepared.out_blocks)
        if self._lowered.all_at_once:
            self._begin_all()
        for at in self._lowered.first_weights(self._lowered.schedule.weights_ahead):
            work = self._lowered.work[at]
            assert isinstance(work, Item)
            self._load_weights(work, self._lowered.wgt_slots[at])
            self._weights_there.add(at)
        for at, work in enumerate(self._lowered.work):
            if isinstance(work, Item):
                self._item(at, work)
            else:
                self._finish(work)
        self._ahead.flush()

    # ---- data ----------------------------------------------------------------------------

    def _need_addends(self) -> None:
        """Load the addends' tiles and their input once, after the data of the first item."""
        places = self._places
        if self._addends_loaded or not self._lowered.vectors.as_tiles:
            return
        self._addends_loaded = True
        weights = self._buffers[self._constants.weight_name]
        first, count = places.addend_base, places.wgt_base - places.addend_base
        self._ahead.load(MemType.INP, 0, self._buffers[self._constants.input_name])
        self._ahead.load(MemType.WGT, first, weights[first], x=count)

    def _load_vectors(self, first: int, blocks: int) -> None:
        source = self._buffers[self._constants.vector_name]
        count = len(self._lowered.vectors.in_acc) * blocks
        offset = self._constants.vector_offset(first)
        self._ahead.load(MemType.ACC, 0, source[offset], x=count)

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
        sram = self._lowered.inp_places[slot]
        for move in load_moves(ref, work.piece.n, work.piece.blocks, work.piece.area, sram):
            self._ahead.load(
                MemType.INP, move.sram, buffer[move.dram], y=move.y, x=move.x, stride=move.stride
            )

    def _load_weights(self, work: Item, slot: int) -> None:
        assert work.weights is not None
        source = self._buffers[self._constants.weight_name]
        offset = self._constants.weight_offset[work.weights]
        count = self._lowered.weight_count(work.weights)
        sram = self._places.wgt_base + slot * self._places.wgt_slot
        self._ahead.load(MemType.WGT, sram, source[offset], x=count)

    # ---- compute -------------------------------------------------------------------------

    def _areas(self, tile: Tile, group: int) -> tuple[int, int]:
        places = self._places
        base = places.acc_base + self._lowered.acc_slot_of(tile, group) * places.acc_slot
        return base, base + self._lowered.schedule.group * places.area[0]

    def _begin_all(self) -> None:
        """Nothing has to make room: all sums begin while the first data are on their way."""
        for tile in self._lowered.tiles:
            for number, outs in enumerate(groups_of(tile.blocks, self._lowered.schedule.group)):
                self._begin(tile, number, outs)

    def _begin(self, tile: Tile, group: int, outs: Range2) -> None:
        """Before anything else with a group: accumulators at zero, or at what is added anyway."""
        if (tile, group) in self._began:
            return
        self._began.add((tile, group))
        base = self._areas(tile, group)[0]
        self._steps.reset(base, (outs[1] - outs[0]) * tile.pixels(0))
        addend = self._prepared.addends[0]
        if addend is not None and self._lowered.vectors.by_alu(addend.vectors()):
            self._steps.addend(addend, self._region(tile, group, outs, 0))

    def _item(self, at: int, work: Item) -> None:
        lowered, places = self._lowered, self._places
        inp_slot, wgt_slot = lowered.inp_slots[at], lowered.wgt_slots[at]
        # Weights first: they need not wait for the layer before, whose results the input is.
        if lowered.wgt_loads[at] and at not in self._weights_there:
            self._load_weights(work, wgt_slot)
        if lowered.inp_loads[at]:
            self._load_piece(work, inp_slot)
        self._begin(work.tile, work.group, work.outs)
        term = self._prepared.terms[work.term]
        area = self._prepared.area_of_space[self._prepared.stage_space[term.stage]]
        acc = self._areas(work.tile, work.group)[area]
        inp = lowered.inp_places[inp_slot]
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
            uops = MicroOps(nest.dst + acc, nest.src + inp, nest.wgt + wgt)
            plans.append(self._ahead.plan_gemm(uops, *nest.loops))
        self._issuer.keep(key, plans)

    def _finish(self, work: Finish) -> None:
        prepared = self._prepared
        self._begin(work.tile, work.group, work.outs)
        region = self._region(work.tile, work.group, work.outs, work.stage)
        addend, stage = prepared.addends[work.stage], prepared.stages[work.stage]
        early = work.stage == 0 and addend and self._lowered.vectors.by_alu(addend.vectors())
        if addend is not None and not early:
            self._need_addends()
            self._steps.addend(addend, region)
        for step in stage.steps:
            self._steps.step(step, region)
        if work.stage == len(prepared.stages) - 1:
            if not any(isinstance(s, (AluStep, Join, PoolMax)) for s in stage.steps):
                self._steps.touch(region)
            self._store(work, region)

    def _region(self, tile: Tile, group: int, outs: Range2, stage: int) -> Region:
        prepared = self._prepared
        first, advance = self._need_vectors(tile)
        space = prepared.stage_space[stage]
        return Region(
            tile, outs[1] - outs[0], outs[0], self._areas(tile, group), space,
            prepared.area_of_space[space], prepared.anchors,
            (first + outs[0] - tile.blocks[0], advance),
        )  # fmt: skip

    def _store(self, work: Finish, region: Region) -> None:
        tile = work.tile
        for plane, ref in enumerate(self._prepared.layer.outputs):
            if plane:
                self._steps.step(AluStep(AluOp.SHR, _PLANE_BITS), region)
            buffer = self._buffers[ref.buffer]
            for move in store_moves(
                ref, tile.n, work.outs, tile.rows[-1], tile.cols[-1], region.begin, region.stride
            ):
                self._ahead.store(
                    move.sram, buffer[move.dram], y=move.y, x=move.x, stride=move.stride
                )
