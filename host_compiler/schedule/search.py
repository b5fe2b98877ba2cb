"""The schedule of a layer: candidates by an estimate, the best of them by the cycle model."""

from __future__ import annotations

from collections.abc import Iterator

from host_compiler.layer import Layer
from host_compiler.lower.lowered import Lowered, Unfit
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.parameters import Schedule
from vta_pynq.errors import CompileError

__all__ = ["plan_layer"]


def plan_layer(layer: Layer, target: Target, schedule: Schedule | None = None) -> LayerPlan:
    """Plan a layer.

    Raises
    ------
    CompileError
        No schedule fits the target.
    """
    most_tiles = target.config.wgt_depth
    while most_tiles:
        prepared = Prepared(layer, target, most_tiles)
        for candidate in [schedule] if schedule else _any(prepared):
            try:
                lowered = Lowered(prepared, candidate)
            except Unfit:
                continue
            return LayerPlan(layer, target, candidate, 0, lowered)
        most_tiles //= 2
    raise CompileError(
        f"layer {layer.name}: a single output must fit the buffers of {target.config.name}, not "
        "need more; use a configuration with larger buffers"
    )


def _halves(value: int) -> Iterator[int]:
    while True:
        yield value
        if value == 1:
            return
        value = -(-value // 2)


def _any(prepared: Prepared) -> Iterator[Schedule]:
    height, width = prepared.spaces.extents[-1]
    ins = max((w.in_blocks for w in prepared.terms), default=1)
    outs = prepared.out_blocks
    for cols in _halves(width):
        for rows in _halves(height):
            for in_blocks in _halves(min(8, ins)):
                for group in _halves(min(4, outs)):
                    yield Schedule(rows, cols, group, group, in_blocks)
                    yield Schedule(
                        rows, cols, group, group, in_blocks, acc_slots=1, inp_slots=1, wgt_slots=1
                    )
