"""Kernel: what a builder hands out - instructions, buffers, relocations, submissions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, MEM_FORMAT, MemType
from vta_pynq.kernel.buffers import DramBuffer
from vta_pynq.stream import InstructionStream, Segment, StreamLabel

__all__ = ["INSN_NAME", "UOP_NAME", "Kernel"]

UOP_NAME = "uops"
"""Name of the buffer with the micro-ops."""
INSN_NAME = "insns"
"""Name under which `addresses` may give the place of the instructions."""

_ALIGNMENT_BYTES = 4096  # what every runtime uses (docs/isa.md, "Addressing")


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """An unlinked program: `dram_base` counts from the start of the buffer that is relocated.

    The submissions run one after the other with nothing in between: SRAM contents and
    micro-ops carry over from one to the next.

    Attributes
    ----------
    name, config, profile
        For messages; the configuration; the name of the profile it was built for.
    words
        Instructions, uint64 of shape (n, 2).
    reloc_insn, reloc_buffer
        uint32 each: instruction `reloc_insn[i]` addresses `buffers[reloc_buffer[i]]`.
    buffers
        Every DRAM buffer; the micro-ops are the last one, named `"uops"`, where there are any.
    submissions
        Ranges of instructions, each ending with a FINISH that waits for all loads and stores.
    labels
        Names of ranges of instructions.
    """

    name: str
    config: HwConfig
    profile: str
    words: npt.NDArray[np.uint64] = dataclasses.field(repr=False)
    reloc_insn: npt.NDArray[np.uint32] = dataclasses.field(repr=False)
    reloc_buffer: npt.NDArray[np.uint32] = dataclasses.field(repr=False)
    buffers: tuple[DramBuffer, ...]
    submissions: tuple[tuple[int, int], ...]
    labels: tuple[StreamLabel, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    def buffer(self, name: str) -> DramBuffer:
        """The buffer of that name.

        Raises
        ------
        KernelError
            There is none.
        """
        for buffer in self.buffers:
            if buffer.name == name:
                return buffer
        names = ", ".join(b.name for b in self.buffers)
        raise KernelError(f"kernel '{self.name}': buffer must be one of {names}, not {name!r}")

    def with_data(self, contents: Mapping[str, npt.NDArray[np.generic]]) -> Kernel:
        """The same kernel with other initial content in the buffers that `contents` names.

        Raises
        ------
        KernelError
            A name is unknown, or an array has more bytes than its buffer.
        """
        for name in contents:
            self.buffer(name)
        buffers = tuple(
            DramBuffer(b.name, b.mem, b.elems, b.elem_bytes, b.index, contents[b.name], b.owner)
            if b.name in contents
            else b
            for b in self.buffers
        )
        return dataclasses.replace(self, buffers=buffers)

    def default_addresses(self, base: int = _ALIGNMENT_BYTES) -> dict[str, int]:
        """Byte addresses one after another from `base`, page-aligned, instructions last."""
        addresses = {}
        for buffer in self.buffers:
            addresses[buffer.name] = base
            base += -(-buffer.bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        addresses[INSN_NAME] = base
        return addresses

    def link(self, addresses: Mapping[str, int]) -> npt.NDArray[np.uint64]:
        """A copy of the instructions with byte addresses of the buffers put in.

        `addresses` gives the byte address of every buffer by name, or its offset within the
        arena that a later relocation adds.

        Raises
        ------
        KernelError
            An address is missing, not a multiple of the element size, or ends beyond 2^32.
        """
        deltas = np.zeros(len(self.buffers), np.uint64)
        for index, buffer in enumerate(self.buffers):
            deltas[index] = self._elements(buffer, addresses)
        slot = next(
            s for s in format_layout(self.config, MEM_FORMAT) if s.field.name == "dram_base"
        )
        words = self.words.copy()
        words[self.reloc_insn, slot.word] += deltas[self.reloc_buffer] << np.uint64(slot.shift)
        return words

    def _elements(self, buffer: DramBuffer, addresses: Mapping[str, int]) -> int:
        where = f"kernel '{self.name}': address of buffer '{buffer.name}'"
        if buffer.name not in addresses:
            raise KernelError(f"{where} must be given, not left out; pass one for each buffer")
        address = addresses[buffer.name]
        if not 0 <= address <= DRAM_BYTES - buffer.bytes:
            raise KernelError(f"{where} must be in 0..2^32-{buffer.bytes}, not {address:#x}")
        if address % buffer.elem_bytes:
            raise KernelError(
                f"{where} must be a multiple of {buffer.elem_bytes} bytes (one "
                f"{buffer.mem.name} element), not {address:#x}; use 4 KiB alignment"
            )
        return address // buffer.elem_bytes

    def streams(self, addresses: Mapping[str, int] | None = None) -> tuple[InstructionStream, ...]:
        """One linked stream per submission, with the DRAM that it reads and writes.

        The first has the buffers' initial data; the later ones expect the DRAM that the one
        before left. Without `addresses`, buffers lie where `default_addresses` puts them.
        """
        defaults = self.default_addresses()
        places = defaults if addresses is None else addresses
        words = self.link(places)
        segments = tuple(
            Segment(b.name, b.mem.name, places[b.name], b.bytes, b.data) for b in self.buffers
        )
        insn_base = places.get(INSN_NAME, max(s.phys + s.size for s in segments) if segments else 0)
        insn_base += -insn_base % _ALIGNMENT_BYTES
        result = []
        for number, (begin, end) in enumerate(self.submissions):
            raw = words[begin:end].reshape(-1).view(np.uint8)
            insn = Segment(INSN_NAME, "INSN", insn_base + begin * INSN_BYTES, raw.size, raw)
            labels = tuple(
                StreamLabel(max(0, label.begin - begin), min(end, label.end) - begin, label.name)
                for label in self.labels
                if label.begin < end and begin < label.end
            )
            name = self.name if len(self.submissions) == 1 else f"{self.name}.{number}"
            result.append(
                InstructionStream(
                    name, self.config, words[begin:end], (*segments, insn), labels=labels
                )
            )
        return tuple(result)

    def stream(self, addresses: Mapping[str, int] | None = None) -> InstructionStream:
        """The linked stream of a kernel with one submission.

        Raises
        ------
        KernelError
            The kernel has another number of submissions; use `streams`.
        """
        if len(self.submissions) != 1:
            raise KernelError(
                f"kernel '{self.name}': stream() takes kernels with 1 submission, not "
                f"{len(self.submissions)}; use streams()"
            )
        return self.streams(addresses)[0]

    @property
    def uops(self) -> npt.NDArray[np.uint32]:
        """Every micro-op of the kernel as it lies in DRAM (uint32)."""
        for buffer in self.buffers:
            if buffer.mem == MemType.UOP and buffer.data is not None:
                return buffer.data.view(np.dtype("<u4"))
        return np.zeros(0, np.dtype("<u4"))
