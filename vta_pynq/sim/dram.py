"""Simulated DRAM: one contiguous arena with a CPU image and a device image.

The device image is what AXI masters read and write. The CPU image stands for what the CPU sees
through its caches. Cacheable buffers live in the CPU image, and only flush and invalidate move
bytes between the two, so that a forgotten one fails here as it does on a board. Non-cacheable
buffers live in the device image.
"""

from __future__ import annotations

import collections
import mmap
import threading

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.table import PAGE_BYTES

__all__ = ["DramImages"]


class DramImages:
    """`size` bytes of DRAM at byte address `base`, and an allocator for buffers in it.

    Memory is committed by the operating system when it is first touched. All methods may be
    called from any thread; `release` may also be called by the garbage collector at any time.
    """

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size
        # Private mappings: a forked child gets a copy, as it would have its own simulator.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._cpu_map = mmap.mmap(-1, size, flags=flags)
        self._device_map = mmap.mmap(-1, size, flags=flags)
        self.cpu: npt.NDArray[np.uint8] = np.frombuffer(self._cpu_map, np.uint8)
        self.device: npt.NDArray[np.uint8] = np.frombuffer(self._device_map, np.uint8)
        self._free: list[tuple[int, int]] = [(0, size)]
        self._used: dict[int, int] = {}
        self._lock = threading.Lock()
        # Finalisers run inside any allocation of the interpreter, so `release` takes no lock;
        # what it leaves here is merged by the next call that does.
        self._released: collections.deque[int] = collections.deque()

    def allocate(self, nbytes: int) -> int:
        """Reserve at least `nbytes` bytes; the offset of the first, a multiple of the page.

        Raises
        ------
        RuntimeError
            There is no such contiguous range (the exception that XRT raises on a board).
        """
        size = max(1, -(-nbytes // PAGE_BYTES)) * PAGE_BYTES
        with self._lock:
            self._merge_released()
            for index, (offset, free) in enumerate(self._free):
                if free >= size:
                    rest = [(offset + size, free - size)] if free > size else []
                    self._free[index : index + 1] = rest
                    self._used[offset] = size
                    return offset
            largest = max((free for _, free in self._free), default=0)
        raise RuntimeError(
            f"Allocate failed: {nbytes} bytes must fit the largest free range of {largest} bytes "
            f"in {self.size} bytes of contiguous memory; free buffers that are not in use"
        )

    def release(self, offset: int) -> None:
        """Give back what `allocate` returned."""
        self._released.append(offset)

    def _merge_released(self) -> None:
        while self._released:
            offset = self._released.popleft()
            self._free.append((offset, self._used.pop(offset)))
        merged: list[tuple[int, int]] = []
        for offset, size in sorted(self._free):
            if merged and sum(merged[-1]) == offset:
                merged[-1] = (merged[-1][0], merged[-1][1] + size)
            else:
                merged.append((offset, size))
        self._free = merged

    @property
    def used(self) -> dict[int, int]:
        """Offset and size in bytes of every allocation."""
        with self._lock:
            self._merge_released()
            return dict(self._used)

    def memory(self, offset: int, nbytes: int, *, cacheable: bool) -> memoryview:
        """The bytes of a buffer as its owner, a program on the CPU, sees them."""
        image = self._cpu_map if cacheable else self._device_map
        return memoryview(image)[offset : offset + nbytes]

    def is_cpu_pointer(self, pointer: int) -> bool:
        """Whether a virtual address lies in the CPU image."""
        start: int = self.cpu.__array_interface__["data"][0]
        return start <= pointer < start + self.size

    def clean(self, offset: int, nbytes: int) -> None:
        """Write the CPU's bytes back to the device image (a cache flush)."""
        self.device[offset : offset + nbytes] = self.cpu[offset : offset + nbytes]

    def refresh(self, offset: int, nbytes: int) -> None:
        """Let the CPU see the device's bytes (a cache invalidate)."""
        self.cpu[offset : offset + nbytes] = self.device[offset : offset + nbytes]
