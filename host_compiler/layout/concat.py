"""Concatenation in place: producers write straight into parts of the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from host_compiler.ir import Accumulate, Concat, CpuOp, Graph
from host_compiler.layout.storage import Storage
from vta_pynq.config import HwConfig

__all__ = ["Concats", "Part", "plan_concats"]


@dataclasses.dataclass(frozen=True)
class Part:
    """A value that lies in `whole`, from channel block `block` on."""

    whole: str
    block: int


@dataclasses.dataclass(frozen=True)
class Concats:
    """`wholes` are the results that are put together in place; `parts` maps groups of blocked
    values (see `Storage`) to their places."""

    wholes: frozenset[str]
    parts: dict[str, Part]


def plan_concats(
    graph: Graph, accelerated: Collection[str], storage: Storage, config: HwConfig
) -> Concats:
    """Decide which concatenations are in place and which of their inputs are born there.

    A concatenation is in place when every input but the last has whole channel blocks. An input
    is born there when a layer computes it and no other concatenation has it; one that the
    processor reads must be in one piece of memory, so it is not.
    """
    producer = {node.outputs[0]: node for node in graph.nodes}
    read_by_cpu = {
        storage.blocked(name)
        for node in graph.nodes
        if node.name not in accelerated
        for name in node.inputs
    } | {storage.blocked(name) for name in graph.outputs}
    wholes: set[str] = set()
    parts: dict[str, Part] = {}
    for node in graph.nodes:
        if not isinstance(node, Concat) or node.axis != 1 or node.name not in accelerated:
            continue
        shapes = [graph.values[name].shape for name in node.inputs]
        if len(shapes[0]) != 4 or any(s[1] % config.block for s in shapes[:-1]):
            continue
        wholes.add(node.outputs[0])
        at = 0
        for name, shape in zip(node.inputs, shapes, strict=True):
            group = storage.blocked(name)
            maker = producer.get(group)
            born = (
                maker is not None
                and maker.name in accelerated
                and not isinstance(maker, CpuOp)
                and not (isinstance(maker, Accumulate) and not maker.stages)
                and group not in wholes
                and group not in parts
                and (group not in read_by_cpu or shape[0] <= config.batch)
                and graph.values[group].shape == shape
            )
            if born:
                parts[group] = Part(node.outputs[0], at)
            at += -(-shape[1] // config.block)
    return Concats(frozenset(wholes), parts)
