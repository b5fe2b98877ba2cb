"""What a rule is: an id, a severity, and a message made from what the C core found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.table import TOKENS, MemType, Module, Opcode
from vta_pynq.lint.report import Severity
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import HwProfile, Support

__all__ = ["MODULES", "Context", "Raw", "Rule", "always", "plural"]

MODULES = (Module.LOAD, Module.COMPUTE, Module.STORE)
"""The modules in the order in which the C core numbers them."""

_DOES: dict[Support, str] = {
    "yes": "executes it",
    "no-op": "executes it as a no-op",
    "hang": "hangs on it",
    "trap": "stops with an error",
}


class Raw(NamedTuple):
    """A finding as the C core gives it; csrc/lint_api.h says what the arguments are."""

    insn: int
    a: int
    b: int
    c: int
    d: int


@dataclasses.dataclass(frozen=True)
class Context:
    """What messages are made from."""

    stream: InstructionStream
    profile: HwProfile
    records: npt.NDArray[np.void]

    def insn(self, index: int) -> str:
        """An instruction by number, opcode and memory type, such as `insn 4 LOAD INP`."""
        record = self.records[index]
        opcode = int(record["opcode"])
        if opcode not in Opcode._value2member_map_:
            return f"insn {index}"
        name = Opcode(opcode).name
        memory = int(record["memory_type"])
        if opcode == Opcode.LOAD and memory in MemType._value2member_map_:
            name += f" {MemType(memory).name}"
        return f"insn {index} {name}"

    def where(self, index: int) -> str:
        """`insn` with the name of the layer, or the stream's name for index -1."""
        if index < 0:
            return f"stream {self.stream.name}"
        for label in self.stream.labels:
            if label.begin <= index < label.end:
                return f"{self.insn(index)} ({label.name})"
        return self.insn(index)

    def does(self, support: Support) -> str:
        """What the profile does with an instruction that it does not know."""
        return f"{self.profile.name} {_DOES[support]}"

    def token(self, index: int) -> str:
        """Name of a token counter."""
        return TOKENS[index].name


def plural(count: int, noun: str) -> str:
    """`1 element`, `2 elements`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


SeverityOf = Callable[[Context, Raw], Severity]
TextOf = Callable[[Context, Raw], str]


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule. `codes` maps the C core's codes (without `LINT_`) to the texts of its messages."""

    id: str
    doc: str
    severity: SeverityOf
    codes: dict[str, TextOf]


def always(severity: Severity) -> SeverityOf:
    """A severity that depends on nothing."""
    return lambda context, raw: severity
