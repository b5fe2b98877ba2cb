"""Tasks that move tensors between the plain and the accelerator's layout."""

from __future__ import annotations

from host_compiler.ir import Node
from host_compiler.layout.tasks import CpuTask
from vta_pynq.config import HwConfig

__all__ = ["BLOCKED_RESULTS", "pack_task", "unpack_task"]

BLOCKED_RESULTS = ("pack_first",)
"""Operators whose result lies in the accelerator's layout."""


def pack_task(node: Node, source: str, target: str, config: HwConfig) -> CpuTask:
    """Plain int8 `source` (N, C, H, W) into blocked `target`."""
    attributes = {"batch": config.batch, "block": config.block}
    return CpuTask(
        f"{target}:pack", node.name, node.source, (source,), (target,), "pack", attributes
    )


def unpack_task(
    node: Node, sources: tuple[str, ...], target: str, shape: tuple[int, ...], config: HwConfig
) -> CpuTask:
    """Blocked int8 `sources` into plain `target`: one source as it is, byte planes as int32."""
    attributes = {"batch": config.batch, "block": config.block, "shape": list(shape)}
    return CpuTask(
        f"{target}:unpack", node.name, node.source, sources, (target,), "unpack", attributes
    )
