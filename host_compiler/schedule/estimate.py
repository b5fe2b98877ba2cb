"""A quick estimate of a schedule's cycles, to rank candidates before the cycle model times them.

It counts micro-ops, ALU passes, transfers and the fixed costs of instructions; of the overlap it
knows only that the slower of compute and load sets the pace, after a first piece of data and
before a last rescale and store.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

from host_compiler.lower.alu_steps import AluStep, CopyAside, Join
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import element_cycles
from host_compiler.lower.terms import TermWork
from host_compiler.lower.tiling import tiles
from host_compiler.lower.vectors import VectorSet
from host_compiler.schedule.bound import bound_of
from host_compiler.schedule.parameters import Schedule

__all__ = ["Estimator", "Place"]

_FINE_TRAFFIC = 1.2
"""Bytes moved over compulsory ones that a schedule is not marked down for."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Largest sizes of a tile of some rows and columns."""

    count: int
    pixels: tuple[int, ...]
    """Accumulators of one block in each space."""
    piece_pixels: tuple[int, ...]
    """Source elements of one block for each term."""
    piece_rows: tuple[int, ...]
    """Rows of a transfer of one block; 1 where whole rows follow each other."""
    repeated: float
    """How often a sum is computed on average: windows of a pool reach into other tiles."""


class _Costs(NamedTuple):
    """Cycles of compute and load, of the first pieces of data, and bytes moved.

    What stays is loaded while the first `share` of the computing is done, in `fill` cycles.
    """

    compute: float
    load: float
    first: float
    moved: float
    fill: float
    share: float


class Estimator:
    """Estimates for one layer on one target."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        target = prepared.target
        timing, config = target.timing, target.config
        self._timing, self._uop_depth = timing, target.uop_depth
        self._inp_bytes, self._wgt_bytes = config.inp_bytes, config.wgt_bytes
        self._wgt_elem = element_cycles(timing, timing.wgt, config.wgt_bytes, "wgt")
        self._inp_elem = element_cycles(timing, timing.inp, config.inp_bytes, "inp")
        self._out_elem = element_cycles(timing, timing.out, config.out_bytes, "out")
        latency = timing.memory_latency
        self._wgt_row = timing.wgt.fixed + timing.wgt.unit + latency
        self._inp_row = timing.inp.unit + latency
        self._uop_load = timing.uop.fixed + timing.uop.unit + latency
        self._out_row = timing.out.fixed + timing.out.unit + latency
        steps = [step for stage in prepared.stages for step in stage.steps]
        self._alu = sum(isinstance(step, (AluStep, CopyAside, Join)) for step in steps)
        self._planes = prepared.layer.planes
        self._bound = bound_of(prepared, timing)
        self._group_cycles = timing.gemm.fixed * 2 + timing.alu_imm.fixed * self._alu
        self.main = max(
            prepared.terms, key=lambda w: (int(w.pairs.sum()) * len(w.term.taps), -w.index),
            default=None,
        )  # fmt: skip

    @functools.cached_property
    def gemm_addend(self) -> tuple[bool, int]:
        """Whether adding vectors by GEMM pays, and the weight tiles that it takes.

        It saves a cycle for every accumulator, and each tile has to be loaded.
        """
        prepared = self.prepared
        vectors = VectorSet(prepared, True)
        count = len(vectors.as_tiles) * prepared.out_blocks
        height, width = prepared.spaces.extents[0]
        saved = height * width * prepared.images * prepared.out_blocks
        room = count * 4 <= prepared.target.config.wgt_depth
        pays = bool(count) and room and saved > 2 * count * self._wgt_elem
        return pays, count if pays else 0

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - lives as long as the search of a layer
    def place(self, rows: int, cols: int, packed: bool = False) -> Place:
        """Sizes of tiles of at most `rows` x `cols`."""
        prepared = self.prepared
        probe = Schedule(rows, cols, prepared.out_blocks, 1, 1)
        found = list(tiles(prepared.spaces, probe, 1, prepared.out_blocks))
        spaces = range(len(prepared.spaces.extents))
        pieces, lines = [], []
        for work in prepared.terms:
            space = prepared.stage_space[work.stage]
            areas = [work.area(t.rows[space], t.cols[space], packed) for t in found]
            known = [a for a in areas if a is not None]
            pieces.append(max((a.pixels for a in known), default=0))
            whole = all(len(a.cols) == work.cols.extent and a.rows.stride == 1 for a in known)
            lines.append(1 if whole else max((len(a.rows) for a in known), default=1))
        return Place(
            len(found) * prepared.images,
            tuple(max(t.pixels(s) for t in found) for s in spaces),
            tuple(pieces),
            tuple(lines),
            sum(t.pixels(0) for t in found) / math.prod(prepared.spaces.extents[0]),
        )

    def gaps(self, rows: int, cols: int) -> bool:
        """Whether a tile's input has rows that nothing reads and that are loaded all the same."""
        if self.main is None:
            return False
        index = self.main.index
        packed, whole = (self.place(rows, cols, p).piece_pixels[index] for p in (True, False))
        return packed < whole

    def acc_need(self, place: Place, group: int) -> int:
        """Accumulators of one slot."""
        return group * sum(self.prepared.area_pixels(list(place.pixels)))

    def tiles_of(self, work: TermWork, group: int, chunk: int) -> int:
        """Weight tiles of an item."""
        if work.shared is not None:
            return 0
        chunk = min(chunk, work.in_blocks)
        if work.dense:
            return group * chunk * len(work.weights)
        per_out = -(-int(work.pairs.sum()) // max(1, len(work.pairs)))
        return group * min(chunk, per_out) * len(work.weights)

    def cycles(self, s: Schedule) -> float:
        """Estimated cycles of a schedule, more where it moves much more than it has to."""
        prepared = self.prepared
        place = self.place(s.rows, s.cols, s.packed > 0)
        groups = -(-prepared.out_blocks // s.group)
        compute, load, moved = self._fixed(s, place, groups)
        first = fill = share = 0.0
        if self.main is not None:
            costs = self._main(s, place, groups, self.main)
            compute += costs.compute
            load += costs.load
            first, fill, share = costs.first, costs.fill, costs.share
            moved += costs.moved
        pixels = place.pixels[-1]
        tail = pixels * s.group * (self._out_elem + 2 * self._alu) + self._out_row
        store = place.count * prepared.out_blocks * pixels * self._out_elem * self._planes
        if s.acc_slots == 1:
            compute += store + place.count * groups * self._out_row  # nothing to compute meanwhile
        # The addend and the steps of a range of channels come with its last input blocks.
        late = self._late(s, place.count)
        before = first + load * (1 - late[1]) + late[0]
        excess = moved / max(1, self._bound.bytes) - _FINE_TRAFFIC
        early = 0.0
        if s.acc_slots >= place.count * groups and not s.gemm_addend:
            early = min(first + fill, 3 * prepared.out_blocks * pixels)
            before -= 2 * late[1] * prepared.out_blocks * pixels
        compute -= early
        total = max(first + max(compute, load, store, fill + compute * (1 - share)), before) + tail
        return total * (1 + max(0.0, excess))

    def _late(self, s: Schedule, places: int) -> tuple[float, float]:
        """Computing that waits for the last load, and which part of all loads that one is."""
        if self.main is None:
            return 0.0, 1.0
        chunks = -(-self.main.in_blocks // min(s.in_blocks, self.main.in_blocks))
        ranges = -(-self.prepared.out_blocks // s.blocks) * places
        work = self._bound.gemm_cycles / chunks + self._bound.alu_cycles
        return work / ranges, 1 / (ranges * chunks)

    def _fixed(self, s: Schedule, place: Place, groups: int) -> tuple[float, float, float]:
        """Compute and load cycles and bytes besides the main term's."""
        compute = place.repeated * self._bound.gemm_cycles + self._bound.alu_cycles
        compute += place.count * groups * self._group_cycles
        load = moved = 0.0
        for work in self.prepared.terms:
            if work is not self.main:
                elems = place.count * place.piece_pixels[work.index] * work.in_blocks
                load += elems * self._inp_elem
                moved += elems * self._inp_bytes
                compute += place.count * groups * self._timing.gemm.fixed
        load += self.gemm_addend[1] * self._wgt_elem
        return compute, load, moved + self._bound.output_bytes

    def _main(self, s: Schedule, place: Place, groups: int, work: TermWork) -> _Costs:
        """What the main term costs."""
        timing = self._timing
        chunk = min(s.in_blocks, work.in_blocks)
        chunks = -(-work.in_blocks // chunk)
        ranges = -(-self.prepared.out_blocks // s.blocks)
        items = place.count * groups * (chunks if work.dense else 1)
        nests = 1 if len(work.term.taps) == 1 else 3
        uops = min(place.pixels[0], s.group * chunk) * len(work.term.taps)
        combinations = min(items, 2 * max(s.inp_slots, s.wgt_slots, s.acc_slots))
        compute = float(items * timing.gemm.fixed * nests)
        fits = combinations * uops <= self._uop_depth
        compute += (combinations if fits else items) * (uops + timing.memory_latency)
        outs = s.group if work.dense else min(s.group, chunk)
        distinct = outs * place.pixels[self.prepared.stage_space[work.stage]]
        if distinct < self.prepared.target.profile.gemm_acc_distance and uops > distinct:
            # Instructions are cut so that an accumulator is not used again too early.
            compute += items * uops / distinct * (timing.gemm.fixed + self._uop_load)
        pieces = place.count * chunks
        pixels = place.piece_pixels[work.index]
        piece = chunk * pixels * self._inp_elem
        piece += chunk * place.piece_rows[work.index] * self._inp_row
        others = len(self.prepared.terms) - 1
        again = 1 if s.inp_slots >= chunks + min(others, 1) else ranges
        if s.channels_outer and s.inp_slots < pieces:
            again = ranges
        load = pieces * again * piece
        moved = pieces * again * chunk * pixels * self._inp_bytes
        stall = piece * (pieces * again - 1) if s.inp_slots == 1 else 0.0
        fill, share = 0.0, 1.0
        if (s.channels_outer or place.count == 1) and s.inp_slots >= pieces:
            fill, share = pieces * piece, 1 / ranges
        weight, tiles_ = 0.0, self.tiles_of(work, s.group, chunk)
        if tiles_:
            weight = tiles_ * self._wgt_elem + self._wgt_row
            parts = groups * (chunks if work.dense else 1)
            in_range = -(-s.blocks // s.group) * chunks
            stay = s.wgt_slots >= parts or (s.channels_outer and s.wgt_slots >= in_range)
            times = parts if stay else parts * place.count
            load += times * weight
            moved += times * tiles_ * self._wgt_bytes
            if s.wgt_slots == 1:
                stall += weight * (times - 1)
            if stay and not s.channels_outer:
                fill, share = times * weight, 1 / place.count
        return _Costs(compute + stall, load, piece + weight, moved, fill, share)
