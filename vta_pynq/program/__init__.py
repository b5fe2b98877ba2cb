"""The program file: one compiled model. The format is described in docs/program-file.md."""

from vta_pynq.program.layout import Layout, activation_layout, plain_layout, weight_layout
from vta_pynq.program.memory import DTYPES, Arena, ArenaKind, Quantization, Tensor
from vta_pynq.program.model import FORMAT_VERSION, Program
from vta_pynq.program.steps import (
    PROCESSOR_CYCLE_NS,
    CpuStep,
    LayerReport,
    Relocations,
    Step,
    VtaStep,
)

__all__ = [
    "DTYPES",
    "FORMAT_VERSION",
    "PROCESSOR_CYCLE_NS",
    "Arena",
    "ArenaKind",
    "CpuStep",
    "LayerReport",
    "Layout",
    "Program",
    "Quantization",
    "Relocations",
    "Step",
    "Tensor",
    "VtaStep",
    "activation_layout",
    "plain_layout",
    "weight_layout",
]
