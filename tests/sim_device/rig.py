"""A simulated device with an overlay, small streams for it, and ways to make it awkward."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.overlay.vta_overlay import VtaOverlay
from vta_pynq.sim.device import SimDevice, activate

CONFIG_NAME = "1x16_i8w8a32_15_15_18_17"
CONFIG = HwConfig.from_name(CONFIG_NAME)
DEADLINE_S = 20.0
"""What a test may wait for something that is on its way, on the busiest machine."""


class Gate:
    """A `pace` that stops runs at the points named by `close` until they are opened."""

    def __init__(self) -> None:
        self._closed: dict[str, threading.Event] = {}
        self._reached: dict[str, threading.Event] = {}

    def close(self, point: str) -> None:
        """Stop the next run at `point`."""
        self._reached[point] = threading.Event()
        self._closed[point] = threading.Event()

    def open(self, point: str) -> None:
        """Let runs pass `point` again."""
        self._closed.pop(point).set()

    def reached(self, point: str) -> None:
        """Wait until a run stands at `point`."""
        assert self._reached[point].wait(DEADLINE_S), f"no run came to {point}"

    def __call__(self, point: str) -> None:
        stop = self._closed.get(point)
        if stop is not None:
            self._reached[point].set()
            assert stop.wait(DEADLINE_S), f"nobody opened {point}"


def open_overlay(name: str = CONFIG_NAME, **device: Any) -> VtaOverlay:
    """An overlay on a fresh simulated device, which is pynq's active one."""
    return VtaOverlay(name, device=activate(SimDevice(tag="test", **device)))


def stream(
    rows: Iterable[Mapping[str, int]], config: HwConfig = CONFIG, check: Any = "legal"
) -> np.ndarray:
    """Encode instructions given as fields."""
    rows = list(rows)
    records = np.zeros(len(rows), INSN_DTYPE)
    for index, row in enumerate(rows):
        for name, value in row.items():
            records[name][index] = value
    return encode(records, config, check)


FINISH = {"opcode": Opcode.FINISH}
LOAD_NOP = {"opcode": Opcode.LOAD, "memory_type": MemType.INP}
COMPUTE_NOP = {"opcode": Opcode.LOAD, "memory_type": MemType.UOP}
STORE_NOP = {"opcode": Opcode.STORE, "memory_type": MemType.OUT}


def put(overlay: VtaOverlay, words: np.ndarray) -> Any:
    """The words in a flushed buffer."""
    buffer = overlay.allocate(words.shape, words.dtype)
    buffer[:] = words
    buffer.flush()
    return buffer


def run(overlay: VtaOverlay, words: np.ndarray, timeout_s: float = DEADLINE_S) -> None:
    """Run a stream and wait for its end."""
    buffer = put(overlay, words)
    overlay.accelerator.run(buffer.device_address, len(words), timeout_s, words)


async def assert_waits_without_polling(
    overlay: VtaOverlay, gate: Gate, buffer: Any, words: np.ndarray
) -> None:
    """Submit a stream that stands at "done", and wait: no register is accessed until it goes on."""
    gate.close("done")
    overlay.accelerator.submit(buffer.device_address, len(words), words)
    waiting = asyncio.ensure_future(overlay.accelerator.wait_async(DEADLINE_S))
    await asyncio.sleep(0.05)
    before = overlay.device.bus_accesses
    await asyncio.sleep(0.1)
    assert overlay.device.bus_accesses == before and not waiting.done()
    gate.open("done")
    await waiting


class AddOne:
    """A program that adds `addend` to `tiles` accumulator tiles: load, ALU, store, with tokens.

    `source` is int32 of shape (tiles, block), `target` int8 of the same shape.
    """

    def __init__(self, overlay: VtaOverlay, tiles: int = 8, addend: int = 1) -> None:
        config = overlay.config
        lanes = config.batch * config.block
        self.overlay = overlay
        self.source = overlay.allocate((tiles, lanes), "i4")
        self.target = overlay.allocate((tiles, lanes), "i1")
        self.uops = overlay.allocate((1,), "u4")
        self.uops[:] = 0  # destination and source element 0; the loop steps both
        self.uops.flush()
        self.words = stream(
            [
                {
                    "opcode": Opcode.LOAD, "memory_type": MemType.UOP, "x_size": 1, "y_size": 1,
                    "x_stride": 1, "dram_base": self.uops.device_address // config.uop_bytes,
                },
                {
                    "opcode": Opcode.LOAD, "memory_type": MemType.ACC, "x_size": tiles,
                    "y_size": 1, "x_stride": tiles,
                    "dram_base": self.source.device_address // config.acc_bytes,
                },
                {
                    "opcode": Opcode.ALU, "alu_opcode": AluOp.ADD, "use_imm": 1, "imm": addend,
                    "uop_bgn": 0, "uop_end": 1, "iter_out": 1, "iter_in": tiles,
                    "dst_factor_in": 1, "src_factor_in": 1, "push_next": 1,
                },
                {
                    "opcode": Opcode.STORE, "memory_type": MemType.OUT, "x_size": tiles,
                    "y_size": 1, "x_stride": tiles, "pop_prev": 1, "push_prev": 1,
                    "dram_base": self.target.device_address // config.out_bytes,
                },
                {**FINISH, "pop_next": 1},
            ],
            config,
        )  # fmt: skip
        self.insns = put(overlay, self.words)

    def run(self, timeout_s: float = DEADLINE_S) -> None:
        """Submit and wait, without any cache maintenance of the data."""
        self.overlay.accelerator.run(
            self.insns.device_address, len(self.words), timeout_s, self.words
        )
