"""Tasks and the buffers that they work on: a model between the graph and the program."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from host_compiler.ir import Quant
from host_compiler.layer import Layer
from vta_pynq.program import Layout

__all__ = ["Buffer", "CpuTask", "LayerTask", "Role", "Task", "Tasks", "View"]


class Role(enum.Enum):
    """Who uses a buffer."""

    INPUT = "input"
    """A model input; read by the processor."""
    OUTPUT = "output"
    """A model output; written by the processor."""
    HOST = "host"
    """Between processor steps."""
    CONST = "const"
    """A constant operand of a processor step."""
    DEVICE = "device"
    """In the accelerator's layout; both sides may use it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Buffer:
    """Memory of its own for one tensor; `shape` is logical, `layout` a program layout."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    role: Role
    quant: Quant | None = None
    data: npt.NDArray[Any] | None = None

    @property
    def elems(self) -> int:
        """Elements in memory, padding of the layout included."""
        return Layout.parse(self.layout).stored_elems(self.shape)


@dataclasses.dataclass(frozen=True)
class View:
    """A tensor that is part of buffer `of`, from byte `offset` on."""

    name: str
    of: str
    offset: int
    shape: tuple[int, ...]
    dtype: str
    layout: str
    quant: Quant | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """Something to do: reads and writes tensors (buffers or views) by name.

    `node` names the graph node that it belongs to, `nodes` the model's nodes behind that.
    """

    name: str
    node: str
    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class LayerTask(Task):
    """A layer on the accelerator; the layer's references name buffers."""

    layer: Layer
    op: str


@dataclasses.dataclass(frozen=True, eq=False)
class CpuTask(Task):
    """An operator of `cpu_ops`."""

    op: str
    attributes: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Tasks:
    """Everything a program does, in an order in which it may be done."""

    tasks: tuple[Task, ...]
    buffers: Mapping[str, Buffer]
    views: Mapping[str, View]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def root(self, tensor: str) -> str:
        """The buffer whose memory a tensor is."""
        view = self.views.get(tensor)
        return tensor if view is None else view.of

    def dependencies(self) -> list[set[int]]:
        """For each task the numbers of those that must be done before it."""
        writers: dict[str, set[int]] = {}
        result: list[set[int]] = []
        for number, task in enumerate(self.tasks):
            result.append(set().union(*(writers.get(self.root(t), ()) for t in task.reads)))
            for tensor in task.writes:
                writers.setdefault(self.root(tensor), set()).add(number)
        return result
