"""Streams for the cycle model's tests: short ones by hand, long ones at random."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import MemType, Opcode

CONFIG = HwConfig()


def records_of(*insns: dict[str, Any]) -> np.ndarray:
    """Decoded instructions from field values."""
    records = np.zeros(len(insns), INSN_DTYPE)
    for record, fields in zip(records, insns, strict=True):
        for name, value in fields.items():
            record[name] = value
    return records


def words_of(*insns: dict[str, Any]) -> np.ndarray:
    """Encoded instructions of the default configuration."""
    return encode(records_of(*insns), CONFIG)


def load(memory: MemType, x: int = 1, y: int = 1, **fields: Any) -> dict[str, Any]:
    """LOAD of y rows of x elements."""
    return {
        "opcode": Opcode.LOAD, "memory_type": memory, "x_size": x, "y_size": y, "x_stride": x,
        **fields,
    }  # fmt: skip


def store(x: int = 1, y: int = 1, **fields: Any) -> dict[str, Any]:
    """STORE of y rows of x elements."""
    return {**load(MemType.OUT, x, y), "opcode": Opcode.STORE, **fields}


def nop(memory: MemType = MemType.UOP, **fields: Any) -> dict[str, Any]:
    """An instruction that only synchronises."""
    return {**load(memory, 0, 0), **fields}


def loop(opcode: Opcode, n: int, **fields: Any) -> dict[str, Any]:
    """GEMM or ALU over n micro-ops."""
    return {
        "opcode": opcode, "uop_bgn": 0, "uop_end": 1, "iter_out": 1, "iter_in": n, **fields,
    }  # fmt: skip


FINISH: dict[str, Any] = {"opcode": Opcode.FINISH}


def random_stream(seed: int, count: int = 60) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A legal stream that never lacks a token, and its initial tokens."""
    rng = random.Random(seed)
    flow = {"l2g": 0, "g2l": 0, "g2s": 0, "s2g": 0}
    initial = tuple(rng.randrange(3) for _ in flow)
    flow.update(zip(flow, initial, strict=True))
    ends = {
        "load": {"pop_next": "g2l", "push_next": "l2g"},
        "compute": {"pop_prev": "l2g", "pop_next": "s2g", "push_prev": "g2l", "push_next": "g2s"},
        "store": {"pop_prev": "g2s", "push_prev": "s2g"},
    }
    insns = []
    for _ in range(count):
        who = rng.choice(["load", "compute", "compute", "store"])
        fields = _random_fields(rng, who)
        for flag, token in ends[who].items():
            if flag.startswith("pop") and flow[token] and rng.random() < 0.7:
                fields[flag], flow[token] = 1, flow[token] - 1
        for flag, token in ends[who].items():
            if flag.startswith("push") and rng.random() < 0.6:
                fields[flag], flow[token] = 1, flow[token] + 1
        insns.append(fields)
    return words_of(*insns, FINISH), initial  # type: ignore[return-value]


def _random_fields(rng: random.Random, who: str) -> dict[str, Any]:
    x, y = rng.choice([0, 1, 2, 5, 17, 40]), rng.choice([1, 1, 2, 4])
    place = {"dram_base": rng.randrange(4000), "x_stride": rng.randrange(x, x + 50)}
    pads = {p: rng.choice([0, 0, 1, 3]) for p in ("x_pad_0", "x_pad_1", "y_pad_0", "y_pad_1")}
    if who == "store":
        return store(x, y, **place)
    if who == "load":
        if rng.random() < 0.4:
            return load(MemType.WGT, min(x, 6), y, **place)
        return load(MemType.INP, x, y, **place, **pads)
    kind = rng.randrange(5)
    if kind == 0:
        return load(MemType.UOP, x, 1, **place)
    if kind == 1:
        return load(MemType.ACC, x, y, **place, **pads)
    if kind == 2:
        return loop(Opcode.GEMM, rng.randrange(1, 60), reset=rng.randrange(2))
    return loop(Opcode.ALU, rng.randrange(1, 60), use_imm=rng.randrange(2), iter_out=2)
