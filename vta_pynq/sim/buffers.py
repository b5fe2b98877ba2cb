"""Contiguous buffers of the simulated device, with the interface of PYNQ's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pynq.buffer import PynqBuffer

if TYPE_CHECKING:
    from vta_pynq.sim.device import SimDevice

__all__ = ["SimBuffer", "SimMemory"]


class SimBuffer(PynqBuffer):  # type: ignore[misc]  # pynq has no types
    """A `PynqBuffer` over the device's simulated DRAM.

    PYNQ's own `freebuffer` unmaps the memory, which here belongs to the device.
    """

    freed: bool

    def freebuffer(self) -> None:
        """Give the memory back; nothing may use the buffer or its views afterwards."""
        if getattr(self, "memory", None) is not None and not self.freed:
            self.freed = True
            self.memory.device.dram.release(self.bo)


class SimMemory:
    """The PS's DRAM as an overlay shows it (`overlay.PSDDR`)."""

    def __init__(self, device: SimDevice, description: Mapping[str, Any]) -> None:
        self.device = device
        self.desc = description
        self.idx = description["idx"]
        self.size = description["size"]
        self.base_address = description["base_address"]

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: int = 0, **_: Any) -> SimBuffer:
        """Allocate a contiguous buffer; like XRT's, not cacheable unless asked for."""
        dtype = np.dtype(dtype)
        nbytes = int(np.prod(shape)) * dtype.itemsize
        dram = self.device.dram
        offset = dram.allocate(nbytes)
        buffer = SimBuffer(
            shape,
            dtype,
            buffer=dram.memory(offset, nbytes, cacheable=bool(cacheable)),
            bo=offset,
            device=self.device,
            device_address=dram.base + offset,
            coherent=False,
        )
        buffer.memory = self
        return buffer

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SimMemory) and other.device is self.device and other.idx == self.idx
        )

    def __hash__(self) -> int:
        return hash((id(self.device), self.idx))
