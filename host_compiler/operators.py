"""Teaching the compiler an operator: what a function that imports an ONNX node works with.

A function decorated with `handles` gets the `GraphBuilder` and the node, and either gives the
node's result a meaning that the accelerator has, or sends it to the processor (`on_processor`), or
refuses it (`raise refuse(node, reason)`). docs/operators.md, "An operator of your own", and
notebook 10 show one.
"""

from host_compiler.importer.activations import pending_input, set_pending
from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Carrier, Const, Pending, QuantConst, Quantised
from host_compiler.importer.fraction import plus_constant
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import HANDLERS, handles
from host_compiler.importer.source import OnnxNode

__all__ = [
    "HANDLERS",
    "Carrier",
    "Const",
    "GraphBuilder",
    "OnnxNode",
    "Pending",
    "QuantConst",
    "Quantised",
    "handles",
    "on_processor",
    "pending_input",
    "plus_constant",
    "refuse",
    "set_pending",
]
