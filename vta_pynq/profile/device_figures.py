"""What a device takes: its bus, memory, modules and whole programs, beside the cycle model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, Opcode, elem_bytes, sram_depth
from vta_pynq.overlay import VtaOverlay
from vta_pynq.overlay.buffers import allocate, to_cpu, to_device
from vta_pynq.profile.figures import Row
from vta_pynq.profile.measured import measure_steps
from vta_pynq.profile.run import clock_of, profile_run
from vta_pynq.program import Program
from vta_pynq.selftest.pace import clock_mhz, long_gemm
from vta_pynq.selftest.placed import StreamRunner
from vta_pynq.selftest.sequence import Sequence as Instructions
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.model import simulate

__all__ = ["device_rows"]

_BUFFER_BYTES = 1 << 20
_ACCESSES = 100
_TURNS = 2_000_000
_MOVES = 40
_TIMEOUT_S = 60.0
_LEAST_PART = 0.5
"""Of an empty run's time: what takes less cannot be told from it."""

Rows = Iterator[tuple[str, Row]]


def device_rows(
    overlay: str,
    device: Any = None,
    programs: Sequence[Path] = (),
    *,
    repeat: int = 5,
) -> Rows:
    """Measure a device, one figure after another.

    A time that the cycle model predicts has the prediction in its note. On a simulated device
    times are the simulator's own and say nothing about hardware.

    Parameters
    ----------
    overlay
        What to load.
    device
        As `VtaOverlay` takes it.
    programs
        Program files of the overlay's configuration.
    repeat
        Runs of which the median counts.

    Yields
    ------
    benchmark, row
        The group, and the figure.

    Raises
    ------
    VtaError
        The device failed, or a program does not belong on the overlay.
    """
    with VtaOverlay(overlay, device=device) as loaded:
        yield from _bus(loaded, repeat)
        runner = StreamRunner(loaded, _TIMEOUT_S)
        # A program of nothing but FINISH: what every run costs.
        empty = Instructions(loaded.config, "empty").stream()
        empty_s, spread = _timed(runner, empty, repeat)
        yield "run", Row("empty run", 1e6 * empty_s, "us", spread=spread)
        yield from _modules(loaded, runner, empty_s, repeat)
        name, chosen = loaded.identity.variant or overlay, loaded.device
    for path in programs:
        yield from _program(Program.load(path), chosen, str(name), repeat)


def _median(call: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median wall time in seconds, and the spread of the repeats; one warm-up run."""
    call()
    seconds = []
    for _ in range(max(3, repeat)):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return _of(seconds)


def _of(seconds: list[float]) -> tuple[float, float]:
    low, middle, high = statistics.quantiles(seconds, n=4)
    return middle, (high - low) / middle if middle else 0.0


def _bus(loaded: VtaOverlay, repeat: int) -> Rows:
    fetch = loaded.accelerator.fetch

    def read() -> None:
        for _ in range(_ACCESSES):
            fetch.status()

    seconds, spread = _median(read, repeat)
    yield "bus", Row("register read", 1e6 * seconds / _ACCESSES, "us", spread=spread)
    buffer = allocate(loaded.device, _BUFFER_BYTES, np.uint8)
    for name, move in (("flush", to_device), ("invalidate", to_cpu)):
        seconds, spread = _median(lambda move=move: move([buffer]), repeat)  # type: ignore[misc]
        yield (
            "bus",
            Row(
                f"{name} of 1 MiB", _BUFFER_BYTES / max(seconds, 1e-9) / 1e6, "MB/s", spread=spread
            ),
        )


def _timed(runner: StreamRunner, stream: InstructionStream, repeat: int) -> tuple[float, float]:
    """Median seconds from submission to the end."""
    found: list[float] = []
    for _ in range(max(3, repeat) + 1):
        runner.run(stream, found)
    return _of(found[1:])


def _modules(loaded: VtaOverlay, runner: StreamRunner, empty_s: float, repeat: int) -> Rows:
    config, profile = loaded.config, loaded.identity.profile
    clock = clock_of(config, clock_mhz(loaded))
    work = [("GEMM", "GMAC/s", 1e-9, _gemm(config))]
    work += [
        (f"LOAD {kind.name}", "MB/s", 1e-6, _loads(config, kind))
        for kind in (MemType.INP, MemType.WGT, MemType.ACC)
    ]
    work.append(("STORE", "MB/s", 1e-6, _stores(config)))
    for name, unit, factor, (amount, stream) in work:
        seconds, spread = _timed(runner, stream, repeat)
        net_s, note = seconds - empty_s, "without the time of an empty run"
        if net_s < _LEAST_PART * empty_s:  # over a network: lost in the noise
            net_s, note = seconds, "with the time of an empty run, in which it is lost"
        if profile.timing is not None:
            cycles = simulate(stream, profile.name).total_cycles
            modelled_s = clock.us(cycles) / 1e6
            note = _beside(net_s, modelled_s, factor * amount / modelled_s, unit) + f"; {note}"
        yield "modules", Row(name, factor * amount / net_s, unit, note=note, spread=spread)


def _beside(measured_s: float, modelled_s: float, modelled: float, unit: str) -> str:
    off = 100 * (measured_s / modelled_s - 1)
    return f"cycle model {modelled:.4g} {unit}, time {off:+.1f} % off it"


def _gemm(config: HwConfig) -> tuple[float, InstructionStream]:
    stream = long_gemm(config, _TURNS)
    inner = min(config.acc_depth, 16_000)
    turns = max(1, min(_TURNS // inner, 16_000)) * inner
    return turns * config.macs_per_cycle, stream


def _loads(config: HwConfig, kind: MemType) -> tuple[float, InstructionStream]:
    program = Instructions(config, f"load {kind.name}")
    depth = sram_depth(config, kind)
    place = program.area(kind, elems=depth)
    for _ in range(_MOVES):
        program.move(Opcode.LOAD, kind, 0, place, depth)
    return _MOVES * depth * elem_bytes(config, kind), program.stream()


def _stores(config: HwConfig) -> tuple[float, InstructionStream]:
    program = Instructions(config, "store")
    depth = config.out_depth
    place = program.area(MemType.OUT, elems=depth)
    for _ in range(_MOVES):
        program.move(Opcode.STORE, MemType.OUT, 0, place, depth)
    return _MOVES * depth * config.out_bytes, program.stream()


def _program(program: Program, device: Any, overlay: str, repeat: int) -> Rows:
    run = profile_run(program)
    measured = measure_steps(run, device, overlay=overlay, repeat=repeat, timeout_s=_TIMEOUT_S)
    name = program.model
    total_s = sum(step.seconds for step in measured.steps)
    yield name, Row("whole run", 1e3 * total_s, "ms", note=f"fastest of {repeat} runs")
    for step in measured.steps:
        note = step.op
        if step.modelled_s is not None:
            note = _beside(step.seconds, step.modelled_s, 1e3 * step.modelled_s, "ms")
        yield name, Row(step.name, 1e3 * step.seconds, "ms", note=note)
