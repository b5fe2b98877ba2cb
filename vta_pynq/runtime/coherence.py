"""Which buffers to flush and to invalidate, and when: computed once from a program's steps.

One unit of synchronisation is an arena that both sides touch. From pynq 3.1 on a flush or
invalidate moves a whole buffer, so a flush must not happen while the accelerator has newer data
in the arena, nor an invalidate while the CPU has. The plan keeps that: before the CPU writes into
an arena in which the accelerator left something that is still needed, the arena is invalidated;
before the accelerator writes into an arena that the CPU wrote to, it is flushed, even if nothing
in it is read (a dirty cache line that is evicted later would overwrite the accelerator's result).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from vta_pynq.program import ArenaKind, Program, Tensor, VtaStep

__all__ = ["CoherencePlan", "Event", "plan_coherence"]

Event = tuple[int, str]
"""Step number and `flush` or `invalidate`: what happens to an arena before that step."""


@dataclasses.dataclass(frozen=True)
class CoherencePlan:
    """Names of arenas to synchronise; index i is done before step i, the last one at the end.

    Attributes
    ----------
    flush, invalidate
        One tuple of arena names per step, and one more for the end of the run. Of accelerator
        steps in a row, the first one has what any of them needs.
    """

    flush: tuple[tuple[str, ...], ...]
    invalidate: tuple[tuple[str, ...], ...]

    def events(self, arena: str) -> tuple[Event, ...]:
        """When an arena is synchronised; arenas with equal events may share a buffer."""
        found = [(i, "invalidate") for i, names in enumerate(self.invalidate) if arena in names]
        found += [(i, "flush") for i, names in enumerate(self.flush) if arena in names]
        return tuple(sorted(found))


class _Walk:
    """One pass over the steps; `stale_lines` are arenas with unflushed lines at the start."""

    def __init__(self, program: Program, stale_lines: frozenset[str]) -> None:
        self.program = program
        self.shared = {a.name: a for a in program.device_arenas if a.kind is not ArenaKind.CONST}
        # Names of tensors (roots) that the CPU wrote and did not flush, or that the accelerator
        # wrote and the CPU has not seen.
        self.cpu_newer: dict[str, set[str]] = {name: set() for name in self.shared}
        self.device_newer: dict[str, set[str]] = {name: set() for name in self.shared}
        for name, arena in self.shared.items():
            if arena.kind is ArenaKind.INPUT:
                self.cpu_newer[name] |= {t.name for t in program.tensors_in(name)}
            elif name in stale_lines:
                self.cpu_newer[name].add("")  # lines of a tensor that nobody needs any more
        self.last_use = self._last_use()
        count = len(program.steps) + 1
        self.flush: list[list[str]] = [[] for _ in range(count)]
        self.invalidate: list[list[str]] = [[] for _ in range(count)]

    def _last_use(self) -> dict[str, int]:
        uses = {}
        for number, step in enumerate(self.program.steps):
            for tensor in self._roots(step.inputs):
                uses[tensor.name] = number
        for tensor in self._roots(self.program.outputs):
            uses[tensor.name] = len(self.program.steps)
        return uses

    def _roots(self, names: Iterable[str]) -> list[Tensor]:
        return [self.program.root(self.program.tensor(name)) for name in names]

    def _by_arena(self, names: Iterable[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for tensor in self._roots(names):
            if tensor.arena in self.shared:
                found.setdefault(tensor.arena, set()).add(tensor.name)
        return found

    def device_step(self, number: int, step: VtaStep) -> None:
        # Between submissions without a CPU step nothing gets dirty: flush before the first.
        while number and isinstance(self.program.steps[number - 1], VtaStep):
            number -= 1
        reads, writes = self._by_arena(step.inputs), self._by_arena(step.outputs)
        for arena in sorted({*reads, *writes}):
            newer = self.cpu_newer[arena]
            if newer & reads.get(arena, set()) or (newer and arena in writes):
                self.flush[number].append(arena)
                newer.clear()
            self.device_newer[arena] |= writes.get(arena, set())

    def cpu_step(self, number: int, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        reads, writes = self._by_arena(inputs), self._by_arena(outputs)
        for arena in sorted({*reads, *writes}):
            newer = self.device_newer[arena]
            needed = {name for name in newer if self.last_use.get(name, -1) >= number}
            if newer & reads.get(arena, set()) or (needed and arena in writes):
                self.invalidate[number].append(arena)
                newer.clear()
            if arena in writes:
                newer.clear()  # what is left of it, nobody reads any more
            self.cpu_newer[arena] |= writes.get(arena, set())

    def run(self) -> None:
        for number, step in enumerate(self.program.steps):
            if isinstance(step, VtaStep):
                self.device_step(number, step)
            else:
                self.cpu_step(number, step.inputs, step.outputs)
        self.cpu_step(len(self.program.steps), self.program.outputs, ())

    @property
    def stale_lines(self) -> frozenset[str]:
        return frozenset(
            name
            for name, newer in self.cpu_newer.items()
            if newer and self.shared[name].kind is not ArenaKind.INPUT
        )


def plan_coherence(program: Program) -> CoherencePlan:
    """The plan for every run of a program, whichever run came before."""
    first = _Walk(program, frozenset())
    first.run()
    # What one run leaves unflushed, the next one finds; a third would find the same.
    walk = _Walk(program, first.stale_lines)
    walk.run()
    return CoherencePlan(
        flush=tuple(map(tuple, walk.flush)), invalidate=tuple(map(tuple, walk.invalidate))
    )
