"""Waiting in order: a pool that serves whoever came first."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from vta_pynq.errors import DeviceError

__all__ = ["FairPool"]

T = TypeVar("T")


class _Waiter(Generic[T]):
    def __init__(self, wanted: int | None) -> None:
        self.wanted = wanted
        self.ready = threading.Event()
        self.number: int | None = None


class FairPool(Generic[T]):
    """Lends out items in the order of asking; there is one at first, and up to `limit` in time.

    There is no deadline: whoever holds an item must have one for everything that he waits for.

    Parameters
    ----------
    first
        Item number 0.
    make
        Makes a further item when all are lent; `DeviceError` means that there can be no more.
    limit
        The most items there may be.
    name
        What is lent, for the error after `close`.
    """

    def __init__(
        self, first: T, make: Callable[[], T] | None = None, limit: int = 1, name: str = "pool"
    ) -> None:
        self._make = make
        self._limit = limit if make is not None else 1
        self._name = name
        self._lock = threading.Lock()
        self._items: list[T] = [first]
        self._free: set[int] = {0}
        self._growing = False
        self._queue: collections.deque[_Waiter[T]] = collections.deque()
        self._closed = False
        self._all_back = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def lend(self, wanted: int | None = None) -> Iterator[T]:
        """Borrow any item, or that with number `wanted`, for the body.

        Raises
        ------
        DeviceError
            The pool is closed.
        """
        number = self._acquire(wanted)
        try:
            yield self._items[number]
        finally:
            self._release(number)

    def close(self) -> None:
        """Refuse from now on, wait until everything is back, and let go of all items."""
        with self._lock:
            self._closed = True
            for waiter in self._queue:
                waiter.ready.set()
            self._queue.clear()
            self._serve()
        self._all_back.wait()
        with self._lock:
            self._items.clear()
            self._free.clear()
            self._make = None

    def _acquire(self, wanted: int | None) -> int:
        with self._lock:
            self._check_open()
            if not self._queue and (number := self._pick(wanted)) is not None:
                return number
            waiter: _Waiter[T] = _Waiter(wanted)
            self._queue.append(waiter)
            self._serve()
            grow = (
                waiter.number is None
                and wanted is None
                and not self._growing
                and len(self._items) < self._limit
            )
            self._growing = self._growing or grow
        try:
            if grow:
                self._grow()
            waiter.ready.wait()
        except BaseException:
            self._give_up(waiter)
            raise
        if waiter.number is None:
            self._check_open()
        assert waiter.number is not None
        return waiter.number

    def _release(self, number: int) -> None:
        with self._lock:
            self._free.add(number)
            self._serve()

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceError(f"{self._name}: it must be open, not closed; load it again")

    def _grow(self) -> None:
        assert self._make is not None
        item = None
        try:
            item = self._make()
        except DeviceError:
            self._limit = len(self._items)  # no memory for another: share those that there are
        finally:
            with self._lock:
                self._growing = False
                if item is not None:
                    self._free.add(len(self._items))
                    self._items.append(item)
                self._serve()

    def _give_up(self, waiter: _Waiter[T]) -> None:
        with self._lock:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif waiter.number is not None:
                self._free.add(waiter.number)
                self._serve()

    def _pick(self, wanted: int | None) -> int | None:
        """Take a free item that will do, if there is one."""
        number = min(self._free, default=None) if wanted is None else wanted
        if number is None or number not in self._free:
            return None
        self._free.discard(number)
        return number

    def _serve(self) -> None:
        """Hand free items to those who wait, first come first served; with the lock held."""
        for waiter in list(self._queue):
            if not self._free:
                break
            number = self._pick(waiter.wanted)
            if number is not None:
                self._queue.remove(waiter)
                waiter.number = number
                waiter.ready.set()
        if self._closed and len(self._free) >= len(self._items) and not self._growing:
            self._all_back.set()
