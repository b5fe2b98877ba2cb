"""The forms that a value may have in memory: plain, blocked, byte planes; made when needed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy.typing as npt

from host_compiler.ir import CpuOp, Graph, Node
from host_compiler.layer import TensorRef
from host_compiler.layout import boundary
from host_compiler.layout.concat import plan_concats
from host_compiler.layout.storage import Shape4, Storage, image_shape
from host_compiler.layout.tasks import Buffer, Role, Task, View
from vta_pynq.config import HwConfig
from vta_pynq.program import activation_layout, plain_layout

__all__ = ["Forms"]


class Forms:
    """Tasks and buffers so far, and which forms of each value they make."""

    def __init__(self, graph: Graph, accelerated: Collection[str], config: HwConfig) -> None:
        self.graph, self.config, self.accelerated = graph, config, accelerated
        self.storage = Storage(graph)
        self.tasks: list[Task] = []
        self.buffers: dict[str, Buffer] = {}
        self.views: dict[str, View] = {}
        self._names: set[str] = set()
        self._layers: set[str] = set()
        self._plain: dict[str, str] = {}
        """Group of plain values to the tensor that holds it."""
        self._shaped: dict[str, str] = {}
        """Value to the plain tensor of its own shape."""
        self._blocked: dict[str, TensorRef] = {}
        self._planes: dict[str, tuple[TensorRef, ...]] = {}
        self._waiting: dict[str, CpuOp] = {}
        """Groups of plain values to operators that may become part of a packing step."""
        self._inside = plan_concats(graph, accelerated, self.storage, config)
        self._outputs: dict[str, str] = {}
        self._inputs: list[str] = []
        # Outputs first: an output's name is part of the program's interface.
        self._names.update(graph.outputs)
        for name in graph.inputs:
            self._add_input(name)

    # ---- names and buffers ---------------------------------------------------------------

    def _unique(self, name: str) -> str:
        chosen, number = name, 1
        while chosen in self._names:
            number += 1
            chosen = f"{name}.{number}"
        self._names.add(chosen)
        return chosen

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: str, layout: str, role: Role,
                value: str | None = None, data: npt.NDArray[Any] | None = None) -> str:  # fmt: skip
        quant = None if value is None else self.graph.values[value].quant
        self.buffers[name] = Buffer(name, shape, dtype, layout, role, quant, data)
        return name

    def _add_input(self, name: str) -> None:
        value = self.graph.values[name]
        self._names.add(name)
        layout = plain_layout(len(value.shape))
        self._inputs.append(self._buffer(name, value.shape, value.dtype, layout, Role.INPUT, name))
        self._plain[self.storage.plain(name)] = name
        self._shaped[name] = name

    def _new_plain(self, value: str) -> str:
        """Memory for a plain value that a task is about to write; the tensor of its shape."""
        members = self.storage.members(value)
        wanted = [m for m in members if m in self.graph.outputs and m not in self._outputs]
        if wanted:
            chosen, role = wanted[0], Role.OUTPUT
            self._outputs[chosen] = chosen
            name = chosen
        else:
            chosen, role = value, Role.HOST
            name = self._unique(value)
        spec = self.graph.values[chosen]
        layout = plain_layout(len(spec.shape))
        self._buffer(name, spec.shape, spec.dtype, layout, role, chosen)
        self._plain[self.storage.plain(value)] = name
        self._shaped[chosen] = name
        return self._shape_of(value)

    def _shape_of(self, value: str) -> str:
        """The tensor of a plain value that exists, with the value's own shape."""
        if value not in self._shaped:
            root, spec = self._plain[self.storage.plain(value)], self.graph.values[value]
            name = self._unique(value)
            layout = plain_layout(len(spec.shape))
            self.views[name] = View(name, root, 0, spec.shape, spec.dtype, layout, spec.quant)
            self._shaped[value] = name
        return self._shaped[value]

    def _device(self, value: str, shape: Shape4, suffix: str = "") -> TensorRef:
        name = self._unique(f"{value}.blocked{suffix}")
        layout = activation_layout(self.config.batch, self.config.block)
        self._buffer(name, shape, "int8", layout, Role.DEVICE, None if suffix else value)
        return TensorRef(name, shape, 0, -(-shape[1] // self.config.block))

    def _image(self, value: str) -> Shape4:
        shape = image_shape(self.graph.values[value].shape)
        assert shape is not None, f"{value} has no place on the accelerator"
        return shape

    # ---- forms of a value ----------------------------------------------------------------

    def plain(self, value: str, node: Node) -> str:
        """The plain tensor of a value; it is unpacked if there is none yet."""
        group = self.storage.plain(value)
        if group not in self._plain:
            waiting = self._waiting.pop(group, None)
            if waiting is not None:
                self.compute(waiting)
            else:
                member = self._blocked_member(value)
                assert member is not None, f"{value} must have been computed"
                self._unpack(member, self._new_plain(member), node)
        return self._shape_of(value)

    def _blocked_member(self, value: str) -> str | None:
        """A value with the same plain memory that lies in blocks."""
        for member in self.storage.members(value):
            group = self.storage.blocked(member)
            if group in self._blocked or group in self._planes:
                return member
        return None

    def _unpack(self, member: str, target: str, node: Node, joined: CpuOp | None = None) -> None:
        group = self.storage.blocked(member)
        ref = self._blocked.get(group)
        refs = self._planes[group] if ref is None else (ref,)
        reads = tuple(self._tensor_of(r) for r in refs)
        shape = self._image(member)
        self.tasks.append(boundary.unpack_task(node, reads, target, shape, self.config, joined))

    def _tensor_of(self, ref: TensorRef) -> str:
        """The tensor that a reference is: the buffer, or a view of some of its channel blocks."""
        whole = self.buffers[ref.buffer]
        if whole.shape == ref.shape and not ref.block_offset:
            return ref.buffer
        pixels = ref.shape[2] * ref.shape[3]
        offset = ref.block_offset * pixels * self.config.batch * self.config.block
        name = self._unique(f"{ref.buffer}[{ref.block_offset}]")
        self.views[name] = View(name, ref.buffer, offset, ref.shape, "int8", whole.layout)
        return name

    def blocked(self, value: str, node: Node) -> TensorRef:
        """The blocked tensor of a value; it is packed if there is none yet."""
        group = self.storage.blocked(value)
        if group not in self._blocked:
            shape = self._image(value)
            waiting = self._waiting.get(self.storage.plain(value))
            source = self.plain(value if waiting is None else waiting.inputs[0], node)
            ref = self._device(value, shape)
            self.tasks.append(
                boundary.pack_task(node, source, ref.buffer, shape, self.config, waiting)
            )
            self._blocked[group] = ref
        return self._blocked[group]

    def compute(self, form: CpuOp) -> None:
        """Append an operator that was held back."""
        raise NotImplementedError
