"""The operators that stay on the processor: what a program's CPU steps may name."""

from vta_pynq.cpu_ops import (
    elementwise,
    linear,
    movement,
    packing,
    pooling,
    quantisation,
    reduction,
    resize,
    sums,
)
from vta_pynq.cpu_ops.kernels import available_paths, use_path
from vta_pynq.cpu_ops.registry import OPERATORS, Attribute, CpuOperator, run, validate

__all__ = [
    "OPERATORS",
    "Attribute",
    "CpuOperator",
    "available_paths",
    "run",
    "use_path",
    "validate",
]

_FAMILIES = (
    elementwise, linear, movement, packing, pooling, quantisation, reduction, resize, sums,
)  # fmt: skip
"""Modules whose import fills the registry."""
