"""Which indices of a GEMM item become the loops of its instructions."""

from __future__ import annotations

from host_compiler.lower.nests import ItemShape, count_nests
from host_compiler.lower.prepared import Prepared
from host_compiler.schedule.parameters import LOOP_MODES, Schedule

__all__ = ["LoopChooser"]


class LoopChooser:
    """Gives each item the schedule's mode, or the one with the least overhead."""

    def __init__(self, prepared: Prepared, schedule: Schedule) -> None:
        self._schedule = schedule
        self._distance = prepared.target.profile.gemm_acc_distance
        self._depth = prepared.target.uop_depth
        self._chosen: dict[ItemShape, str] = {}

    def mode(self, term: int, shape: ItemShape) -> str:
        """The mode for an item."""
        if term < len(self._schedule.loops):
            wanted = self._schedule.loops[term]
            if count_nests(shape, wanted, 1) is not None:
                return wanted
        if shape not in self._chosen:
            self._chosen[shape] = self._best(shape)
        return self._chosen[shape]

    def _best(self, shape: ItemShape) -> str:
        best: tuple[int, str] | None = None
        for mode in LOOP_MODES:
            counts = count_nests(shape, mode, self._distance)
            if counts is None:
                continue
            instructions, uops = counts
            cost = 60 * instructions + uops
            if best is None or cost < best[0]:
                best = cost, mode
        return "" if best is None else best[1]
