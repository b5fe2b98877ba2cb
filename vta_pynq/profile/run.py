"""A profiled run: a program or kernel timed by the cycle model, layer by layer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, ProgramError
from vta_pynq.isa.encode import decode
from vta_pynq.kernel.kernel import Kernel
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.profile.layers import LayerProfile, StreamLayers, layer_profiles
from vta_pynq.program import Program
from vta_pynq.stream import InstructionStream
from vta_pynq.timing import CycleReport, HwProfile, simulate
from vta_pynq.timing.costs import InstructionCosts, instruction_costs, timing_of
from vta_pynq.timing.parameters import Timing
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["Clock", "ProfiledRun", "ProfiledStream", "Source", "clock_of", "profile_run"]

Source: TypeAlias = Program | Kernel | InstructionStream | Sequence[InstructionStream]
"""What can be profiled; several streams run one after the other and share SRAM."""


_LONG_US = 5000.0


@dataclasses.dataclass(frozen=True)
class Clock:
    """The accelerator's clock in MHz; `source` says where the number comes from."""

    mhz: float
    source: str

    def us(self, cycles: float) -> float:
        """Microseconds that cycles take."""
        return cycles / self.mhz

    def axis(self, cycles: int) -> tuple[float, str]:
        """For a time axis of so many cycles: what one cycle is, and in which unit."""
        if self.us(cycles) >= _LONG_US:
            return 1e-3 / self.mhz, f"time (ms at {self.mhz:g} MHz)"
        return 1 / self.mhz, f"time (µs at {self.mhz:g} MHz)"

    def __str__(self) -> str:
        return f"{self.mhz:g} MHz ({self.source})"


def clock_of(config: HwConfig, mhz: float | None = None) -> Clock:
    """The clock of a configuration's newest overlay, unless `mhz` gives another.

    A configuration without an overlay is taken to run at the clock of the published builds.

    Raises
    ------
    ConfigError
        `mhz` is no frequency.
    """
    if mhz is not None:
        if not 0 < mhz < float("inf"):
            raise ConfigError(f"clock: frequency must be a number of MHz above 0, not {mhz}")
        return Clock(float(mhz), "as given")
    variant = find_variant(config.name)
    if variant is not None:
        return Clock(variant.clock_mhz, f"overlay {variant.name}")
    published = find_variant(HwConfig().name)
    if published is None:
        raise ConfigError("clock: frequency must be given, overlays/ describes none; pass it")
    return Clock(published.clock_mhz, "assumed, that of the published builds")


@dataclasses.dataclass(frozen=True, eq=False)
class ProfiledStream:
    """One submission of a run.

    Attributes
    ----------
    stream, records
        The instructions, encoded and decoded (`vta_pynq.isa.INSN_DTYPE`).
    hidden, serial
        The cycle model's reports: as the design runs it, and one instruction at a time.
    costs
        What each instruction costs alone.
    begin
        Cycle of the whole run at which it is launched.
    layers
        Which layer each instruction belongs to.
    """

    stream: InstructionStream
    records: npt.NDArray[np.void]
    hidden: CycleReport
    serial: CycleReport
    costs: InstructionCosts
    begin: int
    layers: StreamLayers

    @property
    def end(self) -> int:
        """Cycle of the whole run at which the next one is launched."""
        return self.begin + self.hidden.total_cycles


@dataclasses.dataclass(frozen=True, eq=False)
class ProfiledRun:
    """Result of `profile_run`.

    Submissions follow each other without a pause: what the processor does in between takes no
    cycles of the accelerator and is not part of the run.

    Attributes
    ----------
    name, config, profile, latency, clock
        The model's or kernel's name; what it was timed for; L of the cycle model.
    streams
        The submissions in order.
    program
        The program, where that was profiled.
    """

    name: str
    config: HwConfig
    profile: HwProfile
    timing: Timing
    latency: int
    clock: Clock
    streams: tuple[ProfiledStream, ...]
    program: Program | None = None

    @property
    def cycles(self) -> int:
        """Cycles of all submissions, from launch to the done flag."""
        return sum(part.hidden.total_cycles for part in self.streams)

    @property
    def serial_cycles(self) -> int:
        """The same without latency hiding."""
        return sum(part.serial.total_cycles for part in self.streams)

    @functools.cached_property
    def layers(self) -> tuple[LayerProfile, ...]:
        """Every layer in the order of execution; one named `REST` where something is left over.

        Their cycles add up to those of the run, and so do their bytes, MACs and instructions.
        """
        reports = {} if self.program is None else {r.name: r for r in self.program.layers}
        return layer_profiles(self.streams, reports, self.config, self.profile)

    def layer(self, name: str) -> LayerProfile:
        """The layer with that name, or with that number.

        Raises
        ------
        ProgramError
            There is none.
        """
        for layer in self.layers:
            if name in (layer.name, str(layer.number)):
                return layer
        raise ProgramError(
            f"program '{self.name}': layer must be a number in 1..{len(self.layers)} or a name "
            f"that 'vta profile' lists, not {name!r}"
        )

    @property
    def peak_gops(self) -> float:
        """GOPS of the matrix unit when it never waits; a multiply-accumulate is two operations."""
        per_cycle = 2 * self.config.macs_per_cycle / self.timing.gemm.interval
        return per_cycle * self.clock.mhz / 1e3

    def gops(self, ops: float, cycles: float) -> float:
        """10^9 operations a second; 0 where there are no cycles."""
        return ops / cycles * self.clock.mhz / 1e3 if cycles else 0.0

    @property
    def heading(self) -> str:
        """One line that says what was timed, and how."""
        return (
            f"{self.name} on {self.config.name}, cycle model of {self.profile.name}, memory "
            f"latency {self.latency} cycles, {self.clock.mhz:g} MHz"
        )


def profile_run(
    source: Source,
    profile: HwProfile | str | None = None,
    *,
    memory_latency_cycles: int | None = None,
    clock_mhz: float | None = None,
) -> ProfiledRun:
    """Time a program, a kernel or streams with the cycle model, with and without latency hiding.

    Parameters
    ----------
    source
        What to time.
    profile
        Hardware profile or its name; None takes the one that the source was made for.
    memory_latency_cycles
        L of the cycle model; None takes the profile's.
    clock_mhz
        None takes that of the configuration's overlay (`clock_of`).

    Raises
    ------
    ConfigError
        There is no such profile, or the clock is none.
    ProgramError
        The source has no instructions.
    SimError
        A stream dead-locks, or the profile has no notion of time.
    """
    streams, made_for = _streams(source)
    chosen, timing = timing_of(made_for if profile is None else profile)
    latency = timing.memory_latency if memory_latency_cycles is None else memory_latency_cycles
    config = streams[0].config
    parts: list[ProfiledStream] = []
    for stream in streams:
        begin = parts[-1].end if parts else 0
        parts.append(_profiled(stream, chosen, latency, begin))
    return ProfiledRun(
        source.model if isinstance(source, Program) else getattr(source, "name", streams[0].name),
        config,
        chosen,
        timing,
        latency,
        clock_of(config, clock_mhz),
        tuple(parts),
        source if isinstance(source, Program) else None,
    )


def _streams(source: Source) -> tuple[list[InstructionStream], str]:
    if isinstance(source, Program):
        found: Iterable[InstructionStream] = source.streams()
        name, made_for = source.model, source.profile
    elif isinstance(source, Kernel):
        found, name, made_for = source.streams(), source.name, source.profile
    elif isinstance(source, InstructionStream):
        found, name, made_for = [source], source.name, DEFAULT_PROFILE
    else:
        found, name, made_for = source, "streams", DEFAULT_PROFILE
    streams = list(found)
    if not any(len(stream) for stream in streams):
        raise ProgramError(
            f"profile of '{name}': instructions must be at least one, not none; nothing of it runs "
            "on the accelerator"
        )
    return streams, made_for


def _profiled(
    stream: InstructionStream, profile: HwProfile, latency: int, begin: int
) -> ProfiledStream:
    records = decode(stream.words, stream.config)
    hidden, serial = (
        simulate(stream, profile, memory_latency_cycles=latency, detail=True, serial=one_at_a_time)
        for one_at_a_time in (False, True)
    )
    costs = instruction_costs(records, profile, stream.config, latency)
    layers = StreamLayers.of(stream)
    return ProfiledStream(stream, records, hidden, serial, costs, begin, layers)
