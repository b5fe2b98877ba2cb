"""Where the arenas of a program go: the fewest buffers that can be synchronised separately."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from vta_pynq.isa.table import INSN_BYTES, PAGE_BYTES
from vta_pynq.program import Arena, ArenaKind, Program
from vta_pynq.runtime.coherence import CoherencePlan, Event

__all__ = ["Block", "Placement", "place_program"]


@dataclasses.dataclass(frozen=True)
class Block:
    """What goes into one contiguous buffer: offset in bytes of each arena, by name.

    A block that is aligned to more than a page needs `slack` bytes more than `bytes`: its
    content begins at the first multiple of `alignment` in the buffer.
    """

    offsets: dict[str, int]
    bytes: int
    alignment: int = PAGE_BYTES
    insn_bytes: int = 0

    @property
    def slack(self) -> int:
        """Bytes to allocate on top so that an aligned start can be found."""
        return self.alignment - PAGE_BYTES


def _pack(arenas: Iterable[Arena], insn_bytes: int = 0) -> Block:
    """Arenas one after another, the most aligned first, behind the instructions."""
    ordered = sorted(arenas, key=lambda arena: -arena.alignment)
    offsets, position = {}, insn_bytes
    for arena in ordered:
        position = -(-position // arena.alignment) * arena.alignment
        offsets[arena.name] = position
        position += arena.bytes
    alignment = max((arena.alignment for arena in ordered), default=1)
    return Block(offsets, position, max(alignment, PAGE_BYTES), insn_bytes)


@dataclasses.dataclass(frozen=True)
class Placement:
    """The blocks of a program.

    Attributes
    ----------
    constants
        Written once and shared by all contexts; None where there are none.
    private
        Instructions, and what only the accelerator touches; never synchronised during a run.
    shared
        One block for each way of being synchronised.
    bound
        One block per input and output arena that the accelerator sees, by the arena's name; a
        caller may put a buffer of his own in its place.
    cpu_only
        Arenas that no instruction addresses.
    """

    constants: Block | None
    private: Block
    shared: tuple[Block, ...]
    bound: dict[str, Block]
    cpu_only: tuple[Arena, ...]


def place_program(program: Program, plan: CoherencePlan, extra_insns: int) -> Placement:
    """Distribute the arenas; `extra_insns` instructions are appended to the program's own."""
    constants: list[Arena] = []
    private: list[Arena] = []
    shared: dict[tuple[Event, ...], list[Arena]] = {}
    bound: dict[str, Block] = {}
    for arena in program.device_arenas:
        events = plan.events(arena.name)
        if arena.kind is ArenaKind.CONST:
            constants.append(arena)
        elif arena.kind is not ArenaKind.SCRATCH:
            bound[arena.name] = _pack([arena])
        elif events:
            shared.setdefault(events, []).append(arena)
        else:
            private.append(arena)
    insn_bytes = program.words.nbytes + extra_insns * INSN_BYTES
    seen = {arena.name for arena in program.device_arenas}
    return Placement(
        constants=_pack(constants) if constants else None,
        private=_pack(private, insn_bytes),
        shared=tuple(map(_pack, shared.values())),
        bound=bound,
        cpu_only=tuple(
            a for a in program.arenas if a.name not in seen and a.kind is not ArenaKind.CONST
        ),
    )
