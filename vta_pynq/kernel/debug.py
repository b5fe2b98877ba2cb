"""Debug options of the kernel builder."""

from __future__ import annotations

import dataclasses
from typing import TextIO

from vta_pynq.errors import KernelError
from vta_pynq.isa.table import Module

__all__ = ["Debug"]

_QUEUES = frozenset({Module.LOAD, Module.COMPUTE, Module.STORE})


@dataclasses.dataclass(frozen=True)
class Debug:
    """What the builder does besides building.

    Attributes
    ----------
    dump_insns
        Text stream that gets every instruction when the kernel is built.
    dump_uops
        Text stream that gets every micro-op when the kernel is built.
    force_serial
        Each instruction waits for the one before it, whatever its module. A kernel that is
        right with this and wrong without it lacks a token.
    disable
        Modules whose instructions are replaced by ones that only pass tokens.

    Raises
    ------
    KernelError
        `disable` names something else than LOAD, COMPUTE and STORE.
    """

    dump_insns: TextIO | None = None
    dump_uops: TextIO | None = None
    force_serial: bool = False
    disable: frozenset[Module] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "disable", frozenset(self.disable))
        wrong = self.disable - _QUEUES
        if wrong:
            raise KernelError(
                f"debug: disable must name LOAD, COMPUTE or STORE, not {sorted(map(str, wrong))[0]}"
            )
