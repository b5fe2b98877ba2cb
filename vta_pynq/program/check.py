"""How the parts of a program must fit together: what holds for every `Program` that exists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import ProgramError
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, Opcode
from vta_pynq.program.link import place
from vta_pynq.program.memory import Arena, ArenaKind, Tensor
from vta_pynq.program.plan import check_plan
from vta_pynq.program.rules import at, integer, pattern, shown, text
from vta_pynq.program.steps import CpuStep, LayerReport, Relocations, VtaStep
from vta_pynq.stream import StreamLabel

if TYPE_CHECKING:
    from vta_pynq.program.model import Program

__all__ = ["check_program"]

MAX_ARENAS = 256
MAX_TENSORS = 1 << 14
MAX_STEPS = 1 << 14
MAX_LABELS = 1 << 18
_VERSION_LIMIT = 1 << 16
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def check_program(program: Program) -> None:
    """Check everything; the file reader and every constructor go through here.

    Raises
    ------
    ProgramError
        The parts do not fit together; the message names the place.
    """
    _check_head(program)
    for field, kinds, limit in (
        ("arenas", (Arena,), MAX_ARENAS),
        ("tensors", (Tensor,), MAX_TENSORS),
        ("steps", (VtaStep, CpuStep), MAX_STEPS),
        ("layers", (LayerReport,), MAX_LABELS),
        ("labels", (StreamLabel,), MAX_LABELS),
        ("inputs", (str,), MAX_ARENAS),
        ("outputs", (str,), MAX_ARENAS),
    ):
        _check_list(getattr(program, field), field, kinds, limit)
    for field in ("arenas", "tensors", "steps"):
        _check_unique((part.name for part in getattr(program, field)), field)
    if not program.steps:
        raise ProgramError("steps must be at least one")
    if not program.outputs:
        raise ProgramError("outputs must be at least one")
    place(program.words.nbytes, program.arenas)
    check_plan(program)
    _check_ranges(program)
    _check_relocations(program)
    for step in program.vta_steps:
        with at(f"step '{step.name}'"):
            _check_declared(program, step)
    _check_reports(program)


def _check_head(program: Program) -> None:
    text(program.model, "model")
    if not isinstance(program.config, HwConfig):
        raise ProgramError(f"config must be a HwConfig, not {shown(program.config)}")
    if not isinstance(program.relocations, Relocations):
        raise ProgramError(f"relocations must be Relocations, not {shown(program.relocations)}")
    pattern(program.profile, "profile", _PROFILE, "the name of a hardware profile")
    if not isinstance(program.version, tuple) or len(program.version) != 2:
        raise ProgramError(f"version must be two numbers, not {shown(program.version)}")
    for number in program.version:
        integer(number, "version", 0, _VERSION_LIMIT)


def _check_list(parts: tuple[Any, ...], field: str, kinds: tuple[type, ...], limit: int) -> None:
    if len(parts) > limit:
        raise ProgramError(f"{field} must be at most {limit}, not {len(parts)}")
    for index, part in enumerate(parts):
        if not isinstance(part, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ProgramError(f"{field}[{index}] must be {names}, not {shown(part)}")
        if isinstance(part, str):
            text(part, f"{field}[{index}]")


def _check_unique(names: Iterable[str], field: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ProgramError(f"{field} must have different names, not '{name}' twice")
        seen.add(name)


def _check_ranges(program: Program) -> None:
    """Submissions follow one another without a gap, each with one FINISH, at its end."""
    slot = format_layout(program.config, MEM_FORMAT)[0]
    opcodes = (program.words[:, slot.word] >> np.uint64(slot.shift)) & np.uint64(slot.mask)
    finishes = np.flatnonzero(opcodes == Opcode.FINISH)
    position = 0
    for number, step in enumerate(program.vta_steps):
        where = f"step '{step.name}'"
        if step.begin != position:
            raise ProgramError(
                f"{where}: begin must be {position}, where the step before ends, not {step.begin}"
            )
        if step.end > len(program.words):
            raise ProgramError(
                f"{where}: end must be in 1..{len(program.words)} (instructions), not {step.end}"
            )
        position = step.end
        if number >= len(finishes) or finishes[number] >= step.end:
            raise ProgramError(f"{where}: insn {step.end - 1} must be FINISH")
        if finishes[number] != step.end - 1:
            raise ProgramError(
                f"{where}: FINISH must be the last instruction, {step.end - 1}, "
                f"not {int(finishes[number])}"
            )
    if position != len(program.words):
        raise ProgramError(
            f"steps must cover all {len(program.words)} instructions, not {position}"
        )


def _check_relocations(program: Program) -> None:
    """Exactly the instructions with an address are relocated, and stay inside their arena."""
    found, accesses = program.relocations, program.accesses
    insn = found.insn.astype(np.int64)
    if len(insn) > 1 and (np.diff(insn) <= 0).any():
        index = int(np.flatnonzero(np.diff(insn) <= 0)[0]) + 1
        raise ProgramError(f"relocations[{index}]: insn must be above the one before")
    extra = np.flatnonzero(~np.isin(insn, accesses.insn))
    if extra.size:
        index = int(extra[0])
        raise ProgramError(
            f"relocations[{index}]: insn must be an instruction with an address, "
            f"not {int(insn[index])}"
        )
    missing = np.flatnonzero(~np.isin(accesses.insn, insn))
    if missing.size:
        raise ProgramError(f"insn {int(accesses.insn[missing[0]])}: address must have a relocation")
    if len(insn) and int(found.arena.max()) >= len(program.arenas):
        index = int(np.argmax(found.arena))
        raise ProgramError(
            f"relocations[{index}]: arena must be in 0..{len(program.arenas) - 1}, "
            f"not {int(found.arena[index])}"
        )
    for number in np.unique(found.arena):
        _check_arena(program, int(number))


def _check_arena(program: Program, number: int) -> None:
    arena, accesses = program.arenas[number], program.accesses
    mine = np.flatnonzero(program.relocations.arena == number)

    def refuse(bad: npt.NDArray[np.bool_], rule: str, values: npt.NDArray[Any]) -> None:
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            raise ProgramError(
                f"insn {int(accesses.insn[mine[index]])}: arena '{arena.name}' must {rule}, "
                f"not {values[index]}"
            )

    sizes, ends = accesses.elem_bytes[mine], accesses.end[mine]
    refuse(arena.alignment % sizes != 0, f"be aligned to whole elements ({arena.alignment})", sizes)
    refuse(ends > arena.bytes, f"hold the whole access ({arena.bytes} bytes)", ends)
    if arena.kind in (ArenaKind.CONST, ArenaKind.INPUT):
        stores = accesses.store[mine]
        refuse(stores, "be of kind scratch or output for STORE", np.full(len(mine), arena.kind))


def _check_declared(program: Program, step: VtaStep) -> None:
    """What a step accesses outside `const` arenas lies in tensors that it lists."""
    accesses = program.accesses
    rows = slice(*np.searchsorted(accesses.insn, (step.begin, step.end)))
    arenas = program.relocations.arena[rows]
    for number in np.unique(arenas):
        arena = program.arenas[int(number)]
        if arena.kind is ArenaKind.CONST:
            continue
        for store, names in ((True, step.outputs), (False, step.inputs + step.outputs)):
            mine = np.flatnonzero((arenas == number) & (accesses.store[rows] == store))
            covered = _ranges(program, arena.name, names)
            begin, end = accesses.begin[rows][mine], accesses.end[rows][mine]
            index = np.searchsorted(covered[:, 0], begin, side="right") - 1
            bad = (index < 0) | (end > covered[index, 1]) if len(covered) else begin >= 0
            if bad.any():
                first = int(np.flatnonzero(bad)[0])
                raise ProgramError(
                    f"insn {int(accesses.insn[rows][mine[first]])}: bytes {int(begin[first])}.."
                    f"{int(end[first]) - 1} of arena '{arena.name}' must lie in "
                    f"{'outputs' if store else 'inputs'} that the step lists"
                )


def _ranges(program: Program, arena: str, names: Iterable[str]) -> npt.NDArray[np.int64]:
    """Merged byte ranges of the named tensors in an arena: shape (n, 2), ascending."""
    merged: list[list[int]] = []
    tensors = [program.tensor(name) for name in names]
    for begin, end in sorted((t.offset, t.end) for t in tensors if t.arena == arena):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return np.array(merged, np.int64).reshape(-1, 2)


def _check_reports(program: Program) -> None:
    for index, label in enumerate(program.labels):
        with at(f"labels[{index}]"):
            text(label.name, "name")
            begin = integer(label.begin, "begin", 0, max(0, len(program.words) - 1))
            integer(label.end, "end", begin + 1, len(program.words))
    for index, layer in enumerate(program.layers):
        integer(layer.step, f"layers[{index}]: step", 0, len(program.steps) - 1)
