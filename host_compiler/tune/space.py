"""The space of a layer's schedules: random moves in it, and what is worth a trial."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from host_compiler.schedule.estimate import Estimator
from host_compiler.schedule.parameters import LOOP_MODES, Schedule
from host_compiler.tune.subject import Subject

__all__ = ["MOST_ITEMS", "Space"]

MOST_ITEMS = 6000
"""Pieces of work (GEMM items) of a schedule that is tried at all: a good one has a tenth of that,
and lowering takes about a millisecond each."""

_SLOTS = 64
_CHANGES = (0.55, 0.85, 1.0)
"""One field changes in 55 % of the moves, two in 30 %, three in the others."""


class Space:
    """Schedules of one layer; every choice is made by the generator that a caller passes.

    The heuristic's candidates are a grid: powers of two of blocks, a few numbers of slots, loops
    by a formula. Here any size is possible and each term's loops may be set.
    """

    def __init__(self, subject: Subject) -> None:
        prepared = subject.prepared
        self.estimator = Estimator(prepared)
        self._prepared, self._config = prepared, prepared.target.config
        height, width = prepared.spaces.extents[-1]
        main = self.estimator.main
        self._terms = len(prepared.terms)
        self._ranges = {
            "rows": _tile_sizes(height),
            "cols": _tile_sizes(width),
            "blocks": _tile_sizes(prepared.out_blocks),
            "group": list(range(1, prepared.out_blocks + 1)),
            "in_blocks": list(range(1, (1 if main is None else main.in_blocks) + 1)),
            "inp_slots": list(range(1, _SLOTS + 1)),
            "wgt_slots": list(range(1, _SLOTS + 1)),
            "acc_slots": list(range(1, _SLOTS + 1)),
        }
        self._moves: dict[str, Callable[[Schedule, random.Random], Schedule]] = {
            name: functools.partial(self._step, name) for name in self._ranges
        }
        self._moves["channels_outer"] = functools.partial(_flip, "channels_outer")
        self._moves["gemm_addend"] = functools.partial(_flip, "gemm_addend")
        self._moves["area"] = self._trade_area
        self._moves["largest slots"] = self._fill_slots
        if self._terms:
            self._moves["loops"] = self._set_loop

    # ---- moves ---------------------------------------------------------------------------

    def neighbour(self, schedule: Schedule, chance: random.Random) -> Schedule:
        """A schedule that differs in one to three fields."""
        draw = chance.random()
        changes = next(n for n, most in enumerate(_CHANGES, 1) if draw <= most)
        for name in chance.sample(list(self._moves), changes):
            schedule = self._moves[name](schedule, chance)
        return self.repaired(schedule)

    def crossed(self, one: Schedule, other: Schedule, chance: random.Random) -> Schedule:
        """Each field from one of two schedules."""
        fields = [field.name for field in dataclasses.fields(Schedule)]
        taken = {name: getattr(chance.choice((one, other)), name) for name in fields}
        return self.repaired(Schedule(**taken))

    def _step(self, name: str, schedule: Schedule, chance: random.Random) -> Schedule:
        """A field to a value near by, or now and then to any."""
        values = self._ranges[name]
        draw = chance.random()
        if draw < 0.2:
            value = chance.choice(values)
        elif draw < 0.5:
            wanted = getattr(schedule, name) * chance.choice((0.5, 2.0))
            value = min(values, key=lambda v: (abs(v - wanted), v))
        else:
            now = min(values, key=lambda v: (abs(v - getattr(schedule, name)), v))
            place = values.index(now) + chance.choice((-2, -1, 1, 2))
            value = values[min(max(place, 0), len(values) - 1)]
        return _changed(schedule, {name: value})

    def _trade_area(self, schedule: Schedule, chance: random.Random) -> Schedule:
        """Fewer rows for more blocks of channels at a time, or the other way round."""
        grow, shrink = chance.sample(("rows", "cols", "group", "in_blocks"), 2)
        changed = {}
        for name, factor in ((grow, 2.0), (shrink, 0.5)):
            wanted = getattr(schedule, name) * factor
            changed[name] = min(self._ranges[name], key=lambda v: (abs(v - wanted), v))
        return _changed(schedule, changed)

    def _fill_slots(self, s: Schedule, chance: random.Random) -> Schedule:
        """As many input or weight slots as fit, or both."""
        estimator, config = self.estimator, self._config
        place, main = estimator.place(s.rows, s.cols), estimator.main
        if main is None:
            return s
        piece = max(1, min(s.in_blocks, main.in_blocks) * place.piece_pixels[main.index])
        tiles_ = max(1, estimator.tiles_of(main, s.group, s.in_blocks))
        most = {"inp_slots": config.inp_depth // piece, "wgt_slots": config.wgt_depth // tiles_}
        chosen = chance.choice((("inp_slots",), ("wgt_slots",), ("inp_slots", "wgt_slots")))
        # The last element or two may be a constant's: one slot fewer is tried as well.
        less = chance.choice((0, 0, 1))
        changed = {name: min(max(1, most[name] - less), _SLOTS) for name in chosen}
        return _changed(s, changed)

    def _set_loop(self, schedule: Schedule, chance: random.Random) -> Schedule:
        """Other loops for one term; half of the time the lowering's own choice for all."""
        if schedule.loops and chance.random() < 0.5:
            return dataclasses.replace(schedule, loops=())
        loops = list(schedule.loops or [""] * self._terms)
        loops[chance.randrange(self._terms)] = chance.choice(LOOP_MODES)
        return dataclasses.replace(schedule, loops=tuple(loops) if any(loops) else ())

    def repaired(self, schedule: Schedule) -> Schedule:
        """The same with every field in its range and the fields in agreement."""
        changed = {
            name: min(values, key=lambda v: (abs(v - getattr(schedule, name)), v))
            for name, values in self._ranges.items()
        }
        changed["group"] = min(changed["group"], changed["blocks"])
        groups = -(-changed["blocks"] // changed["group"])
        changed["acc_slots"] = min(max(changed["acc_slots"], groups), max(groups, _SLOTS))
        if changed["blocks"] >= self._prepared.out_blocks:
            return _changed(schedule, {**changed, "channels_outer": False})
        return _changed(schedule, changed)

    # ---- what is worth a trial -----------------------------------------------------------

    def items(self, schedule: Schedule) -> int:
        """Pieces of work, about."""
        prepared = self._prepared
        height, width = prepared.spaces.extents[-1]
        places = -(-height // schedule.rows) * -(-width // schedule.cols) * prepared.images
        groups = -(-prepared.out_blocks // schedule.group)
        main = self.estimator.main
        chunks = 1 if main is None else -(-main.in_blocks // schedule.in_blocks)
        return places * groups * (chunks + self._terms)

    def promising(self, schedule: Schedule) -> float | None:
        """The estimate's cycles; None for what surely does not fit, or has too many pieces."""
        if self.items(schedule) > MOST_ITEMS or not self._fits(schedule):
            return None
        return self.estimator.cycles(schedule)

    def _fits(self, s: Schedule) -> bool:
        """Whether the largest term's slots and the accumulators fit; others may still not."""
        estimator, config = self.estimator, self._config
        place = estimator.place(s.rows, s.cols)
        if s.acc_slots * estimator.acc_need(place, s.group) > config.acc_depth:
            return False
        main = estimator.main
        if main is None:
            return True
        piece = min(s.in_blocks, main.in_blocks) * place.piece_pixels[main.index]
        tiles_ = estimator.tiles_of(main, s.group, s.in_blocks)
        return s.inp_slots * piece <= config.inp_depth and s.wgt_slots * tiles_ <= config.wgt_depth


def _changed(schedule: Schedule, values: Mapping[str, Any]) -> Schedule:
    return dataclasses.replace(schedule, **values)


def _flip(name: str, schedule: Schedule, chance: random.Random) -> Schedule:
    return _changed(schedule, {name: not getattr(schedule, name)})


def _tile_sizes(extent: int) -> Sequence[int]:
    """Whatever gives another number of parts."""
    return sorted({-(-extent // count) for count in range(1, extent + 1)})
