"""Turn a placed graph into tasks: layers on blocked tensors, processor operators on plain ones,
and what converts between the two."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy.typing as npt

from host_compiler.ir import Accumulate, Concat, CpuOp, Graph, Node, Reshape
from host_compiler.layer import Layer, TensorRef
from host_compiler.layout import boundary
from host_compiler.layout.concat import plan_concats
from host_compiler.layout.fallback import cpu_form
from host_compiler.layout.storage import Shape4, Storage, image_shape
from host_compiler.layout.tasks import Buffer, CpuTask, LayerTask, Role, Task, Tasks, View
from host_compiler.normalise import make_layer
from vta_pynq.config import HwConfig
from vta_pynq.program import activation_layout, plain_layout

__all__ = ["build_tasks"]

PLANES = 4
"""Bytes of an accumulator."""


def build_tasks(graph: Graph, accelerated: Collection[str], config: HwConfig) -> Tasks:
    """Tasks of a graph.

    Parameters
    ----------
    graph
        A verified graph.
    accelerated
        Names of the nodes that become layers; all others are done by the processor.
    config
        The accelerator's blocks and batch.
    """
    builder = _Builder(graph, accelerated, config)
    for node in graph.nodes:
        builder.add(node)
    return builder.finish()


class _Builder:
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
                self._append_cpu(waiting, waiting)
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

    # ---- nodes ---------------------------------------------------------------------------

    def add(self, node: Node) -> None:
        """Append what a node needs."""
        if isinstance(node, Reshape):
            return
        if node.name in self.accelerated:
            if isinstance(node, Concat) and node.outputs[0] in self._inside.wholes:
                self._add_concat(node)
            else:
                self._add_layer(node)
        else:
            self._add_cpu(node)

    def _result(self, value: str) -> TensorRef:
        """Where an accelerator node's int8 result goes: memory of its own, or part of a whole."""
        group = self.storage.blocked(value)
        place = self._inside.parts.get(group)
        if place is None:
            ref = self._device(value, self._image(value))
        else:
            whole = self._whole(place.whole)
            ref = TensorRef(whole.buffer, self._image(value), place.block, whole.buffer_blocks)
        self._blocked[group] = ref
        return ref

    def _new_blocked(self, value: str) -> str:
        ref = self._device(value, self._image(value))
        self._blocked[self.storage.blocked(value)] = ref
        return ref.buffer

    def _whole(self, value: str) -> TensorRef:
        group = self.storage.blocked(value)
        if group not in self._blocked:
            self._blocked[group] = self._device(value, self._image(value))
        return self._blocked[group]

    def _add_layer(self, node: Node) -> None:
        refs = {name: self.blocked(name, node) for name in dict.fromkeys(node.inputs)}
        value = node.outputs[0]
        outputs: tuple[TensorRef, ...]
        if isinstance(node, Accumulate) and not node.stages:
            shape = self._image(value)
            outputs = tuple(self._device(value, shape, f".{p}") for p in range(PLANES))
            self._planes[self.storage.blocked(value)] = outputs
        else:
            outputs = (self._result(value),)
        self._append_layer(node, refs, outputs)

    def _append_layer(
        self, node: Node, refs: Mapping[str, TensorRef], outputs: tuple[TensorRef, ...]
    ) -> None:
        layer = make_layer(node, self.graph, refs, outputs, self.config.block)
        reads = tuple(dict.fromkeys(term.source.buffer for term in layer.terms))
        writes = tuple(ref.buffer for ref in outputs)
        name, number = layer.name, 1
        while name in self._layers:
            number += 1
            name = f"{layer.name}.{number}"
        self._layers.add(name)
        layer = Layer(name, layer.sum_shape, layer.steps, layer.outputs)
        op = type(node).__name__
        self.tasks.append(LayerTask(name, node.name, node.source, reads, writes, layer, op))

    def _add_concat(self, node: Concat) -> None:
        """A concatenation in place: only inputs that lie elsewhere are copied."""
        whole = self._whole(node.outputs[0])
        at = 0
        for name in node.inputs:
            group, shape = self.storage.blocked(name), self._image(name)
            place = self._inside.parts.get(group)
            if place is None or (place.whole, place.block) != (node.outputs[0], at):
                target = TensorRef(whole.buffer, shape, at, whole.buffer_blocks)
                copy = Concat(f"{node.name}:{name}", (name,), (name,), source=node.source)
                self._append_layer(copy, {name: self.blocked(name, node)}, (target,))
            at += -(-shape[1] // self.config.block)

    def _add_cpu(self, node: Node) -> None:
        form = node if isinstance(node, CpuOp) else cpu_form(node, self.graph)
        assert form is not None, f"{node.name} has no form on the processor"
        if form.op == boundary.PACK_FIRST:
            self._pack_first(form)
        elif boundary.joins_pack(form) and form.outputs[0] not in self.graph.outputs:
            self._waiting[self.storage.plain(form.outputs[0])] = form
        elif form.op == "requantize" and self._only_planes(form.inputs[0]):
            self._requantise_blocked(form)
        elif boundary.joins_unpack(form) and self._only_blocked(form.inputs[0]):
            member = self._blocked_member(form.inputs[0])
            assert member is not None
            self._unpack(member, self._new_plain(form.outputs[0]), form, form)
        else:
            self._append_cpu(node, form)

    def _append_cpu(self, node: Node, form: CpuOp) -> None:
        reads = [self.plain(name, node) for name in form.inputs]
        for number, data in enumerate(form.constants):
            name = self._unique(f"{node.name}.constant{number}")
            layout = plain_layout(data.ndim)
            reads.append(
                self._buffer(name, data.shape, data.dtype.name, layout, Role.CONST, None, data)
            )
        writes = tuple(self._new_plain(name) for name in node.outputs)
        self._cpu_task(form, tuple(reads), writes, form.attributes)

    def _cpu_task(
        self, form: CpuOp, reads: tuple[str, ...], writes: tuple[str, ...],
        attributes: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.tasks.append(
            CpuTask(form.name, form.name, form.source, reads, writes, form.op, dict(attributes))
        )

    def _only_planes(self, value: str) -> bool:
        """Whether a value is known as byte planes and in no other form."""
        known = self.storage.plain(value) in self._plain
        return not known and self.storage.blocked(value) in self._planes

    def _only_blocked(self, value: str) -> bool:
        """Whether a value lies in blocks, and one operator reads it."""
        members = self.storage.members(value)
        readers = [n for n in self.graph.nodes if set(members) & set(n.inputs)]
        readers = [n for n in readers if not isinstance(n, Reshape)]
        wanted = set(members) & set(self.graph.outputs)
        known = self.storage.plain(value) in self._plain
        return not known and not wanted and len(readers) == 1 and bool(self._blocked_member(value))

    def _requantise_blocked(self, form: CpuOp) -> None:
        """Byte planes of sums to a blocked result, without a plain tensor in between."""
        planes = self._planes[self.storage.blocked(form.inputs[0])]
        layout = activation_layout(self.config.batch, self.config.block)
        writes = (self._new_blocked(form.outputs[0]),)
        attributes = {**form.attributes, "layout": layout}
        self._cpu_task(form, tuple(ref.buffer for ref in planes), writes, attributes)

    def _pack_first(self, form: CpuOp) -> None:
        waiting = self._waiting.get(self.storage.plain(form.inputs[0]))
        source = self.plain(form.inputs[0] if waiting is None else waiting.inputs[0], form)
        attributes = {**form.attributes, **boundary.pack_attributes(waiting)}
        form = dataclasses.replace(form, source=() if waiting is None else waiting.source)
        self._cpu_task(form, (source,), (self._new_blocked(form.outputs[0]),), attributes)

    # ---- end -----------------------------------------------------------------------------

    def finish(self) -> Tasks:
        """Bring the outputs about and hand everything out."""
        for name in self.graph.outputs:
            node = self.graph.producer(name) or Reshape(name, (name,), (name,))
            source = self.plain(name, node)
            if name in self._outputs:
                continue
            spec = self.graph.values[name]
            target = name if name not in self.buffers else self._unique(name)
            layout = plain_layout(len(spec.shape))
            self._buffer(target, spec.shape, spec.dtype, layout, Role.OUTPUT, name)
            self._outputs[name] = target
            self.tasks.append(
                CpuTask(f"{name}:output", node.name, node.source, (source,), (target,),
                        "identity", {})
            )  # fmt: skip
        outputs = tuple(self._outputs[name] for name in self.graph.outputs)
        return Tasks(tuple(self.tasks), self.buffers, self.views, tuple(self._inputs), outputs)
