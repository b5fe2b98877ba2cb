"""Turn a placed graph into tasks: layers on blocked tensors, processor operators on plain ones,
and what converts between the two."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from host_compiler.ir import (
    Accumulate,
    AddTerm,
    Concat,
    Conv,
    CpuOp,
    Graph,
    Node,
    PoolStage,
    Reshape,
)
from host_compiler.layer import Layer, TensorRef
from host_compiler.layout import boundary
from host_compiler.layout.fallback import cpu_form
from host_compiler.layout.forms import Forms
from host_compiler.layout.tasks import CpuTask, LayerTask, Role, Tasks
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


class _Builder(Forms):
    """Goes through the nodes in order."""

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
        op = _operator(node, self.graph.values[node.inputs[0]].shape)
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

    def compute(self, form: CpuOp) -> None:
        """Append an operator that was held back."""
        self._append_cpu(form, form)

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


def _operator(node: Node, shape: tuple[int, ...]) -> str:
    """What reports call a layer: the operator, and what is fused to it, as in `Conv.Add`.

    A convolution of an image of one pixel is what a fully connected layer was imported as.
    """
    name = type(node).__name__
    if isinstance(node, Conv) and shape[2:] == (1, 1):
        name = "Gemm"
    stages = node.stages if isinstance(node, Accumulate) else ()
    fused = {AddTerm: "Add", PoolStage: "MaxPool"}
    return ".".join([name, *dict.fromkeys(fused[type(s)] for s in stages if type(s) in fused)])
