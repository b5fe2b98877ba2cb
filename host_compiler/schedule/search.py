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
from host_compiler.schedule.candidates import begun_early, candidates
from host_compiler.schedule.estimate import Estimator
from host_compiler.schedule.neighbours import neighbours
from host_compiler.schedule.parameters import Schedule
from host_compiler.schedule.signature import signature
from vta_pynq.errors import CompileError
from vta_pynq.timing import simulate

__all__ = ["measure", "plan_layer"]

_TIMED = 10
"""Candidates that the cycle model times."""
_ALIKE = 2
"""How many of them may have the same tile sizes."""
_EARLY = 2
"""How many begin all sums at once, where that is possible."""
_LOOKED_AT = 20
_MOST_TRAFFIC = 1.27
"""Bytes moved over compulsory ones that cost a schedule nothing."""
_GOOD = 0.975
"""Part of the bound that ends the search."""
_AHEAD = 3
"""Weight pieces that are loaded before any input where loading sets the pace."""
_ALONE = 0.002
"""By how much of itself the layer on its own may take longer for that."""
_FAIR = 0.94
"""Part of the bound below which small changes are tried."""
_WORTH_CYCLES = 10_000
"""Smaller layers do not matter to a network."""
_STEPS = 2
"""How many of them for each candidate that was timed."""


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
        trials = _Trials(prepared)
        for candidate in wanted:
            if trials.take(candidate) and trials.within(_GOOD):
                break
        if len(wanted) > 1:
            trials.refine(_STEPS * timed)
            trials.weights_first()
        if trials.best is None and schedule is None:
            any(trials.take(candidate) for candidate in _any(prepared))
        if trials.best is not None:
            if known is not None:
                known[key] = trials.best.schedule
            return trials.best
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
    return _measured(plan)[0]


def _measured(plan: LayerPlan) -> tuple[int, int]:
    """Cycles, and bytes moved."""
    profile = dataclasses.replace(plan.target.profile, timing=plan.target.timing)
    reports = [simulate(s, profile) for s in layer_kernel_builder(plan).build().streams()]
    moved = sum(sum(report.bytes_moved.values()) for report in reports)
    return sum(report.total_cycles for report in reports), moved


def _lowered(prepared: Prepared, schedule: Schedule) -> LayerPlan | None:
    try:
        lowered = Lowered(prepared, schedule)
    except Unfit:
        return None
    return LayerPlan(prepared.layer, prepared.target, schedule, 0, lowered)


class _Trials:
    """Schedules of a layer that were timed, and the best of them."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._bound = bound_of(prepared, prepared.target.timing)
        self._tried: set[Schedule] = set()
        self._cost = 0.0
        self.best: LayerPlan | None = None

    def take(self, schedule: Schedule, margin: float = 0.0) -> bool:
        """Time a schedule; whether it is now the best one.

        With a margin it may be worse by that part.
        """
        self._tried.add(schedule)
        plan = _lowered(self._prepared, schedule)
        if plan is None:
            return False
        cycles, moved = _measured(plan)
        cost = cycles * (1 + max(0.0, moved / max(1, self._bound.bytes) - _MOST_TRAFFIC))
        if self.best is not None and cost >= self._cost * (1 + margin):
            return False
        self.best, self._cost = dataclasses.replace(plan, estimated_cycles=cycles), cost
        return True

    def within(self, part: float) -> bool:
        """Whether the best one reaches a part of the bound."""
        return self._bound.cycles >= part * self._cost

    def refine(self, most: int) -> None:
        """Time small changes of the best schedule for as long as they help, at most `most`.

        Layers with little to compute gain by them: what their first data and their last results
        cost is a good part of the whole.
        """
        improved = self._bound.cycles >= _WORTH_CYCLES
        while improved and self.best is not None:
            improved = False
            for schedule in neighbours(self._prepared, self.best.schedule):
                if not most or self.within(_FAIR):
                    return
                if schedule not in self._tried:
                    most -= 1
                    if self.take(schedule):
                        improved = True
                        break

    def weights_first(self) -> None:
        """Where loading sets the pace, weights before the first input: in a network they are on
        their way while the layer before ends."""
        if self.best is None or self._bound.limited_by != "load":
            return
        ahead = min(_AHEAD, self.best.schedule.wgt_slots - 1)
        if ahead:
            self.take(dataclasses.replace(self.best.schedule, weights_ahead=ahead), _ALONE)


def _ranked(prepared: Prepared, count: int) -> list[Schedule]:
    """The candidates with the best estimates, few of each tile size."""
    estimator = Estimator(prepared)
    scored = ((estimator.cycles(s), n, s) for n, s in enumerate(candidates(estimator)))
    early = ((estimator.cycles(s), n, s) for n, s in enumerate(begun_early(estimator)))
    kept = [schedule for _, _, schedule in heapq.nsmallest(_EARLY, early)]
    alike: Counter[tuple[int, ...]] = Counter()
    for _, _, schedule in heapq.nsmallest(_LOOKED_AT * count, scored):
        size = (schedule.rows, schedule.cols, schedule.group, schedule.in_blocks)
        if alike[size] < _ALIKE:
            alike[size] += 1
            kept.append(schedule)
            if len(kept) >= count:
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
