"""Nodes that read other values than before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from host_compiler.ir import Accumulate, AddTerm, Node

__all__ = ["rename_inputs"]


def rename_inputs(node: Node, names: Mapping[str, str]) -> Node:
    """The node with inputs renamed, in its stages too; itself where nothing changes."""
    if not any(name in names for name in node.inputs):
        return node
    inputs = tuple(names.get(name, name) for name in node.inputs)
    if not isinstance(node, Accumulate):
        return dataclasses.replace(node, inputs=inputs)
    stages = tuple(
        dataclasses.replace(stage, value=names.get(stage.value, stage.value))
        if isinstance(stage, AddTerm)
        else stage
        for stage in node.stages
    )
    return dataclasses.replace(node, inputs=inputs, stages=stages)
