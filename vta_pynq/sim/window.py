"""A mapping of bus addresses, such as a process gets from `/dev/mem`."""

from __future__ import annotations

from typing import Protocol

from vta_pynq.sim.mapped import Slave

__all__ = ["Window"]


class _Mapped(Protocol):
    """A device whose slaves change with each download."""

    downloads: int

    def find_slave(self, address: int, length: int) -> tuple[Slave, int]: ...


class Window:
    """A mapping of bus addresses. Like one of `/dev/mem`, it outlives a download and then
    reaches whatever the new design has there."""

    def __init__(self, device: _Mapped, base: int, length: int) -> None:
        self._device = device
        self._base = base
        self._length = length
        self._generation = -1
        self._resolve()

    def _resolve(self) -> None:
        """Find the slave once per download."""
        if self._generation != self._device.downloads:
            self._slave, self._place = self._device.find_slave(self._base, self._length)
            self._generation = self._device.downloads

    def read(self, offset: int) -> int:
        """Read what is there now."""
        self._resolve()
        return self._slave.read(self._place + offset)

    def write(self, offset: int, value: int) -> None:
        """Write to what is there now."""
        self._resolve()
        self._slave.write(self._place + offset, value)
