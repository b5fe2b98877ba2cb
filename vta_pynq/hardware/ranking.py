"""Which variant runs a model fastest on a board, by the cycle model.

The accelerator's part is the modelled cycles of every submission at the variant's clock. The
processor's part is what the compiler assumes for the steps that stay there (one core of a
Cortex-A9), and the same whatever the board.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from vta_pynq.errors import VtaError
from vta_pynq.hardware.resources import estimate, shortages
from vta_pynq.overlay.boards import Board
from vta_pynq.overlay.descriptions import Variant
from vta_pynq.program import PROCESSOR_CYCLE_NS, Program, VtaStep
from vta_pynq.timing import simulate

__all__ = ["Ranked", "Refused", "rank", "why_not"]


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A variant and what the model is expected to take on it, for one run."""

    variant: Variant
    cycles: int
    """Of the accelerator."""
    accelerator_s: float
    processor_s: float
    processor_steps: int

    @property
    def total_s(self) -> float:
        """Accelerator and processor, one after the other."""
        return self.accelerator_s + self.processor_s


@dataclasses.dataclass(frozen=True)
class Refused:
    """A variant that is not in the ranking, and why."""

    variant: Variant
    reason: str


def why_not(variant: Variant, board: Board) -> str | None:
    """Why a variant cannot be used on a board; None where it can."""
    if board.name in variant.boards:
        return None
    built_for = f"for {', '.join(variant.boards)}"
    if variant.design.control is None:
        return built_for
    lacking = shortages(estimate(variant.config, variant.profile), board.logic)
    if lacking:
        return f"{built_for}; does not fit {board.name}: {', '.join(lacking)}"
    return f"{built_for}; would fit {board.name}, but is not described for it"


def _judge(variant: Variant, program: Program) -> Ranked:
    cycles = sum(simulate(stream, variant.profile).total_cycles for stream in program.streams())
    on_processor = [
        layer for layer in program.layers if not isinstance(program.steps[layer.step], VtaStep)
    ]
    predicted = sum(layer.cycles or 0 for layer in on_processor)
    return Ranked(
        variant,
        cycles,
        accelerator_s=cycles / (variant.clock_mhz * 1e6),
        processor_s=predicted * PROCESSOR_CYCLE_NS * 1e-9,
        processor_steps=sum(not isinstance(step, VtaStep) for step in program.steps),
    )


def rank(
    board: Board, candidates: Iterable[Variant], compile_for: Callable[[Variant], Program]
) -> tuple[list[Ranked], list[Refused]]:
    """The variants that can be used on `board`, fastest first, and the others.

    Parameters
    ----------
    candidates
        Variants for any board.
    compile_for
        Gives the model's program for a variant; one that it refuses with a `VtaError` is not
        ranked, and the error is its reason. Variants of one configuration, profile and clock
        share a program.

    Raises
    ------
    VtaError
        `compile_for` says the same of every variant: the model is at fault, not the variants.
    """
    ranked: list[Ranked] = []
    refused: list[Refused] = []
    programs: dict[tuple[str, str], Program | VtaError] = {}
    for variant in candidates:
        reason = why_not(variant, board)
        if reason is not None:
            refused.append(Refused(variant, reason))
            continue
        key = (variant.config.name, variant.profile.name)
        if key not in programs:
            try:
                programs[key] = compile_for(variant)
            except VtaError as error:
                programs[key] = error
        found = programs[key]
        if isinstance(found, VtaError):
            refused.append(Refused(variant, str(found)))
        else:
            ranked.append(_judge(variant, found))
    errors = [found for found in programs.values() if isinstance(found, VtaError)]
    if errors and not ranked and len(set(map(str, errors))) == 1 < len(errors):
        raise errors[0]
    return sorted(ranked, key=lambda r: (r.total_s, r.variant.name)), refused
