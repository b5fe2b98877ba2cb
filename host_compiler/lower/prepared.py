"""A layer made ready for lowering, whatever the schedule: stages, terms, constant vectors."""

from __future__ import annotations

from host_compiler.layer import Layer, Multiply
from host_compiler.lower.addends import AddendWork
from host_compiler.lower.alu_steps import AluStep, CopyAside, Join, PoolMax
from host_compiler.lower.canonical import stages_of
from host_compiler.lower.pool_layout import anchors_of
from host_compiler.lower.target import Target
from host_compiler.lower.terms import TermWork, split_terms
from host_compiler.lower.tiling import Spaces
from host_compiler.lower.work import space_of_stages
from vta_pynq.errors import CompileError

__all__ = ["Prepared"]


class Prepared:
    """What follows from a layer and a target.

    Attributes
    ----------
    stages, spaces, stage_space
        The layer's stages; its spaces; the space in which each stage sums.
    terms
        The terms of all stages in order.
    addends
        For each stage what it adds, or None.
    addend_vectors, step_vectors
        Every vector, int64 (C,), that a stage adds, and that a step has as its operand.
    anchors
        Where the first pool reduces in place: its windows' anchors (see `pool_layout`).
    area_of_space
        Which of a slot's two areas holds each space.
    images, out_blocks
        Elements along the batch axis; output channel blocks.
    """

    def __init__(self, layer: Layer, target: Target, most_tiles: int | None = None) -> None:
        self.layer, self.target = layer, target
        if any(isinstance(step, Multiply) for step in layer.steps) and not target.multiplies:
            raise CompileError(
                f"layer {layer.name}: rescale must be shifts on {target.config.name}, whose ALU "
                "does not multiply, not a fixed-point factor; requantise to powers of two"
            )
        self.most_tiles = target.config.wgt_depth if most_tiles is None else most_tiles
        self.stages = split_terms(stages_of(layer), self.most_tiles)
        self.spaces = Spaces.of(layer, self.stages)
        pools = [sum(isinstance(s, PoolMax) for s in stage.steps) for stage in self.stages]
        self.stage_space = space_of_stages(self.spaces, pools)
        self.terms: list[TermWork] = []
        gap = target.input_gap_elems
        for number, stage in enumerate(self.stages):
            for term in stage.terms:
                self.terms.append(TermWork(term, len(self.terms), number, gap))
        self.addends = [
            AddendWork(stage.addend, self.spaces.extents[space]) if stage.addend else None
            for stage, space in zip(self.stages, self.stage_space, strict=True)
        ]
        pool = self.spaces.pools[0] if self.spaces.pools else None
        self.anchors = None if pool is None else anchors_of(pool, self.spaces.extents[0])
        self.area_of_space = [0]
        for number in range(len(self.spaces.pools)):
            stays = number == 0 and self.anchors is not None
            self.area_of_space.append(
                self.area_of_space[-1] if stays else 1 - self.area_of_space[-1]
            )
        config = target.config
        self.images = -(-layer.sum_shape[0] // config.batch)
        self.out_blocks = -(-layer.sum_shape[1] // config.block)
        self.addend_vectors = [v for a in self.addends if a is not None for v in a.vectors()]
        self.step_vectors = [
            step.operand
            for stage in self.stages
            for step in stage.steps
            if isinstance(step, AluStep) and not isinstance(step.operand, int)
        ]

    @property
    def uses_aside(self) -> bool:
        """Whether some step needs a copy of the accumulators."""
        return any(isinstance(s, (CopyAside, Join)) for stage in self.stages for s in stage.steps)

    @property
    def reads_tile(self) -> bool:
        """Whether an ALU operation has an accumulator of the tile as its second operand."""
        return self.uses_aside or bool(self.spaces.pools)

    def area_pixels(self, pixels: list[int]) -> tuple[int, int]:
        """Accumulators of one block in each of the two areas that spaces alternate between."""
        need = [0, 0]
        for space, count in enumerate(pixels):
            area = self.area_of_space[space]
            need[area] = max(need[area], count)
        for stage, first in zip(self.stages, self.stage_space, strict=True):
            space = first
            for step in stage.steps:
                if isinstance(step, PoolMax):
                    space += 1
                elif isinstance(step, CopyAside):
                    other = 1 - self.area_of_space[space]
                    need[other] = max(need[other], pixels[space])
        return need[0], need[1]
