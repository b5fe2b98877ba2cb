"""The DRAM that the engine reads and writes: ranges of addresses backed by arrays."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import SimError
from vta_pynq.isa.table import DRAM_BYTES, PAGE_BYTES
from vta_pynq.sim._engine import ffi
from vta_pynq.stream import InstructionStream

__all__ = ["Dram"]

_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # named since Python 3.13; Linux's value


class Dram:
    """Byte ranges of DRAM backed by arrays, which are referenced, not copied.

    Parameters
    ----------
    segments
        Pairs of a byte address and a C-contiguous uint8 array. Ranges must not overlap. A
        read-only array makes a range that STORE must not touch.

    Raises
    ------
    SimError
        A range is not as above, or reaches past 4 GiB.
    """

    def __init__(self, segments: Iterable[tuple[int, npt.NDArray[np.uint8]]]) -> None:
        ordered = sorted(((int(phys), data) for phys, data in segments), key=lambda item: item[0])
        self.segments = [(phys, data) for phys, data in ordered if self._check(phys, data)]
        for (first, data), (second, _) in zip(self.segments, self.segments[1:], strict=False):
            if first + data.size > second:
                raise SimError(
                    f"DRAM: range at {second:#x} must begin after the one before it, which ends "
                    f"at {first + data.size:#x}"
                )
        self._buffers: list[Any] = []
        self.c_segments = ffi.new("sim_segment[]", max(1, len(self.segments)))
        for entry, (phys, data) in zip(self.c_segments, self.segments, strict=False):
            buffer = ffi.from_buffer("uint8_t[]", data)
            self._buffers.append(buffer)
            entry.phys, entry.size, entry.data = phys, data.size, buffer
            entry.writable = data.flags.writeable

    @staticmethod
    def _check(phys: int, data: npt.NDArray[np.uint8]) -> bool:
        where = f"DRAM: range at {phys:#x}"
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 1:
            raise SimError(f"{where} must be a flat array of uint8, not {data!r:.80}")
        if not data.flags.c_contiguous:
            raise SimError(f"{where} must be C-contiguous; pass a contiguous copy")
        if phys < 0 or phys + data.size > DRAM_BYTES:
            raise SimError(f"{where} must lie below 2^32, not end at {phys + data.size:#x}")
        return data.size > 0

    @classmethod
    def of_stream(cls, stream: InstructionStream, more: Iterable[tuple[int, int]] = ()) -> Dram:
        """Fresh DRAM with a stream's segments, whole pages of it, zero where nothing is given.

        Segments may overlap; the later one wins. `more` gives further ranges: address and size.
        """
        spans: list[list[int]] = []
        for phys, size in sorted([*((s.phys, s.size) for s in stream.segments), *more]):
            begin = phys // PAGE_BYTES * PAGE_BYTES
            end = min(-(-(phys + size) // PAGE_BYTES) * PAGE_BYTES, DRAM_BYTES)
            if spans and begin <= spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], end)
            elif end > begin:
                spans.append([begin, end])
        try:
            dram = cls((begin, np.zeros(end - begin, np.uint8)) for begin, end in spans)
        except MemoryError:
            total = sum(end - begin for begin, end in spans)
            raise SimError(
                f"DRAM: the stream's {total} bytes must fit this machine's memory"
            ) from None
        for segment in stream.segments:
            if segment.data is not None and segment.data.size:
                dram.view(segment.phys, segment.data.size)[:] = segment.data
        return dram

    @classmethod
    def whole(cls, stream: InstructionStream) -> Dram:
        """The whole address space but page 0, with a stream's segments, zero elsewhere.

        Memory is used only for what is touched.

        Raises
        ------
        SimError
            This machine has no address space for it (32-bit systems).
        """
        size = DRAM_BYTES - PAGE_BYTES
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        try:
            space = np.frombuffer(mmap.mmap(-1, size, flags=flags), np.uint8)
        except (OSError, OverflowError, ValueError):
            raise SimError(
                "DRAM: 4 GiB of address space must be free, and this machine has less"
            ) from None
        dram = cls([(PAGE_BYTES, space)])
        for segment in stream.segments:
            if segment.data is not None and segment.data.size:
                dram.view(segment.phys, segment.data.size)[:] = segment.data
        return dram

    def view(self, phys: int, size: int) -> npt.NDArray[np.uint8]:
        """The `size` bytes from byte address `phys`, as a view of one range.

        Raises
        ------
        SimError
            No single range holds them.
        """
        for begin, data in self.segments:
            if begin <= phys and phys + size <= begin + data.size:
                return data[phys - begin : phys - begin + size]
        raise SimError(f"DRAM: bytes {phys:#x} to {phys + size:#x} must lie in one range")
