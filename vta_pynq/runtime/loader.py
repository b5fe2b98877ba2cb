"""Loading: everything that can be refused is refused before the device is touched."""

from __future__ import annotations

import dataclasses
from os import PathLike
from typing import TYPE_CHECKING

from vta_pynq.errors import IdentityError, ProgramError, ShapeError
from vta_pynq.isa.table import TOKENS
from vta_pynq.program import Program
from vta_pynq.runtime.coherence import plan_coherence
from vta_pynq.runtime.context import Loaded
from vta_pynq.runtime.cpu_steps import check_cpu_step
from vta_pynq.runtime.model import Model
from vta_pynq.runtime.phases import CpuPhase, Phase, VtaPhase, split_phases, token_balance

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["load"]


def load(
    overlay: VtaOverlay,
    source: str | PathLike[str] | bytes | Program,
    *,
    depth: int = 2,
    verify: bool = True,
) -> Model:
    """Make a program resident on an overlay; see `VtaOverlay.load`."""
    program = source if isinstance(source, Program) else Program.load(source)
    if depth < 1:
        raise ShapeError(f"model '{program.model}': depth must be at least 1, not {depth}")
    overlay.accelerator.check()
    check_identity(program, overlay)
    coherence = plan_coherence(program)
    phases = split_phases(program, coherence)
    for phase in phases:
        if isinstance(phase, CpuPhase):
            check_cpu_step(phase.step, _where(program, phase.number))
    if verify:
        _check_streams(program, phases, overlay)
    loaded = Loaded(program, coherence, phases, overlay.device, overlay.accelerator)
    return Model(overlay, program, loaded, depth)


def _where(program: Program, number: int) -> str:
    origin = f"program file {program.source}: " if program.source else ""
    return f"{origin}model '{program.model}', step {number} '{program.steps[number].name}'"


def check_identity(program: Program, overlay: VtaOverlay) -> None:
    """Refuse a program for other hardware.

    Raises
    ------
    IdentityError
        The numbers differ, or the program uses a capability that the overlay lacks.
    """
    wanted, found = program.config, overlay.config
    missing = wanted.capabilities - found.capabilities
    if wanted.base_name == found.base_name and not missing:
        return
    origin = f" ({program.source})" if program.source else ""
    raise IdentityError(
        f"model '{program.model}'{origin}: configuration must be {found.name} [{found.fingerprint}]"
        f" (overlay {overlay.identity}), not {wanted.name} [{wanted.fingerprint}]; load the "
        f"overlay {wanted.name}, or compile the model for {found.name}"
    )


def _check_streams(program: Program, phases: tuple[Phase, ...], overlay: VtaOverlay) -> None:
    """Refuse instructions that would hang, or whose result is not determined.

    Raises
    ------
    ProgramError
        The first error that the linter finds, and how many there are.
    """
    from vta_pynq.lint import lint_stream

    streams = iter(program.streams())
    for phase in phases:
        if not isinstance(phase, VtaPhase):
            continue
        tokens = (0,) * len(TOKENS)
        for number, step in enumerate(phase.steps, phase.number):
            # A later submission of a phase may use tokens and SRAM contents of an earlier one.
            stream = dataclasses.replace(next(streams), tokens_in=tokens)  # type: ignore[arg-type]
            report = lint_stream(stream, overlay.identity.profile)
            later = number > phase.number
            errors = [f for f in report.errors if not (later and f.rule == "sram-unwritten")]
            if errors:
                raise ProgramError(
                    f"{_where(program, number)}: instructions must be free of errors on "
                    f"{overlay.identity.profile.name}, not have {len(errors)}: "
                    f"{errors[0].message} [{errors[0].rule}]; run 'vta lint' on the program"
                )
            balance = token_balance(program.words[step.begin : step.end], program.config)
            tokens = tuple(a + b for a, b in zip(tokens, balance, strict=True))
