"""Time by operator: on the accelerator, and on the processor of the machine at hand."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.program import ArenaKind, CpuStep, Program, Tensor
from vta_pynq.runtime.cpu_steps import run_cpu_step

__all__ = ["FAMILIES", "OperatorTimes", "accelerator_times", "cpu_step_times", "family_of",
           "machine_name"]  # fmt: skip

_KEYWORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # First match wins: pooling before the sums that it may be made of.
    ("pooling", ("pool", "reducemean", "reduce_mean")),
    ("convolution", ("conv",)),
    ("fully connected", ("gemm", "matmul")),
    ("quantise, change layout", ("quantize", "pack", "cast", "transpose", "reorder", "reshape",
                                 "join_planes", "offset")),
    ("addition", ("add", "sum")),
    ("activation", ("relu", "clip", "sigmoid", "tanh", "softmax")),
)  # fmt: skip
_FUSED = {"convolution": ("addition", "pooling")}
_OTHER = "other"
FAMILIES = (
    "convolution", "convolution with addition", "convolution with pooling", "fully connected",
    "pooling", "addition", "activation", "quantise, change layout", _OTHER,
)  # fmt: skip
"""Kinds of operators that pictures tell apart."""

_SEED = 7


@dataclasses.dataclass(frozen=True)
class OperatorTimes:
    """Seconds by operator.

    Attributes
    ----------
    seconds
        By operator name, as the program, the registry of `cpu_ops` or ONNX has it.
    where
        The machine, or the model of it, that they are of.
    how
        How they were found: measured with what, or modelled.
    """

    seconds: Mapping[str, float]
    where: str
    how: str

    @property
    def total_s(self) -> float:
        """All of them together."""
        return sum(self.seconds.values())

    def by_family(self) -> dict[str, float]:
        """Seconds of each of `FAMILIES` that takes any, in their order."""
        found = dict.fromkeys(FAMILIES, 0.0)
        for name, seconds in self.seconds.items():
            found[family_of(name)] += seconds
        return {family: seconds for family, seconds in found.items() if seconds > 0}


def family_of(operator: str) -> str:
    """Which of `FAMILIES` an operator belongs to, by its name in ONNX, `cpu_ops` or a program.

    A program's layers name what is fused to them behind a dot, as in `Conv.Add`.
    """
    first, *fused = (_family(word) for word in operator.lower().split("."))
    if fused and fused[0] in _FUSED.get(first, ()):
        return f"{first} with {fused[0]}"
    return first


def _family(word: str) -> str:
    for family, keywords in _KEYWORDS:
        if any(keyword in word for keyword in keywords):
            return family
    return _OTHER


def machine_name() -> str:
    """The processor of this machine, as it calls itself."""
    name = ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        entries = (line.partition(":") for line in info.read_text(errors="replace").splitlines())
        found = {key.strip(): value.strip() for key, _, value in entries}
        name = found.get("model name") or found.get("Hardware") or ""
    name = name or platform.processor() or platform.machine()
    return f"{name}, {platform.machine()}, {os.cpu_count()} cores"


def accelerator_times(run: ProfiledRun) -> OperatorTimes:
    """Modelled time of the accelerator, by the operators of the program's layers."""
    seconds: dict[str, float] = {}
    for layer in run.layers:
        name = layer.op or layer.name
        seconds[name] = seconds.get(name, 0.0) + run.clock.us(layer.cycles) / 1e6
    return OperatorTimes(
        seconds, f"{run.profile.name} at {run.clock.mhz:g} MHz", "modelled by the cycle model"
    )


def cpu_step_times(program: Program, repeat: int = 5) -> OperatorTimes:
    """Time of the program's steps on the processor, measured here and now.

    The steps work on seeded random data. Each runs once to warm up; the fastest of `repeat`
    further runs counts, because other programs only ever slow a run down.

    Raises
    ------
    ProgramError
        `repeat` is less than 1, or a result does not fit its tensor.
    VtaError
        An operator refused its operands.
    """
    if repeat < 1:
        raise ProgramError(f"program '{program.model}': runs must be at least 1, not {repeat}")
    arrays = _arrays(program)
    seconds: dict[str, float] = {}
    for number, step in enumerate(program.steps):
        if not isinstance(step, CpuStep):
            continue
        where = f"model '{program.model}', step {number} '{step.name}'"
        times = []
        for _ in range(repeat + 1):
            begin = time.perf_counter()
            run_cpu_step(step, arrays, where)
            times.append(time.perf_counter() - begin)
        seconds[step.op] = seconds.get(step.op, 0.0) + min(times[1:])
    return OperatorTimes(
        seconds, machine_name(), f"measured, cpu_ops on 1 thread, fastest of {repeat} runs"
    )


def _arrays(program: Program) -> dict[str, npt.NDArray[np.generic]]:
    """Memory for every tensor that a step on the processor uses, with data as real ones have."""
    random = np.random.default_rng(_SEED)
    names = {
        name
        for step in program.steps
        if isinstance(step, CpuStep)
        for name in (*step.inputs, *step.outputs)
    }
    return {name: _filled(program, program.tensor(name), random) for name in sorted(names)}


def _filled(
    program: Program, tensor: Tensor, random: np.random.Generator
) -> npt.NDArray[np.generic]:
    if program.arena(tensor.arena).kind is ArenaKind.CONST:
        return program.constant(tensor)
    if tensor.np_dtype.kind == "f":
        return random.uniform(-1, 1, tensor.stored_shape).astype(tensor.np_dtype)
    if tensor.np_dtype.kind == "b":
        return random.integers(0, 2, tensor.stored_shape).astype(tensor.np_dtype)
    limits = np.iinfo(tensor.np_dtype)
    low, high = max(limits.min, -128), min(limits.max, 127)
    return random.integers(low, high + 1, tensor.stored_shape).astype(tensor.np_dtype)
