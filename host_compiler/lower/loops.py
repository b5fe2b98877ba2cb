"""Which indices of a GEMM item become the loops of its instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from host_compiler.lower.lowered import Lowered
from host_compiler.lower.nests import ItemShape, count_nests
from host_compiler.lower.work import Item
from host_compiler.schedule.parameters import LOOP_MODES

__all__ = ["choose_loops"]

_INSTRUCTION = 26
_UOP_LOAD = 12
"""Weights of the choice, about the cycles of an instruction and of a load of micro-ops. They only
rank modes; the cycle model has the last word."""


def choose_loops(lowered: Lowered) -> dict[ItemShape, str]:
    """A loop mode for every shape of an item: the least overhead in instructions and micro-ops.

    Micro-ops are loaded once for each combination of base addresses where all of them fit the
    micro-op SRAM, otherwise again for each item.
    """
    uses: Counter[ItemShape] = Counter()
    bases: dict[ItemShape, set[Hashable]] = {}
    terms: dict[ItemShape, int] = {}
    for at, work in enumerate(lowered.work):
        if isinstance(work, Item):
            shape = lowered.shape_of(work)
            uses[shape] += 1
            base = (
                lowered.acc_slot(work), lowered.inp_slots[at], lowered.wgt_slots[at],
                lowered.shift_of(work),
            )  # fmt: skip
            bases.setdefault(shape, set()).add(base)
            terms[shape] = work.term
    counts = {shape: len(places) for shape, places in bases.items()}
    chosen, total = _choose(lowered, uses, counts, terms)
    if total > lowered.prepared.target.uop_depth:
        chosen, _ = _choose(lowered, uses, dict(uses), terms)
    return chosen


def _choose(
    lowered: Lowered, uses: Counter[ItemShape], loads: dict[ItemShape, int],
    terms: dict[ItemShape, int],
) -> tuple[dict[ItemShape, str], int]:  # fmt: skip
    distance = lowered.prepared.target.profile.gemm_acc_distance
    given = lowered.schedule.loops
    chosen: dict[ItemShape, str] = {}
    total = 0
    for shape, count in uses.items():
        term = terms[shape]
        modes = (given[term],) if term < len(given) and given[term] else LOOP_MODES
        best: tuple[int, int, str] | None = None
        for mode in modes:
            found = count_nests(shape, mode, distance)
            if found is not None:
                instructions, uops = found
                cost = count * instructions * _INSTRUCTION
                cost += loads[shape] * (uops + instructions * _UOP_LOAD)
                if best is None or cost < best[0]:
                    best = cost, uops, mode
        chosen[shape] = "" if best is None else best[2]
        total += loads[shape] * (0 if best is None else best[1])
    return chosen, total
