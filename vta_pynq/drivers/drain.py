"""A stream that takes tokens out of the counters: a cheaper clean-up than a download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import TOKENS, MemType, Module, Opcode

__all__ = ["drain_stream"]

_NOP = {
    # The instruction of each queue that moves nothing but takes part in the token exchange.
    Module.LOAD: (Opcode.LOAD, MemType.INP),
    Module.COMPUTE: (Opcode.LOAD, MemType.UOP),
    Module.STORE: (Opcode.STORE, MemType.OUT),
}


def drain_stream(tokens: Sequence[int], config: HwConfig) -> npt.NDArray[np.uint64]:
    """Instructions that pop `tokens` and finish; an (n, 2) uint64 array.

    `tokens` gives how many to take from each counter, in the order of `TOKENS`. The published
    design has no reset, so a program that ended with tokens left over needs this or a download
    before the next one. It cannot help modules that wait for ever: it only pops what is there.
    LOAD and STORE answer with a token each, so that FINISH comes after every pop.
    """
    rows: list[dict[str, int]] = []
    for token, count in zip(TOKENS, tokens, strict=True):
        opcode, memory_type = _NOP[token.consumer]
        nop = {"opcode": int(opcode), "memory_type": int(memory_type)}
        rows += [{**nop, token.pop_flag: 1} for _ in range(count)]
    for answer in TOKENS:
        if answer.consumer is Module.COMPUTE:
            opcode, memory_type = _NOP[answer.producer]
            rows.append(
                {"opcode": int(opcode), "memory_type": int(memory_type), answer.push_flag: 1}
            )
    pops = {answer.pop_flag: 1 for answer in TOKENS if answer.consumer is Module.COMPUTE}
    rows.append({"opcode": int(Opcode.FINISH), **pops})
    records = np.zeros(len(rows), INSN_DTYPE)
    for index, row in enumerate(rows):
        for name, value in row.items():
            records[name][index] = value
    return encode(records, config)
