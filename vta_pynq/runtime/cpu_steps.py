"""CPU steps: looked up and checked when a program is loaded, called when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError, VtaError
from vta_pynq.program import CpuStep

__all__ = ["check_cpu_step", "run_cpu_step"]


def check_cpu_step(step: CpuStep, where: str) -> None:
    """Refuse a step whose operator, attributes or number of operands nobody can execute.

    Raises
    ------
    ProgramError
        The message names the step.
    """
    import vta_pynq.cpu_ops as cpu_ops

    try:
        cpu_ops.validate(step.op, step.attributes, len(step.inputs))
    except VtaError as error:
        raise ProgramError(f"{where}: {error}") from None


def run_cpu_step(step: CpuStep, arrays: Mapping[str, npt.NDArray[Any]], where: str) -> None:
    """Execute a step on `arrays`, which hold every tensor as it lies in memory.

    Raises
    ------
    ProgramError
        A result does not fit the tensor that the program gives for it.
    VtaError
        The operator refused its operands.
    """
    import vta_pynq.cpu_ops as cpu_ops

    targets = [arrays[name] for name in step.outputs]
    try:
        results = cpu_ops.run(
            step.op, [arrays[name] for name in step.inputs], step.attributes, targets
        )
    except VtaError as error:
        error.args = (f"{where}: {error}", *error.args[1:])
        raise
    if len(results) != len(targets):
        raise ProgramError(
            f"{where}: {step.op} must have {len(targets)} outputs, not {len(results)}; "
            "compile the model again"
        )
    if len(results) > 1:
        # A result may be a view of an operand that the result before it is written over.
        results = [
            result if _is(result, target) else result.copy()
            for result, target in zip(results, targets, strict=True)
        ]
    for name, result, target in zip(step.outputs, results, targets, strict=True):
        if result.dtype != target.dtype or result.size != target.size:
            raise ProgramError(
                f"{where}: output '{name}' must be {target.dtype} of shape {target.shape}, not "
                f"{result.dtype} of shape {result.shape}; compile the model again"
            )
        if not _is(result, target):
            np.copyto(target, result.reshape(target.shape))


def _is(result: npt.NDArray[Any], target: npt.NDArray[Any]) -> bool:
    """Whether a result was written to where it belongs: all of it, in order."""
    return (
        result.__array_interface__["data"][0] == target.__array_interface__["data"][0]
        and result.nbytes == target.nbytes
        and result.flags.c_contiguous
    )
