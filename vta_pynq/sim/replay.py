"""Runs conformance cases on an engine and compares what DRAM holds afterwards."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vta_pynq.conformance import Case, ExpectedOutput, is_case
from vta_pynq.errors import ProgramError, SimError
from vta_pynq.sim.engine import Dram, Engine
from vta_pynq.timing.model import simulate

__all__ = ["RUNNERS", "Replay", "find_cases", "replay_case"]

Runner = Callable[[Case, str, int], tuple[Dram, list[float]]]
"""Runs a case under a semantics a number of times; DRAM of the last run, seconds of each."""


@dataclasses.dataclass(frozen=True)
class Replay:
    """The outcome of one case.

    `seconds` is the median of the engine's own CPU time, None where it did not finish; `cycles`
    is the cycle model's total where that was asked for; `problem` says what is wrong, or is "".
    """

    name: str
    ok: bool
    seconds: float | None
    cycles: int | None
    instructions: int
    problem: str = ""


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
    engine = Engine(case.stream.config, semantics=semantics)
    phys = case.meta["insn"]["phys"]
    insn_phys = int(phys, 0) if isinstance(phys, str) else int(phys)
    outputs = [(output.phys, output.expected.size) for output in case.outputs]
    seconds: list[float] = []
    for number in range(repeat):
        dram = Dram.of_stream(case.stream, outputs)
        if number:
            engine.reset()
        engine.tokens = case.stream.tokens_in
        seconds.append(engine.run(dram, insn_phys, len(case.stream)).seconds)
    return dram, seconds


RUNNERS: dict[str, Runner] = {"fast": _run_fast}
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
) -> Replay:
    """Run a case and compare its outputs byte for byte.

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
    """
    count = len(case.stream)
    cycles = None
    try:
        dram, seconds = RUNNERS[engine](case, semantics, repeat)
        problem = "; ".join(filter(None, (_difference(dram, o) for o in case.outputs)))
        if profile is not None:
            cycles = simulate(case.stream, profile).total_cycles
    except SimError as error:
        return Replay(case.name, False, None, None, count, str(error))
    return Replay(case.name, not problem, statistics.median(seconds), cycles, count, problem)
