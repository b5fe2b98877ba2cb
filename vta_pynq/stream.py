"""An instruction stream with the DRAM that it reads: what replay, linter and disassembler take.

A stream comes from a conformance case (`vta_pynq.conformance`), from a program file
(`vta_pynq.program`) or from a kernel builder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import TOKENS

__all__ = ["InstructionStream", "Segment", "StreamLabel"]


@dataclasses.dataclass(frozen=True)
class Segment:
    """A range of DRAM: `size` bytes at byte address `phys`.

    `data` holds the first bytes (uint8; the rest is zero) or is None where all are zero.
    `kind` says what lies there ("INSN", "UOP", "WGT", "INP", "ACC", "OUT", or an arena's name).
    """

    name: str
    kind: str
    phys: int
    size: int
    data: npt.NDArray[np.uint8] | None = None


@dataclasses.dataclass(frozen=True)
class StreamLabel:
    """A name for instructions `begin` to `end` (exclusive), such as a layer's."""

    begin: int
    end: int
    name: str


@dataclasses.dataclass(frozen=True)
class InstructionStream:
    """One submission: instructions, the DRAM around them, initial tokens.

    `words` is an (n, 2) uint64 array; `segments` is all DRAM that the stream may touch, or empty
    where that is not known; `tokens_in` gives the initial count of each token in the order of
    `vta_pynq.isa.TOKENS`.
    """

    name: str
    config: HwConfig
    words: npt.NDArray[np.uint64]
    segments: tuple[Segment, ...] = ()
    tokens_in: tuple[int, int, int, int] = (0,) * len(TOKENS)  # type: ignore[assignment]
    labels: tuple[StreamLabel, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    def segments_of(self, kind: str) -> Iterator[Segment]:
        """The segments of one kind, in order."""
        return (segment for segment in self.segments if segment.kind == kind)
