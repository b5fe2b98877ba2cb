"""Values and the graph that holds them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vta_pynq.errors import VtaError

if TYPE_CHECKING:
    from host_compiler.ir.nodes import Node

__all__ = ["DTYPES", "Graph", "GraphError", "Quant", "Value"]

DTYPES = ("int8", "uint8", "int16", "int32", "int64", "float32", "bool")
"""The element types that a value may have."""


class GraphError(VtaError):
    """A graph breaks a rule of the compiler's intermediate form: a bug in a pass or importer."""


@dataclasses.dataclass(frozen=True)
class Quant:
    """real = scale * (integer - zero_point); per tensor, or per index of `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    @property
    def per_tensor(self) -> bool:
        """Whether one scale holds for all elements."""
        return self.axis is None


@dataclasses.dataclass(frozen=True)
class Value:
    """One tensor: logical shape (NCHW where it has channels), element type, quantisation.

    `quant` explains the integers to people and to the boundary; nodes carry the numbers that
    they compute with themselves.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None = None


class Graph:
    """A model: values by name, nodes in topological order, input and output names."""

    def __init__(
        self,
        name: str,
        values: Iterable[Value],
        nodes: Iterable[Node],
        inputs: Iterable[str],
        outputs: Iterable[str],
    ) -> None:
        self.name = name
        self.values = {value.name: value for value in values}
        self.nodes = list(nodes)
        self.inputs = list(inputs)
        self.outputs = list(outputs)

    def producer(self, value: str) -> Node | None:
        """The node that computes `value`; None for a graph input."""
        return next((node for node in self.nodes if value in node.outputs), None)

    def consumers(self, value: str) -> Iterator[Node]:
        """The nodes that read `value`, in order."""
        return (node for node in self.nodes if value in node.inputs)

    def verify(self) -> None:
        """Check names, order, types and every node's own rules.

        Raises
        ------
        GraphError
            A rule is broken; the message names node and value.
        """
        known = set()
        for name in self.inputs:
            if name not in self.values:
                raise GraphError(f"graph {self.name}: input {name} must be a value")
            known.add(name)
        for value in self.values.values():
            if value.dtype not in DTYPES:
                raise GraphError(
                    f"value {value.name}: dtype must be one of {', '.join(DTYPES)}, "
                    f"not {value.dtype!r}"
                )
            if any(not isinstance(n, int) or n < 0 for n in value.shape):
                raise GraphError(f"value {value.name}: shape must be known, not {value.shape}")
        for node in self.nodes:
            for name in node.inputs:
                if name not in known:
                    raise GraphError(f"node {node.name}: input {name} must be computed before it")
            for name in node.outputs:
                if name not in self.values or name in known:
                    raise GraphError(
                        f"node {node.name}: output {name} must be a value that nothing else writes"
                    )
                known.add(name)
            node.verify(self)
        for name in self.outputs:
            if name not in known:
                raise GraphError(f"graph {self.name}: output {name} must be computed")
