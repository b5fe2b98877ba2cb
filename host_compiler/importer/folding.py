"""Constant folding: what follows from constants and fixed shapes is computed now.

Exporters write shape arithmetic (Shape, Gather, Concat, then Reshape) as nodes. With fixed input
shapes all of it is constant. Quantised constants stay as they are: the importer needs integers
and scales apart.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from vta_pynq.errors import CompileError

__all__ = ["fold_constants"]

_KEPT = ("QuantizeLinear", "DequantizeLinear", "Constant", "If", "Loop", "Scan")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")
_MAX_ELEMS = 1 << 24
"""A hostile model could ask for a constant that fills the memory."""


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with shapes inferred, and constant subgraphs as initialisers.

    Raises
    ------
    CompileError
        A constant node cannot be computed.
    onnx.shape_inference.InferenceError
        Shapes contradict each other.
    """
    while True:
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        if not _fold(model):
            return model
        del model.graph.value_info[:]


def _fold(model: onnx.ModelProto) -> bool:
    """One sweep over the nodes; whether anything changed."""
    graph = model.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            known[node.output[0]] = node.attribute[0].t
    shapes = {
        value.name: value.type.tensor_type.shape
        for value in (*graph.input, *graph.value_info)
        if value.type.tensor_type.HasField("shape")
    }
    outputs = {value.name for value in graph.output}
    kept, folded = [], False
    for node in graph.node:
        results = None
        if node.op_type == "Shape" and node.input[0] in shapes:
            results = _shape(node, shapes[node.input[0]])
        elif node.op_type not in _KEPT + _RANDOM and node.domain in ("", "ai.onnx"):
            inputs = [name for name in node.input if name]
            if inputs and all(name in known for name in inputs) and not outputs & set(node.output):
                results = _evaluate(model, node, known, shapes)
        if results is None or outputs & set(node.output):
            kept.append(node)
            continue
        for name, array in zip(node.output, results, strict=False):
            if name:
                tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
                graph.initializer.append(tensor)
                known[name] = tensor
        folded = True
    if folded:
        del graph.node[:]
        graph.node.extend(kept)
    return folded


def _shape(node: onnx.NodeProto, shape: onnx.TensorShapeProto) -> list[np.ndarray] | None:  # type: ignore[type-arg]
    if not all(dim.HasField("dim_value") for dim in shape.dim):
        return None
    extents = [dim.dim_value for dim in shape.dim]
    ends = {a.name: a.i for a in node.attribute}
    return [np.array(extents[ends.get("start", 0) : ends.get("end", len(extents))], np.int64)]


def _evaluate(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: dict[str, onnx.TensorProto],
    shapes: dict[str, onnx.TensorShapeProto],
) -> list[np.ndarray] | None:  # type: ignore[type-arg]
    for name in node.output:
        extents = [dim.dim_value for dim in shapes[name].dim] if name in shapes else []
        if int(np.prod(extents, dtype=float)) > _MAX_ELEMS:
            raise CompileError(
                f"node {node.name or node.output[0]} ({node.op_type}): constant result must have "
                f"at most {_MAX_ELEMS} elements, not {extents}"
            )
    names = list(dict.fromkeys(name for name in node.input if name))
    inputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
    results = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    single = onnx.helper.make_model(
        onnx.helper.make_graph([node], "constant", inputs, results),
        opset_imports=list(model.opset_import),
    )
    try:
        arrays = {name: numpy_helper.to_array(known[name]) for name in names}
        found: list[np.ndarray] = ReferenceEvaluator(single).run(None, arrays)  # type: ignore[type-arg,assignment]
    except Exception as error:  # the evaluator raises whatever numpy does
        raise CompileError(
            f"node {node.name or node.output[0]} ({node.op_type}): its constant result must be "
            f"computable: {error}"
        ) from None
    return found
