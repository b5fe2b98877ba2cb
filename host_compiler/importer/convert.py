"""The walk over an ONNX model that builds the graph."""

from __future__ import annotations

from host_compiler.importer import (  # noqa: F401  (importing a family registers its handlers)
    activations,
    elementwise,
    linear,
    moves,
    normalisation,
    pooling,
    quantisation,
)
from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Plain, Quantised
from host_compiler.importer.limits import check_dtype
from host_compiler.importer.naming import name_outputs
from host_compiler.importer.processor import PROCESSOR_OPERATORS, on_processor
from host_compiler.importer.quantisation import UINT8_OFFSET
from host_compiler.importer.registry import HANDLERS
from host_compiler.importer.source import ModelSource, OnnxModel, OnnxNode, Shapes, load_onnx
from host_compiler.ir import Graph
from host_compiler.ir.graph import GraphError
from vta_pynq.errors import CompileError

__all__ = ["import_model"]

_DAMAGE = (
    GraphError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


def import_model(source: ModelSource, shapes: Shapes | None = None) -> Graph:
    """Read a quantised ONNX model into a verified graph.

    Parameters
    ----------
    source
        A path, the file's bytes, or an `onnx.ModelProto`.
    shapes
        Extents for dynamic inputs: input name to shape, or symbolic extent to number.

    Raises
    ------
    CompileError
        The model is damaged or holds what the compiler does not support; the message names
        node, operator and reason.
    """
    try:
        return _convert(load_onnx(source, shapes))
    except CompileError:
        raise
    except _DAMAGE as error:
        # A damaged model breaks rules in places that no check foresees.
        raise CompileError(f"model: must be valid ONNX: {_one_line(error)}") from error


def _convert(model: OnnxModel) -> Graph:
    graph = GraphBuilder(model)
    inputs = []
    for name in model.inputs:
        inputs.append(graph.value(name, graph.shape(name), model.dtypes[name]))
        graph.carriers[name] = Plain(name)
    for node in model.nodes:
        _import_node(graph, node)
    graph.current = None
    for name in model.outputs:
        check_dtype(f"output {name}", model.dtypes[name])
    outputs = [_output(graph, name) for name in model.outputs]
    built = Graph(model.name, graph.values.values(), graph.nodes, inputs, outputs)
    result = name_outputs(built, model.outputs)
    result.verify()
    return result


def _import_node(graph: GraphBuilder, node: OnnxNode) -> None:
    """Import one node; whatever is wrong with it is told with its name."""
    graph.current = node
    try:
        if (node.domain, node.op) in HANDLERS or node.op in PROCESSOR_OPERATORS:
            _check_results(graph, node)
        HANDLERS.get((node.domain, node.op), on_processor)(graph, node)
    except CompileError:
        raise
    except _DAMAGE as error:
        raise refuse(node, f"must be valid: {_one_line(error)}") from error


def _check_results(graph: GraphBuilder, node: OnnxNode) -> None:
    """Refuse results without elements."""
    for name in node.outputs:
        shape = graph.model.shapes.get(name, (1,))
        if min(shape, default=1) < 1:
            raise refuse(node, f"result {name!r} must have elements, not shape {list(shape)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _output(graph: GraphBuilder, name: str) -> str:
    """The graph value that holds what ONNX calls the output, in the model's own type."""
    found = graph.carriers[name]
    if isinstance(found, Quantised) and not found.real:
        if found.dtype == "int8":
            return found.value
        shape = graph.values[found.value].shape
        attributes = {"offset": UINT8_OFFSET, "dtype": "uint8"}
        return graph.cpu("offset", [found.value], f"{name}.uint8", shape, "uint8", attributes)
    return graph.real_value(name, found)
