"""How the parts of a program must fit together: what holds for every `Program` that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vta_pynq.program.model import Program

__all__ = ["check_program"]


def check_program(program: Program) -> None:
    """Check everything; the file reader and every constructor go through here."""
