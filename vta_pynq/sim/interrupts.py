"""Interrupts of the simulated device: a UIO line, as PYNQ waits for it, and the wiring to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from vta_pynq.isa.register_types import IpBlock
from vta_pynq.sim.slaves import AxiInterruptController

__all__ = ["UioLine", "wire_interrupts"]


class _Event(Protocol):
    def set(self) -> None: ...


class _Source(Protocol):
    """A slave with an interrupt output."""

    irq: Callable[[bool], None]

    @property
    def block(self) -> IpBlock: ...


class UioLine:
    """A level interrupt at the PS, with the interface of `pynq.uio.UioController`.

    `add_event` is called from the event loop's thread; the line may be driven from any thread.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.AbstractEventLoop, _Event]] = []
        self._level = False
        self._lock = threading.Lock()

    def add_event(self, event: _Event, number: int) -> None:
        """Set `event` once, as soon as the line is high."""
        loop = asyncio.get_event_loop()
        with self._lock:
            self._waiting.append((loop, event))
        self._notify()

    def set_level(self, level: bool) -> None:
        """Drive the line."""
        with self._lock:
            self._level = level
        self._notify()

    def _notify(self) -> None:
        with self._lock:
            ready = self._waiting if self._level else []
            if ready:
                self._waiting = []
        for loop, event in ready:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


def _line_of(
    controllers: Mapping[str, AxiInterruptController], pin: Mapping[str, Any]
) -> Callable[[bool], None] | None:
    controller = controllers.get(pin["controller"])
    if controller is None:
        return None
    index = int(pin["index"])
    return lambda level: controller.set_line(index, level)


def wire_interrupts(
    blocks: Mapping[str, _Source],
    controllers: Mapping[str, AxiInterruptController],
    pins: Mapping[str, Mapping[str, Any]],
) -> None:
    """Connect the interrupt outputs of `blocks` as `pins`, PYNQ's `interrupt_pins`, says.

    `blocks` and `controllers` are named as in `ip_dict`.
    """
    for name, pin in pins.items():
        owner, _, output = name.rpartition("/")
        block = blocks.get(owner)
        line = _line_of(controllers, pin)
        if block is not None and line is not None and output == block.block.interrupt:
            block.irq = line
