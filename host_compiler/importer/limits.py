"""What no part of the importer takes, refused before the walk with the name of what holds it."""

from __future__ import annotations

import onnx
from onnx import AttributeProto, TensorProto

from host_compiler.ir import DTYPES
from vta_pynq.errors import CompileError

__all__ = ["check_dtype", "check_ends", "check_nodes", "dtype_name"]

_SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def dtype_name(elem_type: int) -> str:
    """ONNX's element type as the compiler spells it: float32, int8, float16, string …"""
    if elem_type == TensorProto.STRING:
        return "string"
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type).name)
    except (KeyError, ValueError, TypeError):
        return f"type {elem_type}"


def check_dtype(where: str, dtype: str) -> None:
    """Refuse an element type that no value of the compiler's graph has.

    Raises
    ------
    CompileError
        It is none of `host_compiler.ir.DTYPES`.
    """
    if dtype not in DTYPES:
        raise CompileError(
            f"{where}: elements must be {', '.join(DTYPES[:-1])} or {DTYPES[-1]}, not {dtype}; "
            "convert the model"
        )


def check_nodes(model: onnx.ModelProto) -> None:
    """Refuse operators with subgraphs, whose shapes only a run can tell.

    Raises
    ------
    CompileError
        A node has one; the message names it.
    """
    for index, node in enumerate(model.graph.node):
        if any(attribute.type in _SUBGRAPHS for attribute in node.attribute):
            name = node.name or f"{node.op_type}_{index}"
            raise CompileError(
                f"node {name} ({node.op_type}): operator is not supported, as it holds a graph of "
                "its own; unroll or simplify it in the exporter"
            )


def check_ends(model: onnx.ModelProto) -> None:
    """Refuse inputs, outputs and initialisers of kinds or element types that are not supported.

    Raises
    ------
    CompileError
        One is not a dense tensor of a supported element type, or an output is named twice.
    """
    for sparse in model.graph.sparse_initializer:
        raise CompileError(
            f"initialiser {sparse.values.name}: must be dense, not sparse; store it as a tensor"
        )
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in constants:
            _check_input(value)
    seen = set()
    for value in model.graph.output:
        if value.name in seen:
            raise CompileError(f"output {value.name}: must be named once; remove the others")
        seen.add(value.name)


def _check_input(value: onnx.ValueInfoProto) -> None:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        what = "nothing" if kind is None else kind.removesuffix("_type").replace("_", " ")
        raise CompileError(f"input {value.name}: kind must be tensor, not {what}; change the model")
    check_dtype(f"input {value.name}", dtype_name(value.type.tensor_type.elem_type))
    for axis, dim in enumerate(value.type.tensor_type.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value < 1:
            raise CompileError(
                f"input {value.name}: extent {axis} must be positive, not {dim.dim_value}; change "
                "the model"
            )
