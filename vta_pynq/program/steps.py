"""What a program does: steps, the relocations of its instructions, reports about its layers.

Immutable and checked at construction, value by value; how the parts of a program fit together is
checked by `vta_pynq.program.check`. The format is described in docs/program-file.md.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError
from vta_pynq.program.memory import MAX_ARENA_BYTES, frozen_array
from vta_pynq.program.rules import (
    INT_LIMIT,
    TEXT_CHARS,
    Attributes,
    at,
    frozen_attributes,
    integer,
    items,
    pattern,
    text,
)

__all__ = [
    "RELOCATION_DTYPE",
    "CpuStep",
    "LayerReport",
    "Relocations",
    "Step",
    "VtaStep",
    "frozen_metadata",
]

MAX_OPERANDS = 4096

RELOCATION_DTYPE = np.dtype([("insn", "<u4"), ("arena", "<u2")])
"""One relocation in the file: instruction number and arena number."""

_OP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")


def _operands(step: Any, what: str) -> None:
    for side in ("inputs", "outputs"):
        with at(what):
            names = items(getattr(step, side), side, MAX_OPERANDS)
            object.__setattr__(step, side, tuple(text(n, f"name in {side}") for n in names))


@dataclasses.dataclass(frozen=True)
class VtaStep:
    """One submission to the accelerator: instructions `begin` to `end` (exclusive).

    `inputs` and `outputs` name every tensor outside `const` arenas that its instructions read
    and write: the runtime flushes and invalidates exactly these. The last instruction, and no
    other, is FINISH.
    """

    name: str
    begin: int
    end: int
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        text(self.name, "step name")
        what = f"step '{self.name}'"
        begin = integer(self.begin, f"{what}: begin", 0, MAX_ARENA_BYTES)
        integer(self.end, f"{what}: end", begin + 1, MAX_ARENA_BYTES)
        _operands(self, what)


@dataclasses.dataclass(frozen=True)
class CpuStep:
    """One operator of `cpu_ops` on tensors; constants are tensors in `const` arenas.

    An operand that an operator leaves out is not listed; `attributes` says so in the operator's
    own terms.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        text(self.name, "step name")
        what = f"step '{self.name}'"
        pattern(self.op, f"{what}: op", _OP_NAME, "letters, digits, _ and . after a letter")
        _operands(self, what)
        if not self.outputs:
            raise ProgramError(f"{what}: outputs must be at least one")
        frozen = frozen_attributes(self.attributes, f"{what}: attribute")
        object.__setattr__(self, "attributes", frozen)


Step = VtaStep | CpuStep
"""What a program does next."""


@dataclasses.dataclass(frozen=True, eq=False)
class Relocations:
    """Which instructions hold an address, and relative to which arena.

    `insn` (uint32, strictly increasing) numbers instructions, `arena` (uint16) indexes
    `Program.arenas`. Until linked, `dram_base` of such an instruction counts elements from the
    start of the arena.
    """

    insn: npt.NDArray[np.uint32]
    arena: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        for field, dtype in (("insn", "<u4"), ("arena", "<u2")):
            values = np.asarray(getattr(self, field)).reshape(-1)
            limit = int(np.iinfo(dtype).max)
            if values.size and (
                values.dtype.kind not in "iu" or int(values.min()) < 0 or int(values.max()) > limit
            ):
                raise ProgramError(f"relocations: {field} must be integers in 0..{limit}")
            exact = values.astype(dtype, copy=False)
            object.__setattr__(self, field, frozen_array(np.ascontiguousarray(exact)))
        if len(self.insn) != len(self.arena):
            raise ProgramError(
                "relocations: insn and arena must be equally long, "
                f"not {len(self.insn)} and {len(self.arena)}"
            )

    @classmethod
    def none(cls) -> Relocations:
        """No relocation at all."""
        return cls(np.zeros(0, np.uint32), np.zeros(0, np.uint16))

    @classmethod
    def from_records(cls, records: npt.NDArray[np.void]) -> Relocations:
        """Read an array of `RELOCATION_DTYPE`."""
        return cls(records["insn"].copy(), records["arena"].copy())

    def records(self) -> npt.NDArray[np.void]:
        """The same as an array of `RELOCATION_DTYPE`."""
        records = np.zeros(len(self.insn), RELOCATION_DTYPE)
        records["insn"], records["arena"] = self.insn, self.arena
        return records

    def __len__(self) -> int:
        return len(self.insn)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Relocations)
            and np.array_equal(self.insn, other.insn)
            and np.array_equal(self.arena, other.arena)
        )

    def __hash__(self) -> int:
        return hash((self.insn.tobytes(), self.arena.tobytes()))


PROCESSOR_CYCLE_NS = 10.0
"""What one of a processor step's predicted `cycles` stands for: a cycle of a clock of 100 MHz,
whatever the accelerator's clock is."""


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What the compiler knows about one layer of the model, for reports and `vta info`.

    `step` is the number of the step that executes it, `nodes` the model's nodes that were fused
    into it, `cycles` a prediction (None where nobody made one), `reason` why it is placed there.
    """

    name: str
    op: str
    step: int
    nodes: tuple[str, ...] = ()
    macs: int = 0
    dram_bytes: int = 0
    cycles: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        text(self.name, "layer name")
        with at(f"layer '{self.name}'"):
            pattern(self.op, "op", _OP_NAME, "letters, digits, _ and . after a letter")
            nodes = items(self.nodes, "nodes", MAX_OPERANDS)
            object.__setattr__(self, "nodes", tuple(text(n, "node", least=0) for n in nodes))
            for field in ("step", "macs", "dram_bytes"):
                integer(getattr(self, field), field, 0, INT_LIMIT - 1)
            if self.cycles is not None:
                integer(self.cycles, "cycles", 0, INT_LIMIT - 1)
            text(self.reason, "reason", TEXT_CHARS, least=0)


def frozen_metadata(values: Mapping[str, str]) -> Mapping[str, str]:
    """Metadata made immutable: names to texts, sorted by name."""
    frozen = frozen_attributes(values, "metadata", 1)
    for name, value in frozen.items():
        text(value, f"metadata '{name}'", TEXT_CHARS, least=0)
    return frozen  # type: ignore[return-value]  # every value is text now
