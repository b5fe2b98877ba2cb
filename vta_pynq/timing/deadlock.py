"""Explains why a stream does not come to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.table import TOKENS, MemType, Opcode
from vta_pynq.timing.engine import ENGINE_MODULES
from vta_pynq.timing.profiles import HwProfile

__all__ = ["explain_deadlock"]


def explain_deadlock(
    records: npt.NDArray[np.void],
    insns: npt.NDArray[np.void],
    profile: HwProfile,
    result: Mapping[str, Any],
) -> str:
    """Message that names each module that waits, its instruction and the token."""
    parts = []
    for m, module in enumerate(ENGINE_MODULES):
        head = result["head"][m]
        if head < 0:
            continue
        where = f"insn {head} {_name(records[head])}"
        for k, token in enumerate(TOKENS):
            if result["missing"][m] >> k & 1:
                parts.append(
                    f"{module.name.lower()} waits at {where} for a {token.name} token "
                    f"from {token.producer.name.lower()}"
                )
            if result["full"][m] >> k & 1:
                parts.append(
                    f"{module.name.lower()} waits at {where} to push a {token.name} token, "
                    f"of which {token.consumer.name.lower()} has {profile.token_capacity}"
                )
    fetched = result["fetched"]
    if fetched < len(records):
        module = ENGINE_MODULES[insns["module"][fetched]]
        parts.append(
            f"fetch waits at insn {fetched} {_name(records[fetched])} for room in the full "
            f"{module.name.lower()} queue"
        )
    lost = [f"{n} {token.name}" for n, token in zip(result["lost"], TOKENS, strict=True) if n]
    if lost:
        parts.append(f"saturated counters lost tokens: {', '.join(lost)}")
    return (
        f"cycle model: stream must not dead-lock on {profile.name}, but {'; '.join(parts)}; "
        "run 'vta lint' to find the instruction that breaks the balance"
    )


def _name(record: np.void) -> str:
    opcode = int(record["opcode"])
    if opcode not in list(Opcode):
        return f"opcode {opcode}"
    name = Opcode(opcode).name
    if opcode not in (Opcode.LOAD, Opcode.STORE):
        return name
    memory = int(record["memory_type"])
    return f"{name} {MemType(memory).name if memory in list(MemType) else memory}"
