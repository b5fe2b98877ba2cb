"""An overlay of the own design on a simulated device, and its control block by register names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.sim_device.rig import DEADLINE_S, put, stream
from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import CONTROL
from vta_pynq.isa.table import Opcode
from vta_pynq.overlay.vta_overlay import VtaOverlay
from vta_pynq.sim.device import SimDevice, activate

__all__ = ["OWN", "ControlBus", "bit", "encoded", "open_own", "run_words"]

OWN = "vta1/1x16_i8w8a32_15_15_18_17"


def open_own(**device: Any) -> VtaOverlay:
    """The own design's overlay on a fresh simulated device."""
    return VtaOverlay(OWN, device=activate(SimDevice(tag="own", **device)))


def bit(register: str, field: str) -> int:
    """Mask of a field of the control block."""
    return CONTROL.register(register).field(field).mask


class ControlBus:
    """The control block, as the bus reaches it, whatever a driver would do."""

    def __init__(self, overlay: VtaOverlay) -> None:
        entry = overlay.ip_dict["vta/control_0"]
        self._array = overlay.device.mmap(entry["phys_addr"], entry["addr_range"])

    def read(self, register: str) -> int:
        return int(self._array[CONTROL.register(register).offset // 4])

    def write(self, register: str, value: int) -> None:
        self._array[CONTROL.register(register).offset // 4] = np.uint32(value)


def encoded(rows: Sequence[Mapping[str, int]], config: HwConfig) -> Any:
    """Encode instructions, those that no encoder would make included."""
    known = [{**row, "opcode": row["opcode"] % len(Opcode)} for row in rows]
    words = stream(known, config, "raw")
    for index, row in enumerate(rows):
        if row["opcode"] >= len(Opcode):
            words[index] = row["opcode"], 0
    return words


def run_words(overlay: VtaOverlay, rows: Sequence[Mapping[str, int]]) -> None:
    """Run a stream and wait until it has come to rest, errors or not."""
    words = encoded(rows, overlay.config)
    buffer = put(overlay, words)
    bus = ControlBus(overlay)
    bus.write("STATUS", bit("STATUS", "DONE"))
    fetch = overlay.accelerator.fetch
    fetch.submit(buffer.device_address, len(words))
    for _ in range(int(DEADLINE_S / 1e-3)):
        if bus.read("STATUS") & bit("STATUS", "DONE") and fetch.status().idle:
            return
        overlay.device.accelerator._worker.submit(lambda: None).wait(1e-3)
    raise AssertionError("no FINISH")
