"""DRAM as a sparse byte image, and the packing of values into its elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import DRAM_BYTES, MemType

__all__ = ["Bytes", "Dram", "Ints", "element_shape", "pack", "unpack", "wrap"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_PAGE_BYTES = 4096


class Dram:
    """4 GiB of bytes, zero where nothing was written."""

    def __init__(self, images: Iterable[tuple[int, Bytes]] = ()) -> None:
        self.pages: dict[int, Bytes] = {}
        for phys, data in images:
            self.write(phys, data)

    def _pieces(self, phys: int, size: int) -> Iterable[tuple[int, slice, slice]]:
        if phys + size > DRAM_BYTES:
            raise IndexError(f"DRAM access must end below 2^32, not at {phys + size:#x}")
        done = 0
        while done < size:
            page, begin = divmod(phys + done, _PAGE_BYTES)
            count = min(_PAGE_BYTES - begin, size - done)
            yield page, slice(begin, begin + count), slice(done, done + count)
            done += count

    def read(self, phys: int, size: int) -> Bytes:
        """Copy `size` bytes (uint8) from byte address `phys`."""
        result = np.zeros(size, np.uint8)
        for page, inside, outside in self._pieces(phys, size):
            if page in self.pages:
                result[outside] = self.pages[page][inside]
        return result

    def write(self, phys: int, data: Bytes) -> None:
        """Write bytes (uint8) to byte address `phys`."""
        for page, inside, outside in self._pieces(phys, len(data)):
            page_bytes = self.pages.setdefault(page, np.zeros(_PAGE_BYTES, np.uint8))
            page_bytes[inside] = data[outside]

    def copy(self) -> Dram:
        """An independent image with the same content."""
        twin = Dram()
        twin.pages = {page: data.copy() for page, data in self.pages.items()}
        return twin


def unpack(data: Bytes, bits: int) -> Ints:
    """Signed values (int64) of `bits` bits each, first value in the least significant bits."""
    if bits >= 8:
        return data.view(f"<i{bits // 8}").astype(np.int64)
    stream = np.unpackbits(data, bitorder="little").reshape(-1, bits).astype(np.int64)
    values = stream @ (np.int64(1) << np.arange(bits, dtype=np.int64))
    wrapped: Ints = wrap(values, bits)
    return wrapped


def pack(values: Ints, bits: int) -> Bytes:
    """The inverse of `unpack`: the low `bits` bits of each value, as bytes."""
    if bits >= 8:
        return values.reshape(-1).astype(f"<i{bits // 8}").view(np.uint8)
    stream = (values.reshape(-1, 1) >> np.arange(bits, dtype=np.int64)) & 1
    return np.packbits(stream.astype(np.uint8), bitorder="little")


def wrap(values: Any, bits: int) -> Any:
    """Reduce modulo 2^bits into the range of two's complement."""
    sign = np.int64(1) << np.int64(bits - 1)
    return ((values + sign) & ((sign << np.int64(1)) - 1)) - sign


def element_shape(config: HwConfig, memory_type: MemType) -> tuple[tuple[int, ...], int]:
    """Shape of one element of a memory type, and the bits of one value in DRAM."""
    rows = (config.batch, config.block)
    return {
        MemType.UOP: ((), 8 * config.uop_bytes),
        MemType.WGT: ((config.block, config.block), config.wgt_width),
        MemType.INP: (rows, config.inp_width),
        MemType.ACC: (rows, config.acc_width),
        MemType.OUT: (rows, config.out_width),
        MemType.ACC_8BIT: (rows, config.inp_width),
    }[memory_type]
