"""The reference of the operators that run on the processor: plain numpy, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import CpuOp, Graph
from vta_pynq.errors import VtaError

__all__ = ["CPU_REFERENCE", "run_cpu_op"]

Array = npt.NDArray[Any]


def _quantise(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """round(x / scale) + zero_point, ties to even, saturated; per tensor."""
    info = np.iinfo(attributes["dtype"])
    real = np.rint(inputs[0] / np.float32(attributes["scale"])) + attributes["zero_point"]
    return [np.clip(real, info.min, info.max).astype(attributes["dtype"])]


def _dequantise(inputs: list[Array], attributes: Mapping[str, Any]) -> list[Array]:
    """(x - zero_point) * scale in float32."""
    wide = inputs[0].astype(np.int32) - attributes["zero_point"]
    return [(wide * np.float32(attributes["scale"])).astype(np.float32)]


CPU_REFERENCE: dict[str, Callable[[list[Array], Mapping[str, Any]], list[Array]]] = {
    "quantize": _quantise,
    "dequantize": _dequantise,
}
"""Operator name to function of (inputs and constants, attributes)."""


def run_cpu_op(node: CpuOp, graph: Graph, inputs: list[Array]) -> list[Array]:
    """Compute a processor operator; results have the dtypes and shapes that the graph declares.

    Raises
    ------
    VtaError
        There is no reference for the operator.
    """
    function = CPU_REFERENCE.get(node.op)
    if function is None:
        raise VtaError(f"node {node.name}: operator {node.op} has no reference")
    return function([*inputs, *node.constants], node.attributes)
