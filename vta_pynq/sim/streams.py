"""What the simulated device must know about a stream to move its registers like hardware."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, Module, Opcode, module_of

__all__ = ["StreamFacts"]

_BRIEF_INSNS = 8
"""A move fills one SRAM at most, so that this many cannot hold the bus for long."""


@dataclasses.dataclass(frozen=True)
class _Head:
    """The head of an instruction, for every value of the bits that tell where it goes."""

    mask: int
    modules: dict[int, Module | None]
    pops: int
    opcode: int


@functools.lru_cache(maxsize=8)
def _head(config: HwConfig) -> _Head:
    slots = {slot.field.name: slot for slot in format_layout(config, MEM_FORMAT)}
    opcode, memory_type = slots["opcode"], slots["memory_type"]
    modules = {
        o << opcode.shift | t << memory_type.shift: module_of(o, t)
        for o in range(opcode.mask + 1)
        for t in range(memory_type.mask + 1)
    }
    pops = sum(slots[name].mask << slots[name].shift for name in ("pop_prev", "pop_next"))
    opcode_bits = opcode.mask << opcode.shift
    return _Head(opcode_bits | memory_type.mask << memory_type.shift, modules, pops, opcode_bits)


class StreamFacts:
    """Facts about encoded instructions, `raw`.

    Each is found when it is asked for; those about compute look no further than they must.
    """

    def __init__(self, raw: bytes, config: HwConfig) -> None:
        self.raw = raw
        words: npt.NDArray[np.uint64] = np.frombuffer(raw, "<u8").reshape(-1, 2)
        self._firsts = words[:, 0]
        self._head = _head(config)

    def _compute_head(self, indices: Iterable[int]) -> int | None:
        """Word 0 of the first instruction of compute among `indices`."""
        for index in indices:
            word = int(self._firsts[index])
            if self._head.modules[word & self._head.mask] is Module.COMPUTE:
                return word
        return None

    @functools.cached_property
    def counts(self) -> dict[Module, int]:
        """Instructions of load, compute and store."""
        masked, counts = np.unique(self._firsts & np.uint64(self._head.mask), return_counts=True)
        total = dict.fromkeys((Module.LOAD, Module.COMPUTE, Module.STORE), 0)
        for bits, count in zip(masked.tolist(), counts.tolist(), strict=True):
            module = self._head.modules[bits]
            if module is not None:
                total[module] += count
        return total

    @functools.cached_property
    def is_brief(self) -> bool:
        """Whether the stream is a few moves and nothing else: over in some microseconds."""
        if len(self._firsts) > _BRIEF_INSNS:
            return False
        opcodes = {word & self._head.opcode for word in self._firsts.tolist()}
        return opcodes <= {Opcode.LOAD, Opcode.STORE, Opcode.FINISH}

    @functools.cached_property
    def compute_begins_at_once(self) -> bool:
        """Whether the first instruction of compute exists and pops no token."""
        word = self._compute_head(range(len(self._firsts)))
        return word is not None and not word & self._head.pops

    @functools.cached_property
    def compute_ends_with_finish(self) -> bool:
        """Whether the last instruction of compute is FINISH."""
        word = self._compute_head(range(len(self._firsts) - 1, -1, -1))
        return word is not None and word & self._head.opcode == Opcode.FINISH
