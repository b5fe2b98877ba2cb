"""One small program written out: quantise on the CPU, one submission, result in the output."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.program import (
    Arena,
    ArenaKind,
    CpuStep,
    LayerReport,
    Program,
    Quantization,
    Relocations,
    Tensor,
    VtaStep,
)
from vta_pynq.stream import StreamLabel

CONFIG = HwConfig()
_CODES = np.arange(512).astype(np.uint8)


def records() -> np.ndarray:
    """LOAD of one weight tile, LOAD of two inputs, STORE of two outputs, FINISH."""
    found = np.zeros(4, INSN_DTYPE)
    found["opcode"] = [Opcode.LOAD, Opcode.LOAD, Opcode.STORE, Opcode.FINISH]
    found["memory_type"] = [MemType.WGT, MemType.INP, MemType.OUT, 0]
    found["dram_base"] = [1, 0, 0, 0]
    found["x_size"] = [1, 2, 2, 0]
    found["y_size"] = [1, 1, 1, 0]
    found["x_stride"] = [1, 2, 2, 0]
    return found


def encoded(**columns: list[int]) -> np.ndarray:
    """The sample's instructions with other columns."""
    changed = records()
    for name, values in columns.items():
        changed[name] = values
    return encode(changed, CONFIG, "width")


def fields() -> dict[str, Any]:
    """The arguments of the sample program."""
    scale = Quantization((0.5,), (-3,))
    return {
        "model": "net",
        "config": CONFIG,
        "words": encoded(),
        "steps": (
            CpuStep("in", "quantize", ("x",), ("a",), {"axis": 1, "mode": ["near", None, 0.5]}),
            VtaStep("conv", 0, 4, ("a",), ("y",)),
        ),
        "arenas": (
            Arena("weights", ArenaKind.CONST, 512, 4096, _CODES),
            Arena("scratch", ArenaKind.SCRATCH, 64, 4096),
            Arena("x", ArenaKind.INPUT, 128, 64),
            Arena("y", ArenaKind.OUTPUT, 32, 4096),
        ),
        "tensors": (
            Tensor("x", (1, 16, 1, 2), "float32", "NCHW", "x", 0),
            Tensor("a", (1, 16, 1, 2), "int8", "NCHW1n16c", "scratch", 0, scale, (0, 1)),
            Tensor("y", (1, 10, 1, 2), "int8", "NCHW1n16c", "y", 0, scale, (1, 1)),
            Tensor("w", (16, 16, 1, 1), "int8", "OIHW16o16i", "weights", 256),
        ),
        "inputs": ("x",),
        "outputs": ("y",),
        "relocations": Relocations(np.array([0, 1, 2]), np.array([0, 1, 3])),
        "labels": (StreamLabel(0, 3, "conv1"),),
        "layers": (LayerReport("conv1", "Conv", 1, ("node",), 512, 320, 99, "fits"),),
        "metadata": {"compiler": "1.0"},
    }  # fmt: skip


def sample(**changes: Any) -> Program:
    """The sample program, with other arguments."""
    return Program(**{**fields(), **changes})


def with_part(field: str, index: int, **changes: Any) -> dict[str, Any]:
    """One argument of `sample` in which one part has other fields."""
    parts = list(fields()[field])
    parts[index] = dataclasses.replace(parts[index], **changes)
    return {field: tuple(parts)}
