"""Why a stream cannot finish, from the stream itself: the linter's token analysis in one line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.drivers.diagnosis import Stall
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import module_of
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import HwProfile

__all__ = ["explain_stall"]

_RULES = ("token-deadlock", "queue-deadlock", "token-capacity", "finish-missing", "finish-last")
"""What keeps the done flag from being seen, the most likely first."""


def explain_stall(
    words: npt.NDArray[np.uint64], config: HwConfig, profile: HwProfile
) -> Stall | None:
    """The first reason why the instructions in `words`, (n, 2) uint64, never finish.

    None where the linter sees none, for instance because the memory does not answer, or where
    its extension was not built.
    """
    try:
        # Imported late: needed after a timeout only, and absent from a source tree until built.
        from vta_pynq.lint import lint_stream
    except ImportError:
        return None
    report = lint_stream(InstructionStream("the stream", config, words), profile)
    for rule in _RULES:
        for finding in report.findings:
            if finding.rule == rule:
                return Stall(_module(words, finding.instruction, config), finding.message)
    return None


def _module(words: npt.NDArray[np.uint64], index: int | None, config: HwConfig) -> str:
    if index is None:
        return "compute"
    insn = decode(words[index : index + 1], config)[0]
    module = module_of(int(insn["opcode"]), int(insn["memory_type"]))
    return "fetch" if module is None else module.name.lower()
