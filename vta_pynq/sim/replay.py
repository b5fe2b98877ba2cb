"""Runs conformance cases on an engine and compares what DRAM holds afterwards."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vta_pynq.conformance import Case, ExpectedOutput, is_case
from vta_pynq.errors import ProgramError, SimError
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.encode import INSN_DTYPE
from vta_pynq.sim.engine import Dram, Engine, StreamError
from vta_pynq.sim.faults import FaultKind
from vta_pynq.timing.costs import instruction_cycles, timing_of
from vta_pynq.timing.model import simulate

if TYPE_CHECKING:
    from vta_pynq.sim.csim import CsimEngine

__all__ = ["RUNNERS", "Replay", "find_cases", "replay_case"]

_NOTHING = np.zeros(0, INSN_DTYPE)
Runner = Callable[[Case, str, int], tuple[Dram, list[float]]]
"""Runs a case under a semantics a number of times; DRAM of the last run, seconds of each."""


@dataclasses.dataclass(frozen=True)
class Replay:
    """The outcome of one case.

    `seconds` is the median of the engine's own CPU time, None where it did not finish; `cycles`
    is the cycle model's total where that was asked for, None where the design does not finish
    (`cycles_problem` says why); `recorded_cycles` is what the case records of the same design at
    the same latency. `problem` says what is wrong with the outputs, or is "".
    """

    name: str
    ok: bool
    seconds: float | None
    cycles: int | None
    instructions: int
    problem: str = ""
    recorded_cycles: int | None = None
    cycles_problem: str = ""


def find_cases(paths: Sequence[str]) -> list[Path]:
    """The case folders among `paths`; a folder of cases stands for all of them, sorted.

    Raises
    ------
    ProgramError
        A path is something else.
    """
    found: list[Path] = []
    for text in paths:
        path = Path(text)
        inside = sorted(p for p in path.iterdir() if is_case(p)) if path.is_dir() else []
        if is_case(path):
            found.append(path)
        elif inside:
            found.extend(inside)
        elif path.is_file():
            raise ProgramError(
                f"{text}: case must be a folder with meta.json, not a file; "
                "run program files with 'vta run'"
            )
        else:
            raise ProgramError(f"{text}: case must be a folder with meta.json, and there is none")
    return found


def _run_fast(case: Case, semantics: str, repeat: int) -> tuple[Dram, list[float]]:
    return _run(lambda: Engine(case.stream.config, semantics=semantics), case, repeat)


def _run_csim(case: Case, semantics: str, repeat: int) -> tuple[Dram, list[float]]:
    # Imported here: it compiles the design, which the other engine does not need.
    from vta_pynq.sim.csim import CsimEngine

    if semantics != "functional":
        raise SimError(f"csim: semantics must be functional, as the design's, not {semantics!r}")
    # Cases of the published instruction set name its configurations, which have no capabilities.
    return _run(lambda: CsimEngine(with_operations(case.stream.config)), case, repeat)


def _run(
    make: Callable[[], Engine | CsimEngine], case: Case, repeat: int
) -> tuple[Dram, list[float]]:
    """Run on the case's buffers; on all of DRAM where the stream goes beyond them.

    A case's DRAM is zero where no file covers it, so going beyond is legal. It is rare, and the
    whole address space costs a moment to set up.
    """
    outputs = [(output.phys, output.expected.size) for output in case.outputs]
    try:
        return _run_on(lambda: Dram.of_stream(case.stream, outputs), make(), case, repeat)
    except StreamError as error:
        if error.kind is not FaultKind.DRAM_RANGE:
            raise
        return _run_on(lambda: Dram.whole(case.stream), make(), case, repeat)


def _run_on(
    fresh: Callable[[], Dram], engine: Engine | CsimEngine, case: Case, repeat: int
) -> tuple[Dram, list[float]]:
    seconds: list[float] = []
    for number in range(repeat):
        dram = fresh()
        if number:
            engine.reset()
        engine.tokens = case.stream.tokens_in
        seconds.append(engine.run(dram, case.insn_phys, len(case.stream)).seconds)
    return dram, seconds


RUNNERS: dict[str, Runner] = {"csim": _run_csim, "fast": _run_fast}
"""Engines that can replay a case, by name."""


def _difference(dram: Dram, wanted: ExpectedOutput) -> str:
    found = dram.view(wanted.phys, wanted.expected.size)
    wrong = np.flatnonzero(found != wanted.expected)
    if not wrong.size:
        return ""
    first = int(wrong[0])
    return (
        f"{wrong.size} of {wanted.expected.size} bytes at {wanted.phys:#x} differ, the first at "
        f"{wanted.phys + first:#x}: {wanted.expected[first]:#04x} expected, "
        f"{found[first]:#04x} found"
    )


def replay_case(
    case: Case,
    engine: str = "fast",
    semantics: str = "functional",
    profile: str | None = None,
    repeat: int = 1,
    latency: int | None = None,
) -> Replay:
    """Run a case and compare its outputs byte for byte.

    Only these decide whether it passes; that a design would not finish leaves its cycles open.

    Parameters
    ----------
    case
        The case.
    engine
        One of `RUNNERS`.
    semantics
        What the engine is asked to follow.
    profile
        Hardware profile whose cycles are wanted, or None.
    repeat
        Runs, each on fresh DRAM and SRAM.
    latency
        Memory latency of the cycle model, in cycles; None takes the profile's.

    Raises
    ------
    ConfigError, SimError
        The profile, the latency or the engine's settings are impossible, or memory is short.
    """
    timed = {} if profile is None else _time(case, profile, latency)
    seconds = None
    try:
        dram, times = RUNNERS[engine](case, semantics, repeat)
        seconds = statistics.median(times)
        problem = "; ".join(filter(None, (_difference(dram, o) for o in case.outputs)))
    except StreamError as error:
        problem = str(error)
    return Replay(
        name=case.name,
        ok=not problem,
        seconds=seconds,
        instructions=len(case.stream),
        problem=problem,
        **{"cycles": None, **timed},
    )


def _time(case: Case, profile: str, latency: int | None) -> dict[str, Any]:
    """The fields of `Replay` that the cycle model fills."""
    timing = timing_of(profile)[1]
    instruction_cycles(_NOTHING, profile, case.stream.config, latency)  # refuses the latency
    same = latency is None or latency == timing.memory_latency
    recorded = case.meta.get("cycles")
    counts = recorded if same and isinstance(recorded, dict) else {}
    try:
        cycles = simulate(case.stream, profile, memory_latency_cycles=latency).total_cycles
    except SimError as error:  # a dead-lock or hang of this design, whatever the engine did
        return {"cycles_problem": str(error)}
    return {"cycles": cycles, "recorded_cycles": counts.get(timing.recorded_as)}
