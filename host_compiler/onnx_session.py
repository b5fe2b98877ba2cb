"""onnxruntime on this machine's processor, with exact sums of 8-bit products.

On x86-64 processors without VNNI instructions onnxruntime multiplies unsigned activations with
signed weights by an instruction that adds two products in 16 bits and saturates (`VPMADDUBSW`;
onnxruntime documentation, "Quantize ONNX models", section "When and why do I need to try
U8U8?"). Results then depend on the processor, and are wrong by many steps on some. Unsigned with
unsigned and signed with signed weights are computed exactly on every processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

__all__ = ["exact_session", "with_unsigned_weights"]

_MICROSOFT = "com.microsoft"
_LINEAR = {("", "QLinearConv"), ("", "QLinearMatMul"), (_MICROSOFT, "QGemm")}
"""Operands: x, its scale, its zero point, weights, their scale, their zero point."""
_INTEGER = {("", "ConvInteger"), ("", "MatMulInteger")}
"""Operands: x, weights, zero point of x, zero point of the weights."""
_FUSED = {"Conv", "Gemm", "MatMul"}
"""What onnxruntime fuses with the Q/DQ nodes around it into one of the above."""
_HALF = 128
_SCALE, _ZERO = 1, 2


def exact_session(
    model: onnx.ModelProto,
    *,
    optimised: bool = True,
    options: onnxruntime.SessionOptions | None = None,
) -> onnxruntime.InferenceSession:
    """Open a model in onnxruntime so that its integers do not depend on the processor.

    Parameters
    ----------
    model
        A model with or without quantisation; it is not changed.
    optimised
        Whether onnxruntime may fuse nodes; without, it computes node by node as written, and
        what is between Q/DQ nodes in float32.
    options
        Further options of the session; its optimisation level is set here.
    """
    options = options or onnxruntime.SessionOptions()
    options.log_severity_level = 3
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    )
    # Signed activations stay signed; on x86-64 they are made unsigned by default.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return onnxruntime.InferenceSession(
        with_unsigned_weights(model).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )


def with_unsigned_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite signed weights that meet unsigned activations as unsigned ones, 128 higher.

    The zero points rise with them, so the model's function is the same. Weights that are not
    constants stay as they are.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    _Rewriter(changed.graph).run()
    return changed


class _Rewriter:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._raised: dict[str, str] = {}

    def run(self) -> None:
        for node, weights, zero_point in list(self._signed()):
            shape: tuple[int, ...] = ()
            names = list(node.input) + [""] * (zero_point + 1 - len(node.input))
            if not names[zero_point] and node.op_type == "DequantizeLinear":
                shape = tuple(self._constants[names[_SCALE]].dims)
            names[zero_point] = self._raise(names[zero_point], shape)
            names[weights] = self._raise(names[weights])
            del node.input[:]
            node.input.extend(names)

    def _signed(self) -> Iterator[tuple[onnx.NodeProto, int, int]]:
        """Nodes that hold signed constant weights, and where these and their zero point are."""
        seen: list[onnx.NodeProto] = []
        for node in self._graph.node:
            key = (node.domain, node.op_type)
            if key in _LINEAR and self._is(node, 3, np.int8) and self._is(node, 2, np.uint8):
                yield node, 3, 5
            elif key in _INTEGER and self._is(node, 1, np.int8) and not self._is(node, 2, np.int8):
                yield node, 1, 3
            elif node.op_type in _FUSED and len(node.input) > 1:
                x, dequantize = (self._makers.get(name) for name in node.input[:2])
                if x is None or dequantize is None or any(dequantize is other for other in seen):
                    continue
                if {x.op_type, dequantize.op_type} != {"DequantizeLinear"}:
                    continue
                scale = self._constants.get(dequantize.input[_SCALE])
                if self._is(dequantize, 0, np.int8) and self._unsigned(x) and scale is not None:
                    seen.append(dequantize)
                    yield dequantize, 0, _ZERO

    def _unsigned(self, dequantize: onnx.NodeProto) -> bool:
        return self._is(dequantize, _ZERO, np.uint8)

    def _is(self, node: onnx.NodeProto, index: int, dtype: type[np.generic]) -> bool:
        """Whether an operand is a constant of a type."""
        tensor = self._constants.get(node.input[index]) if index < len(node.input) else None
        return tensor is not None and tensor.data_type == onnx.helper.np_dtype_to_tensor_dtype(
            np.dtype(dtype)
        )

    def _raise(self, name: str, shape: tuple[int, ...] = ()) -> str:
        """Name of a constant that is 128 higher; without a name, one of 128 throughout."""
        key = f"{name}{shape}"
        if key not in self._raised:
            array: np.ndarray[Any, Any]
            if name:
                array = numpy_helper.to_array(self._constants[name]).astype(np.int16)
            else:
                array = np.zeros(shape, np.int16)
            self._raised[key] = f"unsigned {len(self._raised)} {name}"
            self._graph.initializer.append(
                numpy_helper.from_array((array + _HALF).astype(np.uint8), self._raised[key])
            )
        return self._raised[key]
