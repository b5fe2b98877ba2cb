"""Quantisations inside one accelerator step are left out: a sum is rounded once, at its end."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["drop_inner_pairs"]

_SUMS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu")
_MAX_RATIO = 1 << 16
"""Largest residual scale in units of the sum's that the accelerator multiplies by."""


def drop_inner_pairs(model: onnx.ModelProto) -> int:
    """Remove Q/DQ pairs between a sum and its activation, and between a convolution and the
    residual Add that alone reads it.

    The residual's pair goes only where the residual's scale is a whole multiple of the sum's:
    the addition is then exact in the accumulators. Returns how many pairs went.
    """
    pairs = _Pairs(model.graph)
    for node in list(model.graph.node):
        if node.op_type in _ACTIVATIONS:
            pairs.drop(node, 0, _SUMS)
    for node in list(model.graph.node):
        if node.op_type == "Add":
            for index in (0, 1):
                if pairs.is_exact_residual(node, index):
                    pairs.drop(node, index, ("Conv", "ConvTranspose"))
                    break  # one operand of a sum may stay in the accumulators
    return pairs.dropped


class _Pairs:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.dropped = 0
        self.constants = {t.name: t for t in graph.initializer}
        self.producer = {name: node for node in graph.node for name in node.output}
        self.outputs = {value.name for value in graph.output}

    def _readers(self, name: str) -> int:
        return sum(list(node.input).count(name) for node in self.graph.node) + (
            name in self.outputs
        )

    def _pair(
        self, reader: onnx.NodeProto, index: int
    ) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
        """Quantize and dequantize in front of an input that nothing else reads."""
        dequantize = self.producer.get(reader.input[index])
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            return None
        quantize = self.producer.get(dequantize.input[0])
        if quantize is None or quantize.op_type != "QuantizeLinear":
            return None
        between = (dequantize.output[0], quantize.output[0], quantize.input[0])
        return (quantize, dequantize) if all(self._readers(n) == 1 for n in between) else None

    def drop(self, reader: onnx.NodeProto, index: int, before: tuple[str, ...]) -> bool:
        """Let `reader` read what was quantised, where one of the operators `before` made it."""
        found = self._pair(reader, index)
        source = self.producer.get(found[0].input[0]) if found else None
        if found is None or source is None or source.op_type not in before:
            return False
        reader.input[index] = found[0].input[0]
        for node in found:
            self.graph.node.remove(node)
        self.dropped += 1
        return True

    def is_exact_residual(self, add: onnx.NodeProto, index: int) -> bool:
        """Whether the other operand is a whole multiple of the unrounded sum's unit."""
        found = self._pair(add, index)
        conv = self.producer.get(found[0].input[0]) if found else None
        if conv is None or conv.op_type not in ("Conv", "ConvTranspose"):
            return False
        scales = [self._scale(conv.input[0]), self._scale(conv.input[1])]
        other = self._scale(add.input[1 - index])
        if other is None or scales[0] is None or scales[1] is None:
            return False
        ratio = other / (scales[0] * scales[1])
        return ratio == int(ratio) and 1 <= ratio <= _MAX_RATIO

    def _scale(self, name: str) -> float | None:
        """The one scale of a dequantised tensor."""
        node = self.producer.get(name)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        constant = self.constants.get(node.input[1])
        array = np.zeros(2) if constant is None else numpy_helper.to_array(constant)
        return float(array.reshape(-1)[0]) if array.size == 1 else None
