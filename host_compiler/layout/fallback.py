"""Accelerator nodes as operators of the processor, where there is one with the same meaning."""

from __future__ import annotations

from host_compiler.ir import Concat, CpuOp, Graph, MaxPool, Node, Pad, ResizeNearest

__all__ = ["cpu_form"]


def cpu_form(node: Node, graph: Graph) -> CpuOp | None:
    """An operator of `cpu_ops` that computes the same int8 result; None where there is none."""
    if isinstance(node, MaxPool):
        op = "max_pool"
        attributes: dict[str, object] = {
            "kernel_shape": list(node.kernel),
            "strides": list(node.strides),
            "pads": list(node.pads),
            "dilations": list(node.dilations),
        }
    elif isinstance(node, Concat):
        op, attributes = "concat", {"axis": node.axis}
    elif isinstance(node, Pad):
        top, left, bottom, right = node.pads
        op, attributes = (
            "pad",
            {"pads": [0, 0, top, left, 0, 0, bottom, right], "value": float(node.value)},
        )
    elif isinstance(node, ResizeNearest):
        op, attributes = (
            "resize",
            {
                "mode": "nearest",
                "coordinate_transformation_mode": "asymmetric",
                "nearest_mode": "floor",
                "scales": [1.0, 1.0, *map(float, node.factors)],
            },
        )
    else:
        return None
    return CpuOp(
        node.name, node.inputs, node.outputs, op=op, attributes=attributes, source=node.source
    )
