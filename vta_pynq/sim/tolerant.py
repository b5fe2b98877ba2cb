"""Runs on as the own design does: an instruction in error does nothing but its tokens.

The fast engine stops at such an instruction. Here it is replaced, and what was not executed yet
is run, until nothing stops it any more; the errors are those that the hardware's bits show.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import HARDWARE_ERRORS
from vta_pynq.isa.encode import INSN_DTYPE, decode, encode
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, TOKENS, MemType, Module, Opcode, module_of

if TYPE_CHECKING:
    from vta_pynq.sim.accelerator import Outcome
    from vta_pynq.sim.engine import StreamError

__all__ = ["Remainder", "error_bit", "spare_address"]

_BITS = {name: bit for bit, name in enumerate(HARDWARE_ERRORS)}
_KINDS = {
    "OPCODE": "unknown_opcode",
    "MEMORY_TYPE": "unknown_memory_type",
    "ALU_OPCODE": "unknown_alu_op",
    "SRAM_RANGE": "sram_range",
    "UOP_RANGE": "sram_range",
}
_EMPTY = {
    # An instruction of each queue that moves nothing.
    Module.LOAD: (Opcode.LOAD, MemType.INP),
    Module.COMPUTE: (Opcode.LOAD, MemType.UOP),
    Module.STORE: (Opcode.STORE, MemType.OUT),
}
_PUSHES = tuple(dict.fromkeys(token.push_flag for token in TOKENS))


def error_bit(error: StreamError) -> int | None:
    """The bit that the hardware sets for what the engine met; None where it has none."""
    name = _KINDS.get(error.kind.name)
    return None if name is None else 1 << _BITS[name]


def spare_address(base: int, size: int, count: int) -> int:
    """A byte address for `count` instructions outside DRAM at `base`."""
    end = -(-(base + size) // INSN_BYTES) * INSN_BYTES
    needed = count * INSN_BYTES
    return end if end + needed <= DRAM_BYTES else base // INSN_BYTES * INSN_BYTES - needed


class Remainder:
    """The part of a stream that was not executed yet.

    Attributes
    ----------
    words
        Its instructions, (n, 2) uint64, in their order.
    errors
        Error bits that were found so far, by module.
    executed
        Instructions executed so far, in the order of `Module`.
    """

    def __init__(self, words: npt.NDArray[np.uint64], config: HwConfig) -> None:
        self.words = words
        self.errors: dict[Module, int] = {}
        self.executed = [0] * len(Module)
        self._config = config

    def drop(self, error: StreamError, bit: int) -> None:
        """Leave out what was executed, and the effect of the instruction that stopped the run."""
        self.errors[error.module] = self.errors.get(error.module, 0) | bit
        records = decode(self.words, self._config)
        queues = np.array(
            [
                Module.FETCH if (m := module_of(int(o), int(t))) is None else m
                for o, t in zip(records["opcode"], records["memory_type"], strict=True)
            ]
        )
        keep = np.ones(len(self.words), bool)
        for module in _EMPTY:
            keep[np.flatnonzero(queues == module)[: error.executed[module]]] = False
            self.executed[module] += error.executed[module]
        self.words = self.words.copy()
        if error.module is Module.FETCH:
            keep[error.insn] = False  # no module gets it
        else:
            self.words[error.insn] = self._emptied(records[error.insn], error.module)
        self.words = self.words[keep]

    def outcome(self, last: Outcome, count: int) -> Outcome:
        """That of the whole stream of `count` instructions; `last` is that of the remainder."""
        executed = [
            before + after for before, after in zip(self.executed, last.executed, strict=True)
        ]
        left = len(self.words) - last.executed[Module.FETCH]
        executed[Module.FETCH] = count - left
        errors = tuple(self.errors.get(module, 0) for module in Module)
        return dataclasses.replace(last, executed=tuple(executed), errors=errors)

    def _emptied(self, record: np.void, module: Module) -> npt.NDArray[np.uint64]:
        # The engine took the tokens that it pops before it looked at the rest.
        opcode, memory_type = _EMPTY[module]
        empty = np.zeros(1, INSN_DTYPE)
        empty["opcode"], empty["memory_type"] = int(opcode), int(memory_type)
        for flag in _PUSHES:
            empty[flag] = record[flag]
        words: npt.NDArray[np.uint64] = encode(empty, self._config)[0]
        return words
