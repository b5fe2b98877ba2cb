"""Reading an ONNX model: checks, fixed shapes, constants, inferred types."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from host_compiler.importer.folding import fold_constants
from host_compiler.importer.limits import check_ends, check_nodes, dtype_name
from host_compiler.importer.operator_form import expand_operator_form
from vta_pynq.errors import CompileError

__all__ = ["ModelSource", "OnnxModel", "OnnxNode", "load_onnx", "read_onnx"]

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto
"""What the compiler takes as a model."""

MIN_OPSET = 13
_MAX_FILE_BYTES = 1 << 31  # protobuf's own limit

Shapes = Mapping[str, Sequence[int] | int]
"""Input name to shape, or symbolic extent (such as `batch`) to number."""


@dataclasses.dataclass(frozen=True, eq=False)
class OnnxNode:
    """One node with decoded attributes; absent optional inputs are ''."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, index: int) -> str:
        """The input at `index`, '' where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclasses.dataclass(frozen=True, eq=False)
class OnnxModel:
    """A checked model with fixed shapes."""

    name: str
    nodes: tuple[OnnxNode, ...]
    constants: dict[str, npt.NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    opset: int


def load_onnx(source: ModelSource, shapes: Shapes | None = None) -> OnnxModel:
    """Read and check a model.

    Parameters
    ----------
    source
        A path, the file's bytes, or a model.
    shapes
        Extents for dynamic inputs: by input name, or by the name of a symbolic extent.

    Raises
    ------
    CompileError
        The model is unreadable, of an old opset, has unknown shapes, or is not valid ONNX.
    """
    model = read_onnx(source)
    opset = _check_opset(model)
    check_ends(model)
    check_nodes(model)
    expand_operator_form(model)
    _fix_shapes(model, dict(shapes or {}))
    try:
        if not all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
            # The checker asks for their rank.
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model)
        model = fold_constants(model)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        text = " ".join(str(error).split())
        raise CompileError(f"model: must be valid ONNX: {text[:500]}") from None
    return _decode(model, opset)


def read_onnx(source: ModelSource) -> onnx.ModelProto:
    """Read a model, external data included, and check its opset; a copy where one is given.

    Raises
    ------
    CompileError
        The model or its external data are unreadable, or its opset is too old.
    """
    model = _parse(source)
    _check_opset(model)
    return model


def _parse(source: ModelSource) -> onnx.ModelProto:
    folder, where = None, "model"
    if isinstance(source, onnx.ModelProto):
        model = onnx.ModelProto()
        model.CopyFrom(source)
    else:
        if isinstance(source, bytes):
            data = source
        else:
            path = Path(source)
            folder, where = path.parent, f"model {path}"
            try:
                if path.stat().st_size > _MAX_FILE_BYTES:
                    raise CompileError(f"model {path}: must be smaller than 2 GiB")
                data = path.read_bytes()
            except OSError as error:
                raise CompileError(f"model {path}: must be readable: {error.strerror}") from None
        model = onnx.ModelProto()
        try:
            model.ParseFromString(data)
        except DecodeError:
            model.Clear()
        if not model.HasField("graph") or not model.graph.output:
            raise CompileError(f"{where}: must be an ONNX file, not truncated or something else")
    _load_external(model, folder)
    return model


def _load_external(model: onnx.ModelProto, folder: Path | None) -> None:
    for tensor in onnx.external_data_helper._get_all_tensors(model):
        if not onnx.external_data_helper.uses_external_data(tensor):
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        location = PurePosixPath(where)
        if location.is_absolute() or ".." in location.parts or not where or "\\" in where:
            raise CompileError(
                f"initialiser {tensor.name}: external data must lie beside the model, not at "
                f"{where!r}"
            )
        if folder is None or not (folder / location).is_file():
            raise CompileError(
                f"initialiser {tensor.name}: external data file {where!r} must exist beside the "
                "model"
            )
        if (folder / location).resolve().parent != (folder / location.parent).resolve():
            raise CompileError(
                f"initialiser {tensor.name}: external data must not be a link to another folder"
            )
        try:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise CompileError(f"initialiser {tensor.name}: {error}") from None
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _check_opset(model: onnx.ModelProto) -> int:
    versions = {entry.domain or "ai.onnx": int(entry.version) for entry in model.opset_import}
    opset = versions.get("ai.onnx", 0)
    if opset < MIN_OPSET:
        raise CompileError(
            f"model: opset must be at least {MIN_OPSET}, not {opset}; "
            "convert it with onnx.version_converter"
        )
    return opset


def _fix_shapes(model: onnx.ModelProto, shapes: dict[str, Sequence[int] | int]) -> None:
    constants = {tensor.name for tensor in model.graph.initializer}
    used = set()
    for value in model.graph.input:
        if value.name in constants:
            continue
        wanted = shapes.get(value.name)
        dims = value.type.tensor_type.shape.dim
        if wanted is not None:
            used.add(value.name)
            if isinstance(wanted, int) or len(wanted) != len(dims):
                raise CompileError(
                    f"input {value.name}: shape must have {len(dims)} extents, not {wanted}"
                )
        for axis, dim in enumerate(dims):
            fixed = dim.dim_value if dim.HasField("dim_value") else None
            given: Any = wanted[axis] if wanted is not None else shapes.get(dim.dim_param)
            if wanted is None and dim.dim_param in shapes:
                used.add(dim.dim_param)
            if fixed is None and given is None:
                named = f"{dim.dim_param}=1 or " if dim.dim_param else ""
                raise CompileError(
                    f"input {value.name}: extent {dim.dim_param or axis} must be fixed; give "
                    f"{named}a shape for {value.name} (--shape)"
                )
            if given is not None and (isinstance(given, bool) or int(given) < 1):
                raise CompileError(f"input {value.name}: extents must be positive, not {given}")
            if fixed is not None and given is not None and int(given) != fixed:
                raise CompileError(
                    f"input {value.name}: extent {axis} must be {fixed} (the model fixes it), "
                    f"not {given}"
                )
            dim.dim_value = int(given if given is not None else fixed or 0)
    unused = set(shapes) - used
    if unused:
        raise CompileError(f"shape for {sorted(unused)[0]!r} must name an input or its extent")
    del model.graph.value_info[:]
    inputs = {value.name: value for value in model.graph.input}
    for value in model.graph.output:
        if value.name in inputs:
            value.CopyFrom(inputs[value.name])
            continue
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()  # inference fills in what follows from the inputs


def _decode(model: onnx.ModelProto, opset: int) -> OnnxModel:
    graph = model.graph
    constants = {t.name: _array(t) for t in graph.initializer}
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes, dtypes = {}, {}
    for value in values:
        tensor = value.type.tensor_type
        if tensor.elem_type:
            dtypes[value.name] = dtype_name(tensor.elem_type)
        if all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    for name, array in constants.items():
        shapes[name], dtypes[name] = array.shape, array.dtype.name
    nodes = []
    for index, proto in enumerate(graph.node):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        node = OnnxNode(
            proto.name or f"{proto.op_type}_{index}",
            proto.op_type,
            proto.domain,
            tuple(proto.input),
            tuple(proto.output),
            attributes,
        )
        if node.op == "Constant":
            constants[node.outputs[0]] = _constant_value(node)
        else:
            nodes.append(node)
    inputs = tuple(v.name for v in graph.input if v.name not in constants)
    outputs = tuple(v.name for v in graph.output)
    name = graph.name or "model"
    return OnnxModel(name, tuple(nodes), constants, inputs, outputs, shapes, dtypes, opset)


def _array(tensor: onnx.TensorProto) -> npt.NDArray[Any]:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise CompileError(f"initialiser {tensor.name}: must be readable: {error}") from None


def _constant_value(node: OnnxNode) -> npt.NDArray[Any]:
    for key, value in node.attributes.items():
        if key == "value":
            return _array(value)
        if key.startswith("value_") and not key.endswith(("string", "strings")):
            dtype = np.float32 if "float" in key else np.int64
            return np.asarray(value, dtype)
    raise CompileError(f"node {node.name} (Constant): must hold a number or tensor")
