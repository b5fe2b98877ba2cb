"""A program as the runtime executes it: phases on either side, and what to synchronise before."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import TOKENS, module_of
from vta_pynq.program import CpuStep, Program, VtaStep
from vta_pynq.runtime.coherence import CoherencePlan

__all__ = ["CpuPhase", "Phase", "VtaPhase", "split_phases", "token_balance"]


@dataclasses.dataclass(frozen=True)
class CpuPhase:
    """One CPU step; the arenas in `invalidate` before it."""

    step: CpuStep
    number: int
    invalidate: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class VtaPhase:
    """Submissions with nothing in between; the arenas in `flush` before the first.

    `leftover` counts the tokens that they leave behind, in the order of `TOKENS`.
    """

    steps: tuple[VtaStep, ...]
    number: int
    flush: tuple[str, ...]
    leftover: tuple[int, ...]

    @property
    def strands(self) -> bool:
        """Whether load or store still waits when FINISH is done: a pop that nobody ever serves."""
        return any(count < 0 for count in self.leftover)


Phase = CpuPhase | VtaPhase


def token_balance(words: npt.NDArray[np.uint64], config: HwConfig) -> tuple[int, ...]:
    """Pushes less pops of each token counter in `words`, in the order of `TOKENS`."""
    records = decode(words, config)
    pairs = np.stack([records["opcode"], records["memory_type"]], axis=1).astype(np.int64)
    kinds, which = np.unique(pairs, axis=0, return_inverse=True)
    modules = np.array([module_of(opcode, memory) or 0 for opcode, memory in kinds.tolist()])
    modules = modules[which.reshape(-1)]
    return tuple(
        int(records[token.push_flag][modules == token.producer].sum())
        - int(records[token.pop_flag][modules == token.consumer].sum())
        for token in TOKENS
    )


def split_phases(program: Program, plan: CoherencePlan) -> tuple[Phase, ...]:
    """The phases of a program in order."""
    phases: list[Phase] = []
    run: list[VtaStep] = []
    for number, step in enumerate(program.steps):
        if isinstance(step, VtaStep):
            run.append(step)
            if number + 1 < len(program.steps) and isinstance(program.steps[number + 1], VtaStep):
                continue
            phases.append(_vta_phase(program, plan, tuple(run), number + 1 - len(run)))
            run = []
        else:
            phases.append(CpuPhase(step, number, plan.invalidate[number]))
    return tuple(phases)


def _vta_phase(
    program: Program, plan: CoherencePlan, steps: tuple[VtaStep, ...], number: int
) -> VtaPhase:
    words = program.words[steps[0].begin : steps[-1].end]
    return VtaPhase(steps, number, plan.flush[number], token_balance(words, program.config))
