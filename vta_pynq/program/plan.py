"""Checks of the memory plan: arenas, tensors, their lifetimes, and the flow of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vta_pynq.errors import ProgramError
from vta_pynq.program.memory import ArenaKind, Tensor
from vta_pynq.program.rules import at
from vta_pynq.program.steps import CpuStep

if TYPE_CHECKING:
    from vta_pynq.program.model import Program

__all__ = ["check_plan"]

_BOUND = {ArenaKind.INPUT: "inputs", ArenaKind.OUTPUT: "outputs"}
_WRITABLE = (ArenaKind.SCRATCH, ArenaKind.OUTPUT)


def check_plan(program: Program) -> None:
    """Check that tensors lie where they may, that no two collide, and that data is there."""
    for tensor in program.tensors:
        with at(f"tensor '{tensor.name}'"):
            _check_place(program, tensor)
            _check_lifetime(program, tensor)
    _check_ends(program)
    for arena in program.arenas:
        _check_overlaps(program, arena.name)
    _check_flow(program)


def _check_place(program: Program, tensor: Tensor) -> None:
    if tensor.arena not in program.arena_by_name:
        raise ProgramError(f"arena must be one of the program's, not '{tensor.arena}'")
    arena = program.arena(tensor.arena)
    if tensor.end > arena.bytes:
        raise ProgramError(
            f"end must be in arena '{arena.name}' of {arena.bytes} bytes, not at {tensor.end}"
        )
    if arena.alignment % tensor.np_dtype.itemsize:
        raise ProgramError(
            f"arena '{arena.name}' must be aligned for {tensor.dtype}, not to {arena.alignment}"
        )
    if tensor.alias_of is None:
        return
    root = program.tensor_by_name.get(tensor.alias_of)
    if root is None or root.alias_of is not None:
        raise ProgramError(
            f"alias_of must name a tensor that is no alias itself, not '{tensor.alias_of}'"
        )
    if root.arena != tensor.arena or not root.offset <= tensor.offset <= tensor.end <= root.end:
        raise ProgramError(f"memory must be part of that of '{root.name}', which it aliases")
    first, last = program.lifetime(tensor)
    root_first, root_last = program.lifetime(root)
    if first < root_first or last > root_last:
        raise ProgramError(
            f"lifetime must be part of {root_first}..{root_last} (of '{root.name}', which it "
            f"aliases), not {first}..{last}"
        )


def _check_lifetime(program: Program, tensor: Tensor) -> None:
    first, last = program.lifetime(tensor)
    end = len(program.steps) - 1
    if last > end:
        raise ProgramError(f"lifetime must end at step {end} or before, not {last}")
    kind = program.arena(tensor.arena).kind
    if kind is ArenaKind.CONST and tensor.lifetime is not None:
        raise ProgramError("lifetime must be null in a const arena")
    if tensor.name in program.inputs and first != 0:
        raise ProgramError(f"lifetime of a model input must begin at step 0, not {first}")
    if tensor.name in program.outputs and last != end:
        raise ProgramError(f"lifetime of a model output must end at step {end}, not {last}")


def _check_ends(program: Program) -> None:
    """Model inputs and outputs: one per arena of their kind, at its start."""
    for kind, field in _BOUND.items():
        names = getattr(program, field)
        for index, name in enumerate(names):
            tensor = program.tensor_by_name.get(name)
            if tensor is None:
                raise ProgramError(f"{field}[{index}] must name a tensor, not '{name}'")
            if program.arena(tensor.arena).kind is not kind:
                raise ProgramError(
                    f"{field}[{index}] '{name}' must lie in an arena of kind {kind}, "
                    f"not in '{tensor.arena}'"
                )
        if len(set(names)) != len(names):
            raise ProgramError(f"{field} must name each tensor once")
        for arena in program.arenas:
            if arena.kind is not kind:
                continue
            roots = [t for t in program.tensors_in(arena.name) if t.alias_of is None]
            if len(roots) != 1 or roots[0].name not in names or roots[0].offset:
                raise ProgramError(
                    f"arena '{arena.name}' must hold one of the model's {field} at its start and "
                    "nothing else but aliases of it"
                )


def _check_overlaps(program: Program, arena: str) -> None:
    tensors = sorted(
        (t for t in program.tensors_in(arena) if t.alias_of is None), key=lambda t: t.offset
    )
    offsets = np.array([t.offset for t in tensors], np.int64)
    lives = np.array([program.lifetime(t) for t in tensors], np.int64).reshape(-1, 2)
    for index, tensor in enumerate(tensors):
        stop = int(np.searchsorted(offsets, tensor.end))
        first, last = lives[index]
        later = lives[index + 1 : stop]
        clash = np.flatnonzero((later[:, 0] <= last) & (later[:, 1] >= first))
        if clash.size:
            other = tensors[index + 1 + int(clash[0])]
            raise ProgramError(
                f"tensor '{other.name}': memory must not overlap that of '{tensor.name}' "
                f"in arena '{arena}' while both live"
            )


def _check_flow(program: Program) -> None:
    """Every tensor is there when a step reads it, and may be written where a step writes it."""
    ready = set(program.inputs)
    for number, step in enumerate(program.steps):
        with at(f"step {number} '{step.name}'"):
            for side in ("inputs", "outputs"):
                for name in getattr(step, side):
                    _check_use(program, name, side, number)
            for name in step.inputs:
                tensor = program.tensor(name)
                is_const = program.arena(tensor.arena).kind is ArenaKind.CONST
                if not is_const and program.root(tensor).name not in ready:
                    raise ProgramError(
                        f"input '{name}' must be written by an earlier step or be a model input"
                    )
            written = {program.root(program.tensor(name)).name for name in step.outputs}
            if isinstance(step, CpuStep) and len(set(step.outputs)) != len(step.outputs):
                raise ProgramError("outputs must name each tensor once")
            ready |= written
    for name in program.outputs:
        if program.root(program.tensor(name)).name not in ready:
            raise ProgramError(f"output '{name}' must be written by a step")


def _check_use(program: Program, name: str, side: str, number: int) -> None:
    tensor = program.tensor_by_name.get(name)
    if tensor is None:
        raise ProgramError(f"{side} must name tensors of the program, not '{name}'")
    first, last = program.lifetime(tensor)
    if not first <= number <= last:
        raise ProgramError(f"tensor '{name}' must be alive, not only during steps {first}..{last}")
    kind = program.arena(tensor.arena).kind
    if side == "outputs" and kind not in _WRITABLE:
        raise ProgramError(
            f"output '{name}' must lie in a scratch or output arena, not in {kind} arena "
            f"'{tensor.arena}'"
        )
