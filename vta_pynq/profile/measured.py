"""A program's steps measured by the clock, on a board or on the simulated device."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.drivers.control import HardwareCounters
from vta_pynq.errors import ProgramError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.overlay.devices import is_simulated
from vta_pynq.profile.hardware_counts import HardwareCounts, counts_table, hardware_counts
from vta_pynq.profile.operators import OperatorTimes, accelerator_times, machine_name
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.program import CpuStep, Program, VtaStep
from vta_pynq.runtime.model import Model

__all__ = ["MeasuredRun", "MeasuredStep", "measure_steps", "measured_table"]

_SEED = 7
_WHOLE = "all steps"


@dataclasses.dataclass(frozen=True)
class MeasuredStep:
    """One step of a program: the fastest of the runs, and what the cycle model says.

    `modelled_s` is None for a step on the processor.
    """

    name: str
    op: str
    seconds: float
    modelled_s: float | None


@dataclasses.dataclass(frozen=True)
class MeasuredRun:
    """Result of `measure_steps`.

    Attributes
    ----------
    steps
        In the program's order.
    device
        The device's name.
    simulated
        Whether it is simulated: then the time of an accelerator step is the simulator's own, and
        says nothing about hardware.
    repeat
        Runs of which the fastest counts, step by step.
    counts
        The hardware's counters in the run with the fewest cycles; None where it has none.
    """

    steps: tuple[MeasuredStep, ...]
    device: str
    simulated: bool
    repeat: int
    counts: HardwareCounts | None = None

    @property
    def how(self) -> str:
        """In a caption: what was measured."""
        what = "the simulator's own speed" if self.simulated else "measured by the clock"
        return f"{what} on {self.device}, fastest of {self.repeat} runs"

    def accelerator_times(self, run: ProfiledRun) -> OperatorTimes:
        """The accelerator's steps, by the operators of the profiled run's layers.

        A clock sees steps, not layers: the measured time is divided as the cycle model divides
        its own. On a simulated device the time is the model's.
        """
        modelled = accelerator_times(run)
        if self.simulated:
            return modelled
        measured_s = sum(step.seconds for step in self.steps if step.modelled_s is not None)
        factor = measured_s / modelled.total_s
        seconds = {name: factor * value for name, value in modelled.seconds.items()}
        return OperatorTimes(
            seconds, self.device, f"{self.how}, divided among operators as the cycle model does"
        )

    def processor_times(self) -> OperatorTimes:
        """The steps on the processor, by operator."""
        seconds: dict[str, float] = {}
        for step in self.steps:
            if step.modelled_s is None:
                seconds[step.op] = seconds.get(step.op, 0.0) + step.seconds
        return OperatorTimes(seconds, machine_name(), self.how)


def measure_steps(
    run: ProfiledRun,
    device: Any = None,
    *,
    overlay: str | None = None,
    repeat: int = 3,
    timeout_s: float = 60.0,
) -> MeasuredRun:
    """Run the profiled program and measure each of its steps.

    Inputs are seeded random data; the first run does not count. Hardware that has counters is
    asked for them too; they are cleared for that.

    Parameters
    ----------
    device
        As `VtaOverlay` takes it: a pynq device, `board`, `sim`, `csim`, or None.
    overlay
        What to load; None takes the program's configuration.
    timeout_s
        Deadline of each accelerator step, in seconds.

    Raises
    ------
    ProgramError
        A kernel or stream was profiled, not a program.
    VtaError
        The device failed.
    """
    program = run.program
    if program is None:
        raise ProgramError(
            f"measuring '{run.name}': source must be a program file, not a kernel; compile or save "
            "one"
        )
    if repeat < 1:
        raise ProgramError(f"measuring '{run.name}': runs must be at least 1, not {repeat}")
    arrays = _inputs(program)
    with VtaOverlay(overlay or program.config.name, device=device) as opened:
        simulated, name = is_simulated(opened.device), str(opened.device.name)
        hardware = opened.identity.profile.name
        with opened.load(program) as model:
            runs = [_one_run(opened, model, arrays, timeout_s) for _ in range(repeat + 1)][1:]
    fastest = np.min(np.array([seconds for seconds, _ in runs]), axis=0).tolist()
    cycles = iter([part.hidden.total_cycles for part in run.streams])
    steps = []
    for step, seconds in zip(program.steps, fastest, strict=True):
        if isinstance(step, VtaStep):
            modelled = run.clock.us(next(cycles)) / 1e6
            steps.append(MeasuredStep(step.name, "accelerator", seconds, modelled))
        else:
            assert isinstance(step, CpuStep)
            steps.append(MeasuredStep(step.name, step.op, seconds, None))
    counted = [counters for _, counters in runs if counters is not None]
    counts = None
    if counted:
        least = min(counted, key=lambda counters: counters.cycles)
        reports = [part.hidden for part in run.streams]
        counts = hardware_counts(least, reports, hardware, run.profile.name)
    return MeasuredRun(tuple(steps), name, simulated, repeat, counts)


def _one_run(
    overlay: VtaOverlay, model: Model, arrays: list[npt.NDArray[Any]], timeout_s: float
) -> tuple[tuple[float, ...], HardwareCounters | None]:
    """Seconds of each step, and what the hardware counted meanwhile."""
    accelerator = overlay.accelerator
    with accelerator.lock:  # nobody else's runs in the counters
        if accelerator.control is not None:
            accelerator.clear_counters()
        seconds = model.time_steps(*arrays, timeout_s=timeout_s)
        return seconds, None if accelerator.control is None else accelerator.counters()


def _inputs(program: Program) -> list[npt.NDArray[Any]]:
    random = np.random.default_rng(_SEED)
    arrays = []
    for tensor in program.input_tensors:
        dtype = tensor.np_dtype
        if dtype.kind == "f":
            arrays.append(random.uniform(-1, 1, tensor.shape).astype(dtype))
        else:
            high = 2 if dtype.kind == "b" else 100
            arrays.append(random.integers(0, high, tensor.shape).astype(dtype))
    return arrays


def measured_table(measured: MeasuredRun) -> str:
    """A line for each step, milliseconds beside the cycle model's; then for each counter."""
    lines = [f"steps: {measured.how}"]
    width = max(len(name) for name in (_WHOLE, *(step.name for step in measured.steps)))
    for step in measured.steps:
        model = ""
        if step.modelled_s is not None:
            model = f"  {step.modelled_s * 1e3:10.3f} ms by the cycle model"
        lines.append(f"  {step.name:{width}}  {step.op:12} {step.seconds * 1e3:10.3f} ms{model}")
    whole = sum(step.seconds for step in measured.steps)
    lines.append(f"  {_WHOLE:{width}}  {'':12} {whole * 1e3:10.3f} ms")
    if measured.simulated:
        lines.append("  (a simulated device: accelerator steps take what the simulator takes)")
    if measured.counts is not None:
        lines.append(counts_table(measured.counts))
        if measured.simulated:
            lines.append("  (a simulated device: its counters are the cycle model's account)")
    return "\n".join(lines)
