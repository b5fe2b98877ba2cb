"""A quick estimate of a schedule's cycles, to rank candidates before the cycle model times them.

It counts micro-ops, ALU passes, transfers and the fixed costs of instructions; of the overlap it
knows only that the slower of compute and load sets the pace, after a first piece of data and
before a last rescale and store.
"""

from __future__ import annotations

import dataclasses
import functools

from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, PoolMax
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.terms import TermWork
from host_compiler.lower.tiling import tiles
from host_compiler.lower.vectors import VectorSet
from host_compiler.schedule.bound import bound_of, element_cycles
from host_compiler.schedule.parameters import Schedule
from vta_pynq.timing import get_profile
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["Estimator", "Place"]


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


class Estimator:
    """Estimates for one layer on one target."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        target = prepared.target
        timing = target.profile.timing or get_profile(DEFAULT_PROFILE).timing
        assert timing is not None
        self._timing, config = timing, target.config
        self._wgt_elem = element_cycles(timing, timing.wgt, config.wgt_bytes, "wgt")
        self._inp_elem = element_cycles(timing, timing.inp, config.inp_bytes, "inp")
        self._out_elem = element_cycles(timing, timing.out, config.out_bytes, "out")
        latency = timing.memory_latency
        self._wgt_row = timing.wgt.fixed + timing.wgt.unit + latency
        self._inp_row = timing.inp.unit + latency
        self._out_row = timing.out.fixed + timing.out.unit + latency
        self._steps = [s for stage in prepared.stages for s in stage.steps]
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

    @functools.cached_property
    def bound_compute(self) -> int:
        """Compute cycles that no schedule avoids."""
        timed = dataclasses.replace(self.prepared.target.profile, timing=self._timing)
        prepared = self.prepared
        original = prepared.target
        try:
            prepared.target = dataclasses.replace(original, profile=timed)
            bound = bound_of(prepared)
        finally:
            prepared.target = original
        return bound.gemm_cycles + bound.alu_cycles

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - lives as long as the search of a layer
    def place(self, rows: int, cols: int) -> Place:
        """Sizes of tiles of at most `rows` x `cols`."""
        prepared = self.prepared
        probe = Schedule(rows, cols, prepared.out_blocks, 1, 1)
        found = list(tiles(prepared.spaces, probe, 1, prepared.out_blocks))
        spaces = range(len(prepared.spaces.extents))
        pieces, lines = [], []
        for work in prepared.terms:
            space = prepared.stage_space[work.stage]
            areas = [work.area(t.rows[space], t.cols[space]) for t in found]
            known = [a for a in areas if a is not None]
            pieces.append(max((a.pixels for a in known), default=0))
            whole = all(len(a.cols) == work.cols.extent and a.rows.stride == 1 for a in known)
            lines.append(1 if whole else max((len(a.rows) for a in known), default=1))
        return Place(
            len(found) * prepared.images,
            tuple(max(t.pixels(s) for t in found) for s in spaces),
            tuple(pieces),
            tuple(lines),
        )

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
        """Estimated cycles of a schedule."""
        prepared, timing = self.prepared, self._timing
        place = self.place(s.rows, s.cols)
        ranges = -(-prepared.out_blocks // s.blocks)
        groups = -(-prepared.out_blocks // s.group)
        compute = float(self.bound_compute)
        load = 0.0
        alu = sum(1 for step in self._steps if isinstance(step, (AluStep, CopyAside, Join)))
        fixed = timing.gemm.fixed + timing.alu_imm.fixed * (alu + 1)
        compute += place.count * groups * fixed
        halo = 1.0
        first = 0.0
        for work in prepared.terms:
            if work is not self.main:
                continue
            chunk = min(s.in_blocks, work.in_blocks)
            chunks = -(-work.in_blocks // chunk)
            items = place.count * groups * chunks
            compute += items * timing.gemm.fixed * 3
            pieces = place.count * chunks
            lines = place.piece_rows[work.index]
            piece = chunk * place.piece_pixels[work.index] * self._inp_elem
            rows = chunk * lines
            piece += rows * self._inp_row
            again = 1 if s.inp_slots >= min(pieces, chunks) else ranges
            if s.channels_outer and s.inp_slots < pieces:
                again = ranges
            load += pieces * again * piece
            tiles_ = self.tiles_of(work, s.group, chunk)
            if tiles_:
                weight = tiles_ * self._wgt_elem + self._wgt_row
                parts = groups * chunks
                per_range = -(-s.blocks // s.group) * chunks
                if s.wgt_slots >= parts or (s.channels_outer and s.wgt_slots >= per_range):
                    load += parts * weight
                else:
                    load += parts * weight * place.count
                first += weight
            first += piece
        pixels = [p * s.group for p in place.pixels]
        tail = pixels[-1] * (self._out_elem + 2 * alu) + self._out_row
        for step in self._steps:
            if isinstance(step, PoolMax):
                tail += pixels[-1]
        store = (
            place.count * prepared.out_blocks * place.pixels[-1] * self._out_elem
            * prepared.layer.planes
        )  # fmt: skip
        return first + max(compute, load, store) * halo + tail
