"""The host's cost of driving the accelerator, on the simulated device."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from vta_pynq.drivers import drain_stream
from vta_pynq.overlay.vta_overlay import VtaOverlay
from vta_pynq.profile.figures import Row
from vta_pynq.sim.device import SimDevice, activate

NAME = "device"
CONFIG = "1x16_i8w8a32_15_15_18_17"
ACCESS_LIMIT = 16
RUN_LIMIT_US = 200.0
"""For a whole run of the runtime; what is below it here is what the runtime may use."""


def _microseconds(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall time of one call, and its relative spread."""
    for _ in range(10):
        call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - begin))
    low, middle, high = statistics.quantiles(times, n=4)
    return middle, (high - low) / middle


def run(quick: bool) -> list[Row]:
    """Wall times in µs; the other processes of the machine count."""
    warnings.simplefilter("ignore")
    repeats = 200 if quick else 2000
    overlay = VtaOverlay(CONFIG, device=activate(SimDevice(tag="bench")))
    # The last instruction of a drain of nothing is FINISH; as a program of its own it pops none.
    finish = drain_stream((0, 0, 0, 0), overlay.config)[-1:] & np.array([[7, 0]], np.uint64)
    buffer = overlay.allocate(finish.shape, finish.dtype)
    buffer[:] = finish
    buffer.flush()
    accelerator, phys = overlay.accelerator, buffer.device_address
    accesses = []
    for _ in range(repeats):
        before = overlay.device.bus_accesses
        accelerator.run(phys, 1)
        accesses.append(overlay.device.bus_accesses - before)
    empty_us, spread = _microseconds(lambda: accelerator.run(phys, 1), repeats)
    read_us, read_spread = _microseconds(accelerator.compute.done, repeats)
    allocate_us, allocate_spread = _microseconds(lambda: overlay.allocate(1 << 16), repeats)
    return [
        Row("submit and wait, FINISH only", empty_us, "us", RUN_LIMIT_US, "wall", spread),
        Row("register accesses of it", statistics.median(accesses), "accesses", ACCESS_LIMIT),
        Row("one register read", read_us, "us", None, "wall", read_spread),
        Row("allocate and free 64 KiB", allocate_us, "us", None, "wall", allocate_spread),
    ]
