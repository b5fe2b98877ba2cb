"""The compiler's typed graph: values, nodes with exact integer meaning, and a verifier."""

from host_compiler.ir.graph import DTYPES, Graph, Quant, Value
from host_compiler.ir.nodes import (
    Accumulate,
    Concat,
    Conv,
    ConvTranspose,
    CpuOp,
    MaxPool,
    Node,
    Pad,
    Reshape,
    ResizeNearest,
    SumPool,
    WeightedSum,
)
from host_compiler.ir.stages import AddTerm, FixedPoint, PoolStage, Requant, Rounding, Stage

__all__ = [
    "DTYPES",
    "Accumulate",
    "AddTerm",
    "Concat",
    "Conv",
    "ConvTranspose",
    "CpuOp",
    "FixedPoint",
    "Graph",
    "MaxPool",
    "Node",
    "Pad",
    "PoolStage",
    "Quant",
    "Requant",
    "Reshape",
    "ResizeNearest",
    "Rounding",
    "Stage",
    "SumPool",
    "Value",
    "WeightedSum",
]
