"""March tests of the SRAMs, written and read by nothing but instructions.

The algorithm is March C- (van de Goor, "Using March Tests to Test SRAMs", IEEE Design & Test of
Computers, 1993): up (w0), up (r0, w1), up (r1, w0), down (r0, w1), down (r1, w0), (r0). One step
works on a chunk of elements, because a LOAD writes several; 0 and 1 are a background in which
every element differs, and its complement, so that faults of the address decoder within a chunk
show as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.selftest.probe import Expected, Probe
from vta_pynq.selftest.sequence import Sequence

__all__ = ["CHUNKS", "Memory", "march_probe"]

Bytes = npt.NDArray[np.uint8]

CHUNKS = 8
"""Steps into which an element of a march divides a memory, at least."""

_MARCH: tuple[tuple[int, str], ...] = (
    # Direction of the chunks (1 up, -1 down), operations: w writes, r reads and expects.
    (1, "w0"), (1, "r0 w1"), (1, "r1 w0"), (-1, "r0 w1"), (-1, "r1 w0"), (1, "r0"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Read:
    """A store of a part of what a chunk holds.

    `phys` and `expected` are its place in DRAM and the right bytes; `locate` turns the number of a
    wrong byte into an element of the memory and the number of a bit in it, from its bytes.
    """

    phys: int
    expected: Bytes
    locate: Callable[[int], tuple[int, int]]


class Memory(Protocol):
    """How a memory is filled and looked at by instructions.

    Attributes
    ----------
    name
        The memory, as in the instruction set.
    depth, chunk
        Elements in all, and in one step.
    """

    name: str
    depth: int
    chunk: int

    def prepare(self, program: Sequence) -> None:
        """Load what the test itself needs."""

    def write(self, program: Sequence, first: int, background: int) -> None:
        """Fill the chunk that begins at element `first`."""

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        """Bring the chunk's content to DRAM."""


def march_probe(memory: Memory, config: HwConfig) -> Probe:
    """The march through all of one memory."""
    program = Sequence(config, f"march through {memory.name}")
    memory.prepare(program)
    reads: list[tuple[str, Read]] = []
    starts = range(0, memory.depth, memory.chunk)
    for number, (direction, operations) in enumerate(_MARCH):
        for first in starts[::direction]:
            for operation in operations.split():
                background = int(operation[1])
                if operation[0] == "w":
                    memory.write(program, first, background)
                    continue
                step = f"element {number} ({operations}), {operation}"
                reads += [(step, read) for read in memory.read(program, first, background)]
    expected = tuple(
        Expected(read.phys, read.expected, _explainer(memory.name, step, read))
        for step, read in reads
    )
    return Probe(memory.name, program.stream(), expected)


def _explainer(name: str, step: str, read: Read) -> Callable[[Bytes], str]:
    def explain(found: Bytes) -> str:
        wrong = np.flatnonzero(found != read.expected)
        first = int(wrong[0])
        element, byte = read.locate(first)
        bits = int(np.bitwise_or.reduce(found[wrong] ^ read.expected[wrong]))
        return (
            f"{name} element {element}, byte {byte} is {found[first]:#04x}, not "
            f"{read.expected[first]:#04x} ({wrong.size} of {found.size} bytes differ, in bits "
            f"{bits:#04x}; march {step})"
        )

    return explain
