"""What the simulated device must know about a stream to move its registers like hardware."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, Module, Opcode, module_of

__all__ = ["StreamFacts", "stream_facts"]


@dataclasses.dataclass(frozen=True)
class StreamFacts:
    """Facts about one submission.

    Attributes
    ----------
    modules
        The modules other than fetch that have at least one instruction.
    counts
        Instructions per module, in the order of `Module`.
    first_compute_waits
        Whether the first instruction of compute pops a token.
    last_compute_finishes
        Whether the last instruction of compute is FINISH.
    """

    modules: frozenset[Module]
    counts: tuple[int, ...]
    first_compute_waits: bool
    last_compute_finishes: bool


@functools.lru_cache(maxsize=8)
def _tables(config: HwConfig) -> tuple[dict[str, tuple[int, int]], npt.NDArray[np.uint8]]:
    """Place of the head's fields, and the module for each opcode and memory type."""
    slots = {slot.field.name: slot for slot in format_layout(config, MEM_FORMAT)}
    head = {name: (slot.shift, slot.mask) for name, slot in slots.items() if slot.word == 0}
    opcodes, types = slots["opcode"].mask + 1, slots["memory_type"].mask + 1
    table = np.zeros((opcodes, types), np.uint8)  # 0 is fetch: no module takes it
    for opcode in range(opcodes):
        for memory_type in range(types):
            module = module_of(opcode, memory_type)
            table[opcode, memory_type] = module or 0
    return head, table


def _field(
    words: npt.NDArray[np.uint64], head: dict[str, tuple[int, int]], name: str
) -> npt.NDArray[np.uint64]:
    shift, mask = head[name]
    return (words[:, 0] >> np.uint64(shift)) & np.uint64(mask)


def _modules(words: npt.NDArray[np.uint64], config: HwConfig) -> npt.NDArray[np.uint8]:
    head, table = _tables(config)
    opcode = _field(words, head, "opcode").astype(np.intp)
    memory_type = _field(words, head, "memory_type").astype(np.intp)
    modules: npt.NDArray[np.uint8] = table[opcode, memory_type]
    return modules


def stream_facts(words: npt.NDArray[np.uint64], config: HwConfig) -> StreamFacts:
    """Facts about the instructions in `words`, an (n, 2) uint64 array."""
    head, _ = _tables(config)
    modules = _modules(words, config)
    counts = np.bincount(modules, minlength=len(Module))
    compute = np.flatnonzero(modules == Module.COMPUTE)
    waits = finishes = False
    if len(compute):
        ends = words[compute[[0, -1]]]
        pops = _field(ends, head, "pop_prev") | _field(ends, head, "pop_next")
        waits = bool(pops[0])
        finishes = bool(_field(ends, head, "opcode")[1] == Opcode.FINISH)
    return StreamFacts(
        modules=frozenset(m for m in Module if m is not Module.FETCH and counts[m]),
        counts=tuple(int(count) for count in counts),
        first_compute_waits=waits,
        last_compute_finishes=finishes,
    )
