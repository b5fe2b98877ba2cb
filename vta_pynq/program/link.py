"""Relocation: put the addresses of placed arenas into instructions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, MEM_FORMAT, PAGE_BYTES
from vta_pynq.program.memory import Arena
from vta_pynq.program.rules import at, integer
from vta_pynq.stream import InstructionStream, Segment, StreamLabel

if TYPE_CHECKING:
    from vta_pynq.program.model import Program

__all__ = ["link", "place", "streams"]


def place(insn_bytes: int, arenas: Iterable[Arena]) -> tuple[int, dict[str, int]]:
    """Addresses for a program that no device holds: of the instructions, and by arena.

    Raises
    ------
    ProgramError
        They do not fit the address space together.
    """
    insn_address = position = PAGE_BYTES
    position += max(insn_bytes, 1)
    addresses = {}
    for arena in arenas:
        step = max(arena.alignment, PAGE_BYTES)
        addresses[arena.name] = position = -(-position // step) * step
        position += arena.bytes
    if position > DRAM_BYTES:
        raise ProgramError(
            f"arenas must fit {DRAM_BYTES} bytes of address space together, not {position}"
        )
    return insn_address, addresses


def link(program: Program, addresses: Mapping[str, int]) -> npt.NDArray[np.uint64]:
    """The program's instructions with real addresses.

    Parameters
    ----------
    addresses
        Byte address, as the accelerator sees it, of every arena in `program.device_arenas`;
        others are ignored.

    Returns
    -------
    words
        New array of uint64, shape (n, 2).

    Raises
    ------
    ProgramError
        An address is missing, misaligned, or its arena does not end below 2^32.
    """
    bases = np.zeros(len(program.arenas), np.int64)
    with at(f"program '{program.model}'"):
        for index in np.unique(program.relocations.arena):
            bases[index] = _checked(program.arenas[int(index)], addresses)
    words = program.words.copy()
    rows = program.relocations.insn
    slot = next(s for s in format_layout(program.config, MEM_FORMAT) if s.field.name == "dram_base")
    # The checks at construction make the division exact and keep the sum within the field: the
    # access starts inside its arena and the arena ends below 2^32.
    elems = bases[program.relocations.arena] // program.accesses.elem_bytes
    column = words[rows, slot.word]
    old = (column >> np.uint64(slot.shift)) & np.uint64(slot.mask)
    new = old + elems.astype(np.uint64)
    cleared = column & ~np.uint64(slot.mask << slot.shift)
    words[rows, slot.word] = cleared | (new << np.uint64(slot.shift))
    return words


def _checked(arena: Arena, addresses: Mapping[str, int]) -> int:
    if arena.name not in addresses:
        raise ProgramError(f"arena '{arena.name}': address must be given; place it first")
    what = f"arena '{arena.name}': address"
    address = integer(addresses[arena.name], what, 0, DRAM_BYTES - 1)
    if address % arena.alignment:
        raise ProgramError(f"{what} must be a multiple of {arena.alignment}, not {address:#x}")
    if address + arena.bytes > DRAM_BYTES:
        raise ProgramError(
            f"{what} must leave {arena.bytes} bytes below {DRAM_BYTES:#x}, not {address:#x}"
        )
    return address


def streams(
    program: Program, addresses: Mapping[str, int] | None = None
) -> list[InstructionStream]:
    """One linked stream per `VtaStep`, for linter, disassembler, replay and cycle model.

    Without `addresses`, arenas are placed page by page from address 4096 on, behind the
    instructions. Every stream has the instruction segment (all instructions of the program;
    kind "INSN") where the program places it, and one segment per device arena (name and kind are
    the arena's name). Arenas without initial data have `data` None: what earlier steps leave
    there is not known here.
    """
    with at(f"program '{program.model}'"):
        insn_address, places = place(program.words.nbytes, program.arenas)
    words = link(program, places if addresses is None else addresses)
    chosen = places if addresses is None else addresses
    memory = tuple(
        Segment(arena.name, arena.name, int(chosen[arena.name]), arena.bytes, arena.data)
        for arena in program.device_arenas
    )
    found = []
    for step in program.vta_steps:
        part = words[step.begin : step.end]
        segments = memory
        if addresses is None:
            raw = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
            phys = insn_address + step.begin * INSN_BYTES
            segments = (Segment("instructions", "INSN", phys, raw.size, raw), *memory)
        labels = tuple(
            StreamLabel(max(label.begin, step.begin) - step.begin,
                        min(label.end, step.end) - step.begin, label.name)
            for label in program.labels
            if label.begin < step.end and label.end > step.begin
        )  # fmt: skip
        found.append(InstructionStream(step.name, program.config, part, segments, labels=labels))
    return found
