"""Running a stream with fixed DRAM addresses on a device that has its memory elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, MemType, elem_bytes
from vta_pynq.overlay.buffers import allocate, device_address, to_cpu, to_device
from vta_pynq.program.access import find_accesses
from vta_pynq.runtime.memory import plain
from vta_pynq.runtime.submission import DeviceQueue, Submission
from vta_pynq.stream import InstructionStream, Segment

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["StreamRunner", "moved"]


def moved(
    words: npt.NDArray[np.uint64], config: HwConfig, distance_bytes: int
) -> npt.NDArray[np.uint64]:
    """Instructions whose DRAM accesses all lie `distance_bytes` higher.

    Parameters
    ----------
    words
        uint64 of shape (n, 2); not changed.
    distance_bytes
        A multiple of every element size; may be negative.
    """
    accesses = find_accesses(words, config)
    slot = next(s for s in format_layout(config, MEM_FORMAT) if s.field.name == "dram_base")
    distance = (distance_bytes // accesses.elem_bytes) & slot.mask
    shift, mask = np.uint64(slot.shift), np.uint64(slot.mask)
    result = words.copy()
    column = result[accesses.insn, slot.word]
    changed = ((column >> shift) + distance.astype(np.uint64)) & mask
    result[accesses.insn, slot.word] = column & ~(mask << shift) | changed << shift
    return result


class StreamRunner:
    """Runs streams on an overlay, each with all of its DRAM in one contiguous buffer.

    Parameters
    ----------
    overlay
        An overlay of the streams' configuration.
    timeout_s
        Deadline of a run, in seconds.
    """

    def __init__(self, overlay: VtaOverlay, timeout_s: float) -> None:
        self.overlay, self.timeout_s = overlay, timeout_s
        self.runs = 0
        self._queue = DeviceQueue.of(overlay.device)
        self._buffer: Any = None
        config = overlay.config
        # A move by a multiple of all element sizes keeps every access on an element.
        self._unit = max(4096, *(elem_bytes(config, kind) for kind in MemType))

    def run(self, stream: InstructionStream, seconds: list[float] | None = None) -> Memory:
        """Run once and return the DRAM that the stream's segments cover, as it is afterwards.

        `seconds` is given the time from the submission until the end was seen.

        Raises
        ------
        VtaError
            The device failed or did not finish in time; it has been reset.
        """
        # What no segment covers is zero, and a stream may read it.
        accesses = find_accesses(stream.words, stream.config)
        lowest = min([*(s.phys for s in stream.segments), *accesses.begin.tolist()])
        begin = lowest // self._unit * self._unit
        end = max([*(s.phys + s.size for s in stream.segments), *accesses.end.tolist()])
        base = self._room(end - begin)
        image = plain(self._buffer)[base - device_address(self._buffer) :][: end - begin]
        image[:] = 0
        for segment in stream.segments:
            if segment.data is not None:
                at = segment.phys - begin
                image[at : at + segment.data.size] = segment.data
        words = moved(stream.words, stream.config, base - begin)
        insn = next(stream.segments_of("INSN"))
        at = insn.phys - begin
        image[at : at + words.nbytes] = words.reshape(-1).view(np.uint8)
        to_device([self._buffer])
        self.runs += 1
        self._queue.run(
            self.overlay.accelerator,
            [Submission(f"self-test '{stream.name}'", base + at, words)],
            self.timeout_s,
            seconds=seconds,
        )
        to_cpu([self._buffer])
        return Memory(begin, image.copy())

    def _room(self, size: int) -> int:
        """Byte address of a place for `size` bytes in the buffer, a multiple of the unit."""
        if self._buffer is None or self._buffer.nbytes < size + self._unit:
            self._buffer = None  # give the old one back first: there may not be room for both
            self._buffer = allocate(self.overlay.device, size + self._unit, np.uint8)
        return -(-device_address(self._buffer) // self._unit) * self._unit


class Memory:
    """DRAM after a run: bytes (uint8) from byte address `begin` of the stream's own addresses."""

    def __init__(self, begin: int, data: npt.NDArray[np.uint8]) -> None:
        self.begin, self.data = begin, data

    def read(self, phys: int, size: int) -> npt.NDArray[np.uint8]:
        """`size` bytes from `phys`."""
        return self.data[phys - self.begin :][:size]

    def of(self, segment: Segment) -> npt.NDArray[np.uint8]:
        """The bytes of a segment."""
        return self.read(segment.phys, segment.size)
