"""Lower bounds of a layer's cycles and traffic on a target, whatever the schedule.

Compute: GEMM micro-ops of every tap inside its source, one reset of each accumulator, and the
ALU's passes. Load and store: every weight tile, every input element that is read and every
output element once, at the memory port's rate. The three modules run at the same time, so the
largest is the bound.
"""

from __future__ import annotations

import dataclasses

from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, PoolMax
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import element_cycles
from host_compiler.lower.terms import TermWork
from vta_pynq.errors import CompileError
from vta_pynq.timing.parameters import LoopTiming, Timing

__all__ = ["LayerBound", "bound_of"]


@dataclasses.dataclass(frozen=True)
class LayerBound:
    """Cycles that each module needs at least, and the bytes that must move.

    `gemm_cycles` counts only taps inside the source; `padded_gemm_cycles` counts every tap of
    every output, as published tables do.
    """

    gemm_cycles: int
    padded_gemm_cycles: int
    alu_cycles: int
    load_cycles: int
    store_cycles: int
    input_bytes: int
    weight_bytes: int
    output_bytes: int

    @property
    def cycles(self) -> int:
        """No schedule takes fewer."""
        return max(self.gemm_cycles + self.alu_cycles, self.load_cycles, self.store_cycles)

    @property
    def padded_cycles(self) -> int:
        """The same where padding is computed."""
        compute = self.padded_gemm_cycles + self.alu_cycles
        return max(compute, self.load_cycles, self.store_cycles)

    @property
    def bytes(self) -> int:
        """Compulsory traffic."""
        return self.input_bytes + self.weight_bytes + self.output_bytes

    @property
    def limited_by(self) -> str:
        """The module that sets the bound."""
        parts = {
            "compute": self.gemm_cycles + self.alu_cycles,
            "load": self.load_cycles,
            "store": self.store_cycles,
        }
        return max(parts, key=lambda name: parts[name])


def bound_of(prepared: Prepared, timing: Timing | None = None) -> LayerBound:
    """The bound of a layer, by the timing of the target's profile unless another is given.

    Raises
    ------
    CompileError
        The target's profile has no notion of time.
    """
    target = prepared.target
    timing, config = timing or target.profile.timing, target.config
    if timing is None:
        raise CompileError(
            f"profile {target.profile.name}: bound must come from a profile with timing, not this "
            "one; choose a hardware profile"
        )
    images, blocks = prepared.images, prepared.out_blocks
    exact = padded = tiles = 0
    inputs: dict[tuple[str, int], int] = {}
    for work in prepared.terms:
        inside, every = _executions(prepared, work)
        exact += inside * images
        padded += every * images
        tiles += 1 if work.shared is not None else int(work.pairs.sum()) * len(work.weights)
        elems = _source_elems(prepared, work) * images
        inputs[work.source_key] = max(inputs.get(work.source_key, 0), elems)
    pixels = [h * w * blocks * images for h, w in prepared.spaces.extents]
    alu = _alu_cycles(prepared, pixels, timing.alu_imm, timing.alu_reg)
    outputs = pixels[-1] * prepared.layer.planes
    loaded = sum(inputs.values())
    gemm = timing.gemm.interval
    return LayerBound(
        gemm * (exact + pixels[0]),
        gemm * (padded + pixels[0]),
        alu,
        tiles * element_cycles(timing, timing.wgt, config.wgt_bytes, "wgt")
        + loaded * element_cycles(timing, timing.inp, config.inp_bytes, "inp"),
        outputs * element_cycles(timing, timing.out, config.out_bytes, "out"),
        loaded * config.inp_bytes,
        tiles * config.wgt_bytes,
        outputs * config.out_bytes,
    )


def _executions(prepared: Prepared, work: TermWork) -> tuple[int, int]:
    """Micro-ops of a term for one image: taps inside the source, and all taps."""
    height, width = prepared.spaces.extents[prepared.stage_space[work.stage]]
    pairs = int(work.pairs.sum())
    inside = every = 0
    rows = {(r.phase, o): 0 for r in work.rows.runs(0, height) for o, _ in r.sources}
    for run in work.rows.runs(0, height):
        for offset, _ in run.sources:
            rows[run.phase, offset] += run.count
    cols = {(r.phase, o): 0 for r in work.cols.runs(0, width) for o, _ in r.sources}
    for run in work.cols.runs(0, width):
        for offset, _ in run.sources:
            cols[run.phase, offset] += run.count
    for tap in work.term.taps:
        inside += rows.get((tap.phase[0], tap.dy), 0) * cols.get((tap.phase[1], tap.dx), 0)
        down, across = work.term.period
        every += -(-(height - tap.phase[0]) // down) * -(-(width - tap.phase[1]) // across)
    return inside * pairs, every * pairs


def _source_elems(prepared: Prepared, work: TermWork) -> int:
    """Input elements of one image that are read, in whole runs of columns."""
    height, width = prepared.spaces.extents[prepared.stage_space[work.stage]]
    rows, cols = work.rows.window(0, height), work.cols.window(0, width)
    if rows is None or cols is None:
        return 0
    return len(rows) * len(range(cols.begin, cols.end)) * int(work.pairs.any(axis=0).sum())


def _alu_cycles(prepared: Prepared, pixels: list[int], imm: LoopTiming, reg: LoopTiming) -> int:
    """Passes of the ALU; a bias counts as the one GEMM cycle that it can be."""
    cycles = 0
    for stage, first, addend in zip(
        prepared.stages, prepared.stage_space, prepared.addends, strict=True
    ):
        space = first
        cycles += pixels[space] if addend is not None else 0
        for step in stage.steps:
            if isinstance(step, AluStep):
                kind = imm if isinstance(step.operand, int) else reg
                cycles += kind.interval * pixels[space]
            elif isinstance(step, (CopyAside, Join)):
                cycles += reg.interval * pixels[space]
            elif isinstance(step, PoolMax):
                taps = step.pool.kernel[0] + step.pool.kernel[1] - 2
                cycles += reg.interval * taps * pixels[space + 1]
                space += 1
    return cycles
