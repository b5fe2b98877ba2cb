"""The micro-op cache: each kernel lies once in DRAM and is loaded when it is not in the SRAM."""

from __future__ import annotations

import array

import numpy as np
import numpy.typing as npt

from vta_pynq.config import UOP_BYTES
from vta_pynq.isa.table import WORD_BITS

__all__ = ["UOP_PARITY", "CachedKernel", "UopCache"]

# Micro-ops of one 64-bit beat: an older design mis-loads when DRAM and SRAM index differ in
# parity (docs/isa.md, "LOAD and STORE").
UOP_PARITY = WORD_BITS // (8 * UOP_BYTES)


class CachedKernel:
    """A sequence of encoded micro-ops with its place in DRAM and, while resident, in the SRAM."""

    __slots__ = ("count", "dram_base", "last_use", "sram_base")

    def __init__(self, count: int, dram_base: int) -> None:
        self.count, self.dram_base = count, dram_base
        self.sram_base = -1
        """First micro-op in the SRAM; -1 where the kernel is not there."""
        self.last_use = 0


class UopCache:
    """Places kernels in a micro-op SRAM of `depth` entries, the least recently used one first out.

    The compute module loads micro-ops and uses them in program order, so an eviction never
    touches what an earlier instruction still needs.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.loads = 0
        self._kernels: dict[bytes, CachedKernel] = {}
        self._dram = array.array("I")
        self._resident: list[CachedKernel] = []
        self._top = 0  # nothing was ever placed from here on
        self._tick = 0

    def intern(self, words: npt.NDArray[np.uint32]) -> CachedKernel:
        """The kernel with these micro-ops (uint32, encoded); equal content gives one kernel."""
        key = words.tobytes()
        kernel = self._kernels.get(key)
        if kernel is None:
            kernel = CachedKernel(len(words), len(self._dram))
            self._dram.frombytes(key)
            self._dram.extend([0] * (-len(self._dram) % UOP_PARITY))
            self._kernels[key] = kernel
        return kernel

    def dram(self) -> npt.NDArray[np.uint32]:
        """Every kernel's micro-ops as they lie in DRAM."""
        return np.array(self._dram, np.dtype("<u4"))

    def use(self, kernel: CachedKernel) -> bool:
        """Make a kernel resident; whether it has to be loaded to its `sram_base` for that."""
        self._tick += 1
        kernel.last_use = self._tick
        if kernel.sram_base >= 0:
            return False
        size = kernel.count + -kernel.count % UOP_PARITY
        if self._top + size <= self.depth:
            begin, self._top = self._top, self._top + size
        elif kernel.count <= self.depth - self._top:
            begin, self._top = self._top, self.depth
        else:
            begin = self._least_recent(kernel.count)
            self._evict(begin, kernel.count)
            self._top = max(self._top, min(begin + size, self.depth))
        kernel.sram_base = begin
        self._resident.append(kernel)
        self.loads += 1
        return True

    def forget(self) -> None:
        """Take it that the SRAM holds nothing any more."""
        for kernel in self._resident:
            kernel.sram_base = -1
        self._resident.clear()
        self._top = 0

    def _least_recent(self, count: int) -> int:
        """Begin of the window of `count` entries whose most recently used one is the oldest."""
        stamps = np.zeros(self.depth, np.int64)
        for kernel in self._resident:
            stamps[kernel.sram_base : kernel.sram_base + kernel.count] = kernel.last_use
        # Maximum over each window: prefix and suffix maxima over blocks of the window's length.
        blocks = -(-self.depth // count)
        padded = np.full(blocks * count, np.iinfo(np.int64).max)
        padded[: self.depth] = stamps
        grid = padded.reshape(blocks, count)
        prefix = np.maximum.accumulate(grid, axis=1).reshape(-1)
        suffix = np.maximum.accumulate(grid[:, ::-1], axis=1)[:, ::-1].reshape(-1)
        last = self.depth - count
        worst = np.maximum(suffix[: last + 1], prefix[count - 1 : count + last])
        starts = worst[::UOP_PARITY]
        return int(starts.argmin()) * UOP_PARITY

    def _evict(self, begin: int, count: int) -> None:
        kept = []
        for kernel in self._resident:
            if kernel.sram_base < begin + count and begin < kernel.sram_base + kernel.count:
                kernel.sram_base = -1
            else:
                kept.append(kernel)
        self._resident = kept
