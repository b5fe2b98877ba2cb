"""Raw instructions one after another, ordered by tokens from end to end."""

from __future__ import annotations

from collections.abc import Sequence as AnySequence
from typing import cast

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode, encode_uops
from vta_pynq.isa.table import MemType, Module, Opcode, elem_bytes, module_of
from vta_pynq.stream import InstructionStream, Segment

__all__ = ["Sequence", "in_order"]

_FLAGS = {
    (Module.LOAD, Module.COMPUTE): ("push_next", "pop_prev"),
    (Module.COMPUTE, Module.LOAD): ("push_prev", "pop_next"),
    (Module.COMPUTE, Module.STORE): ("push_next", "pop_prev"),
    (Module.STORE, Module.COMPUTE): ("push_prev", "pop_next"),
}
_BASE = 1 << 16
"""Byte address of the first area: page 0 is left alone (docs/lint.md, `dram-page-zero`)."""
_ALIGNMENT = 1 << 12


def _module(insn: np.void) -> Module | None:
    return module_of(int(insn["opcode"]), int(insn["memory_type"]))


def _blank() -> np.void:
    return cast("np.void", np.zeros((), INSN_DTYPE)[()])


def _copy(insn: np.void) -> np.void:
    return insn.copy()


def in_order(insns: AnySequence[np.void]) -> npt.NDArray[np.void]:
    """Order every change of module by a token; NOPs lead from LOAD to STORE and back.

    Parameters
    ----------
    insns
        Records of `INSN_DTYPE` without tokens, the last one executed by compute; tokens are set
        in them.

    Returns
    -------
    chained
        Records of `INSN_DTYPE` that any implementation executes one after the other, with no
        token left over.
    """
    chained: list[np.void] = []
    for insn in insns:
        module = _module(insn)
        last = _module(chained[-1]) if chained else None
        if (
            last is not None
            and module is not None
            and {module, last} == {Module.LOAD, Module.STORE}
        ):
            nop = _blank()
            push, pop = _FLAGS[last, Module.COMPUTE]
            chained[-1][push], nop[pop] = 1, 1
            chained.append(nop)
            last = Module.COMPUTE
        if last is not None and module is not None and last != module:
            push, pop = _FLAGS[last, module]
            chained[-1][push], insn[pop] = 1, 1
        chained.append(insn)
    return np.array(chained, INSN_DTYPE)


class Sequence:
    """A program under construction that runs strictly in the order in which it is written.

    `area` reserves DRAM and gives the number of its first element; `add` appends an instruction.

    Parameters
    ----------
    config
        The configuration whose fields and element sizes count.
    name
        The stream's name.
    """

    def __init__(self, config: HwConfig, name: str) -> None:
        self.config, self.name = config, name
        self._insns: list[np.void] = []
        self._segments: list[Segment] = []
        self._end = _BASE

    def __len__(self) -> int:
        return len(self._insns)

    def add(self, opcode: Opcode, **fields: int) -> None:
        """Append an instruction; fields that are not given are 0."""
        insn = _blank()
        insn["opcode"] = opcode
        for name, value in fields.items():
            insn[name] = value
        self._insns.append(insn)

    def move(self, opcode: Opcode, kind: MemType, sram: int, dram: int, count: int) -> None:
        """LOAD or STORE of one row of `count` elements."""
        self.add(
            opcode, memory_type=kind, sram_base=sram, dram_base=dram,
            y_size=1, x_size=count, x_stride=count,
        )  # fmt: skip

    def area(self, kind: MemType, data: npt.NDArray[np.uint8] | None = None, elems: int = 0) -> int:
        """Reserve DRAM for `data` (uint8), or for `elems` elements of zeros.

        Returns
        -------
        dram_base
            The number of its first element, in elements of `kind`.
        """
        size_of = elem_bytes(self.config, kind)
        size = elems * size_of if data is None else data.size
        step = max(_ALIGNMENT, size_of)
        phys = -(-self._end // step) * step
        self._end = phys + size
        name = f"{kind.name.lower()}{len(self._segments)}"
        self._segments.append(Segment(name, kind.name, phys, size, data))
        return phys // size_of

    def uop_area(self, uops: npt.NDArray[np.void]) -> int:
        """Reserve DRAM for micro-ops, records of `UOP_DTYPE`."""
        return self.area(MemType.UOP, encode_uops(uops, self.config).view(np.uint8).reshape(-1))

    def stream(self) -> InstructionStream:
        """The program, ended by a FINISH that waits for the last of them."""
        insns = list(self._insns)
        if not insns or _module(insns[-1]) is not Module.COMPUTE:
            nop = _blank()
            nop["opcode"], nop["memory_type"] = Opcode.LOAD, MemType.UOP
            insns.append(nop)
        finish = _blank()
        finish["opcode"] = Opcode.FINISH
        words = encode(in_order([*map(_copy, insns), finish]), self.config)
        phys = -(-self._end // _ALIGNMENT) * _ALIGNMENT
        data = words.view(np.uint8).reshape(-1)
        insn = Segment("insn", "INSN", phys, data.size, data)
        return InstructionStream(self.name, self.config, words, (*self._segments, insn))
