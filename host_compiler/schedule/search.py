"""The schedule of a layer: candidates by an estimate, the best of them by the cycle model."""

from __future__ import annotations

import dataclasses
import heapq
from collections import Counter
from collections.abc import Iterator, MutableMapping

from host_compiler.layer import Layer
from host_compiler.lower.lowered import Lowered, Unfit
from host_compiler.lower.plan import LayerPlan, layer_kernel_builder
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.bound import bound_of
from host_compiler.schedule.candidates import candidates
from host_compiler.schedule.estimate import Estimator
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.signature import signature
from vta_pynq.errors import CompileError
from vta_pynq.timing import simulate

__all__ = ["measure", "plan_layer"]

_TIMED = 10
"""Candidates that the cycle model times."""
_ALIKE = 2
"""How many of them may have the same tile sizes."""
_LOOKED_AT = 20
_GOOD = 0.975
"""Part of the bound that ends the search."""


def plan_layer(
    layer: Layer,
    target: Target,
    schedule: Schedule | None = None,
    timed: int = _TIMED,
    known: MutableMapping[str, Schedule] | None = None,
) -> LayerPlan:
    """Plan a layer. Deterministic.

    Parameters
    ----------
    layer, target
        What to plan, and for what.
    schedule
        A schedule to use, such as one that a tuner found; None searches one.
    timed
        How many candidates the cycle model times.
    known
        Schedules by `signature`: one that is there is used instead of a search, one that is
        found is put there. Layers that are alike are so searched once.

    Raises
    ------
    CompileError
        The layer cannot run on the target, or nothing (or not the given schedule) fits.
    """
    most_tiles = target.config.wgt_depth
    while most_tiles:
        prepared = Prepared(layer, target, most_tiles)
        key = "" if known is None else signature(prepared)
        wanted = [schedule] if schedule is not None else []
        if known is not None and schedule is None and key in known:
            wanted = [known[key]]
        wanted = wanted or _ranked(prepared, timed)
        best: LayerPlan | None = None
        enough = bound_of(prepared, target.timing).cycles / _GOOD
        for candidate in wanted:
            plan = _try(prepared, candidate)
            if plan is not None and (best is None or plan.estimated_cycles < best.estimated_cycles):
                best = plan
                if best.estimated_cycles <= enough:
                    break
        if best is None and schedule is None:
            best = next((p for p in (_try(prepared, s) for s in _any(prepared)) if p), None)
        if best is not None:
            if known is not None:
                known[key] = best.schedule
            return best
        most_tiles //= 2
    if schedule is not None:
        raise CompileError(
            f"layer {layer.name}: schedule must fit the buffers of {target.config.name}, not be "
            f"{schedule}; let the scheduler search one"
        )
    raise CompileError(
        f"layer {layer.name}: a single output must fit the buffers of {target.config.name}, not "
        "need more; use a configuration with larger buffers"
    )


def measure(plan: LayerPlan) -> int:
    """Cycles of a layer on its own by the cycle model (of the default profile where the target's
    has no notion of time)."""
    profile = dataclasses.replace(plan.target.profile, timing=plan.target.timing)
    streams = layer_kernel_builder(plan).build().streams()
    return sum(simulate(stream, profile).total_cycles for stream in streams)


def _try(prepared: Prepared, schedule: Schedule) -> LayerPlan | None:
    try:
        lowered = Lowered(prepared, schedule)
    except Unfit:
        return None
    plan = LayerPlan(prepared.layer, prepared.target, schedule, 0, lowered)
    return dataclasses.replace(plan, estimated_cycles=measure(plan))


def _ranked(prepared: Prepared, count: int) -> list[Schedule]:
    """The candidates with the best estimates, few of each tile size."""
    estimator = Estimator(prepared)
    scored = ((estimator.cycles(s), n, s) for n, s in enumerate(candidates(estimator)))
    kept: list[Schedule] = []
    alike: Counter[tuple[int, ...]] = Counter()
    for _, _, schedule in heapq.nsmallest(_LOOKED_AT * count, scored):
        size = (schedule.rows, schedule.cols, schedule.group, schedule.in_blocks)
        if alike[size] < _ALIKE:
            alike[size] += 1
            kept.append(schedule)
            if len(kept) == count:
                break
    return kept


def _halves(value: int) -> Iterator[int]:
    while True:
        yield value
        if value == 1:
            return
        value = -(-value // 2)


def _any(prepared: Prepared) -> Iterator[Schedule]:
    """Simple schedules, from large tiles to a single output."""
    height, width = prepared.spaces.extents[-1]
    ins = max((w.in_blocks for w in prepared.terms), default=1)
    for cols in _halves(width):
        for rows in _halves(height):
            for in_blocks in _halves(min(8, ins)):
                for group in _halves(min(4, prepared.out_blocks)):
                    for slots in (2, 1):
                        yield Schedule(
                            rows, cols, group, group, in_blocks, inp_slots=slots,
                            wgt_slots=slots, acc_slots=slots,
                        )  # fmt: skip
