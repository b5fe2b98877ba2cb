"""Memory-mapped registers as NumPy sees them on a board, with every access trapped.

PYNQ's `MMIO` and `RegisterMap` index, slice and view the array that a device's `mmap` returns;
on a board it lies over the registers themselves.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.registers import REGISTER_BYTES

__all__ = ["RegisterArray", "Slave"]


class Slave(Protocol):
    """What answers on the bus: 32-bit accesses at byte offsets that are multiples of four."""

    def read(self, offset: int) -> int:
        """The register's value, with whatever a read does to it."""

    def write(self, offset: int, value: int) -> None:
        """Write the register."""


def _plain(value: Any) -> Any:
    """A NumPy argument with register arrays replaced by the values of the registers."""
    if isinstance(value, RegisterArray):
        return value._values()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return value


class RegisterArray(np.ndarray):  # type: ignore[type-arg]  # not subscriptable in numpy 1.21
    """An array over `slave` from byte `offset` upwards; `words` 32-bit registers.

    Indexing with an integer, assigning to an index or slice, iterating, printing, copying and
    NumPy functions each access every register that they touch once. Slices and views access
    nothing. Buffer-protocol readers (`memoryview`) see stale values: a process cannot trap them.
    """

    _slave: Slave | None
    _place: int
    """Byte offset of element 0 in the slave."""

    def __new__(cls, slave: Slave, offset: int, words: int) -> RegisterArray:
        """Return an array over `words` registers of `slave`."""
        self = np.zeros(words, np.uint32).view(cls)
        self._slave = slave
        self._place = offset
        return self

    def __array_finalize__(self, obj: Any) -> None:
        """Views keep the slave; their place follows from their address."""
        self._slave = getattr(obj, "_slave", None)
        if self._slave is not None:
            here: int = self.__array_interface__["data"][0]
            self._place = obj._place + here - obj.__array_interface__["data"][0]

    def _byte_offset(self, index: int) -> int:
        return self._place + index * self.strides[0]

    def _checked(self, index: int) -> int:
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"index {index} is out of bounds for axis 0 with size {length}")
        return index % length

    def _load(self, index: int) -> None:
        """Read one element from the slave into the array's memory."""
        assert self._slave is not None
        offset = self._byte_offset(index)
        words = range(0, max(self.itemsize, REGISTER_BYTES), REGISTER_BYTES)
        raw = b"".join(
            self._slave.read((offset & -REGISTER_BYTES) + word).to_bytes(REGISTER_BYTES, "little")
            for word in words
        )
        start = offset % REGISTER_BYTES if self.itemsize < REGISTER_BYTES else 0
        value = np.frombuffer(raw[start : start + self.itemsize], self.dtype)[0]
        np.ndarray.__setitem__(self, index, value)  # type: ignore[no-untyped-call]

    def _store(self, index: int) -> None:
        """Write one element from the array's memory to the slave."""
        assert self._slave is not None
        offset = self._byte_offset(index)
        if self.itemsize < REGISTER_BYTES:
            raise TypeError(
                f"registers: an access must be {REGISTER_BYTES} or 8 bytes wide, "
                f"not {self.itemsize}"
            )
        raw = np.ndarray.__getitem__(self, index).tobytes()
        for word in range(0, self.itemsize, REGISTER_BYTES):
            value = int.from_bytes(raw[word : word + REGISTER_BYTES], "little")
            self._slave.write(offset + word, value)

    def _values(self) -> npt.NDArray[Any]:
        """Read every element; a plain array."""
        if self._slave is not None:
            for index in range(len(self)):
                self._load(index)
        return np.array(self.view(np.ndarray))

    def __getitem__(self, key: Any) -> Any:
        """Read one register, or take a view without reading."""
        if type(key) is int and self._slave is not None and self.itemsize == REGISTER_BYTES:
            return np.uint32(self._slave.read(self._byte_offset(self._checked(key))))
        if self._slave is not None and isinstance(key, (int, np.integer)):
            index = self._checked(int(key))
            self._load(index)
            return np.ndarray.__getitem__(self, index)
        if self._slave is not None and not isinstance(key, slice):
            return self._values()[key]
        return np.ndarray.__getitem__(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write each selected register once, in ascending order."""
        if type(key) is int and self._slave is not None and self.itemsize == REGISTER_BYTES:
            if type(value) is np.uint32:  # what pynq's MMIO passes
                self._slave.write(self._byte_offset(self._checked(key)), int(value))
                return
        np.ndarray.__setitem__(self, key, value)  # type: ignore[no-untyped-call]
        if self._slave is not None:
            for index in np.atleast_1d(np.arange(len(self))[key]).tolist():
                self._store(index)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute on the values of the registers."""
        return getattr(ufunc, method)(*map(_plain, inputs), **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply NumPy functions to the values of the registers."""
        return func(*map(_plain, args), **kwargs)

    def copy(self, order: Any = "C") -> Any:
        """The values of the registers, as a plain array."""
        return self._values()

    def tolist(self) -> Any:
        """The values of the registers, as a list."""
        return self._values().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The values of the registers, as bytes."""
        return self._values().tobytes()

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """The values of the registers, converted."""
        return self._values().astype(*args, **kwargs)

    def __repr__(self) -> str:
        """The values of the registers."""
        return repr(self._values())

    __str__ = __repr__
