"""Symbolic DRAM buffers: what a kernel's instructions address until it is linked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import KernelError
from vta_pynq.isa.table import MemType

__all__ = ["DramBuffer", "DramView"]


class DramBuffer:
    """A named range of DRAM, counted in elements of one memory type.

    `buffer[offset]` is a view that begins at element `offset`. Made by `KernelBuilder.dram`.

    Attributes
    ----------
    name, mem, elems, elem_bytes
        Name, memory type, length in elements, bytes of one element.
    index
        Position in `Kernel.buffers`; relocations use it.
    data
        Initial bytes (uint8, at most `elems * elem_bytes`; the rest is zero), or None.
    """

    __slots__ = ("data", "elem_bytes", "elems", "index", "mem", "name", "owner")

    def __init__(
        self,
        name: str,
        mem: MemType,
        elems: int,
        elem_bytes: int,
        index: int,
        data: npt.NDArray[Any] | None = None,
        owner: object = None,
    ) -> None:
        if elems < 1:
            raise KernelError(f"buffer '{name}': elems must be at least 1, not {elems}")
        self.name, self.mem, self.elems = name, mem, elems
        self.elem_bytes, self.index, self.owner = elem_bytes, index, owner
        self.data: npt.NDArray[np.uint8] | None = None
        if data is not None:
            self.data = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
            if self.data.size > self.bytes:
                raise KernelError(
                    f"buffer '{name}': data must have at most {self.bytes} bytes "
                    f"({elems} {mem.name} elements), not {self.data.size}"
                )

    @property
    def bytes(self) -> int:
        """Length in bytes."""
        return self.elems * self.elem_bytes

    def __getitem__(self, offset: int) -> DramView:
        return DramView(self, offset)

    def __len__(self) -> int:
        return self.elems

    def __repr__(self) -> str:
        return f"<DramBuffer {self.name}: {self.elems} {self.mem.name} elements>"


class DramView:
    """A place in a buffer: element `offset` of `buffer`."""

    __slots__ = ("buffer", "offset")

    def __init__(self, buffer: DramBuffer, offset: int) -> None:
        self.buffer, self.offset = buffer, offset

    def __getitem__(self, offset: int) -> DramView:
        return DramView(self.buffer, self.offset + offset)

    def __repr__(self) -> str:
        return f"{self.buffer.name}[{self.offset}]"
