"""Which DRAM bytes instructions read and write: the base of checks and of relocation."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ProgramError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import MemType, Opcode, elem_bytes

__all__ = ["Accesses", "find_accesses"]

_Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Accesses:
    """DRAM accesses of a stretch of instructions, one entry each, in order.

    `insn` numbers the instruction; `store` tells STORE from LOAD; `elem_bytes` is the size of
    its DRAM elements; `begin` and `end` (exclusive) are the outermost bytes that it touches,
    counted from where its `dram_base` counts from.
    """

    insn: _Ints
    store: npt.NDArray[np.bool_]
    elem_bytes: _Ints
    begin: _Ints
    end: _Ints

    def __len__(self) -> int:
        return len(self.insn)


def find_accesses(words: npt.NDArray[np.uint64], config: HwConfig) -> Accesses:
    """The DRAM accesses of instructions `words` (uint64, shape (n, 2)).

    A LOAD or STORE with `x_size` 0 moves nothing and only passes tokens (docs/isa.md, "Modules,
    queues, tokens"). One with `y_size` 0 is counted as one row: some hardware loads it.

    Raises
    ------
    ProgramError
        An opcode or a memory type is one that no module of the configuration knows.
    """
    records = decode(words, config)
    opcode = records["opcode"]
    known = np.isin(opcode, [int(o) for o in Opcode])
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        names = ", ".join(o.name for o in Opcode)
        raise ProgramError(f"insn {row}: opcode must be one of {names}, not {int(opcode[row])}")
    if not config.has(Capability.ALU_REQUANT) and (opcode == Opcode.REQUANT).any():
        raise ProgramError(
            f"insn {int(np.argmax(opcode == Opcode.REQUANT))}: opcode must not be REQUANT without "
            f"the capability {Capability.ALU_REQUANT} ({config.name})"
        )
    moves = ((opcode == Opcode.LOAD) | (opcode == Opcode.STORE)) & (records["x_size"] > 0)
    rows = np.flatnonzero(moves)
    records = records[rows]
    store = records["opcode"] == Opcode.STORE
    types = records["memory_type"]
    # STORE always writes elements of the output buffer, whatever its memory type says.
    wrong = np.where(store, types != MemType.OUT, ~np.isin(types, [int(t) for t in MemType]))
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        rule = "OUT in STORE" if store[index] else "one of " + ", ".join(t.name for t in MemType)
        raise ProgramError(
            f"insn {int(rows[index])}: memory_type must be {rule}, not {int(types[index])}"
        )
    size_of = np.array([elem_bytes(config, t) for t in sorted(MemType)], np.int64)
    size = size_of[types]
    begin = records["dram_base"].astype(np.int64) * size
    lines = np.maximum(records["y_size"].astype(np.int64), 1) - 1
    length = lines * records["x_stride"].astype(np.int64) + records["x_size"].astype(np.int64)
    return Accesses(rows.astype(np.int64), store, size, begin, begin + length * size)
