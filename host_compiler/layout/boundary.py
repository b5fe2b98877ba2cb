"""Processor operators at the boundary of the layouts, fused with what is next to them.

Packing quantises or offsets at the same time, unpacking dequantises or offsets, and rescaling
raw sums goes from byte planes to a blocked tensor: no tensor is written only to be read by the
next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_compiler.ir import CpuOp, Node
from host_compiler.layout.tasks import CpuTask
from vta_pynq.config import HwConfig
from vta_pynq.program import activation_layout

__all__ = [
    "PACK_FIRST",
    "joins_pack",
    "joins_unpack",
    "pack_attributes",
    "pack_task",
    "unpack_task",
]

PACK_FIRST = "pack_first"
"""The operator that packs a first convolution's input; its result is blocked."""


def joins_pack(node: CpuOp) -> bool:
    """Whether packing can do this operator at the same time."""
    if node.constants or len(node.inputs) != 1:
        return False
    attributes = node.attributes
    if attributes.get("dtype", "int8") != "int8":
        return False
    return node.op == "offset" or (node.op == "quantize" and _is_number(attributes["scale"]))


def joins_unpack(node: CpuOp) -> bool:
    """Whether unpacking can do this operator at the same time."""
    if node.constants or len(node.inputs) != 1:
        return False
    if node.op == "offset":
        return node.attributes["dtype"] in ("int8", "uint8")
    return node.op == "dequantize" and (
        _is_number(node.attributes["scale"]) or node.attributes.get("axis", 1) == 1
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def pack_attributes(joined: CpuOp | None) -> dict[str, Any]:
    """Attributes with which a packing operator does `joined` first."""
    if joined is None:
        return {}
    if joined.op == "offset":
        return {"offset": joined.attributes["offset"]}
    return {name: joined.attributes[name] for name in ("scale", "zero_point")
            if name in joined.attributes}  # fmt: skip


def pack_task(
    node: Node, source: str, target: str, shape: tuple[int, ...], config: HwConfig,
    joined: CpuOp | None = None,
) -> CpuTask:  # fmt: skip
    """Plain `source` of logical `shape` (N, C, H, W) into blocked `target`."""
    attributes = {
        "layout": activation_layout(config.batch, config.block),
        "shape": list(shape),
        **pack_attributes(joined),
    }
    sources = () if joined is None else joined.source
    return CpuTask(f"{target}:pack", node.name, sources, (source,), (target,), "pack", attributes)


def unpack_task(
    node: Node, sources: tuple[str, ...], target: str, shape: tuple[int, ...], config: HwConfig,
    joined: CpuOp | None = None,
) -> CpuTask:  # fmt: skip
    """Blocked `sources` into plain `target`: one int8 source, or the byte planes of int32."""
    attributes: dict[str, Any] = {
        "layout": activation_layout(config.batch, config.block),
        "shape": list(shape),
    }
    if joined is not None:
        attributes |= _unpack_attributes(joined.attributes)
    return CpuTask(
        f"{target}:unpack", node.name, () if joined is None else joined.source, sources,
        (target,), "unpack", attributes,
    )  # fmt: skip


def _unpack_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    names = ("scale", "zero_point", "axis", "offset", "dtype")
    return {name: attributes[name] for name in names if name in attributes}
