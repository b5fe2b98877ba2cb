"""Rescales that the accelerator cannot do exactly move to the processor, or to a multiplier."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from host_compiler.ir import (
    Accumulate,
    AddTerm,
    CpuOp,
    FixedPoint,
    Graph,
    MaxPool,
    Node,
    PoolStage,
    Requant,
    Stage,
    SumPool,
    Value,
    WeightedSum,
)
from host_compiler.ir.nodes import window_shape
from host_compiler.normalise.rescale import exact_factor, is_shift
from host_compiler.passes.fixed_point import fixed_point_of

__all__ = ["legalise_requants"]

_INT8_MAGNITUDE = 256


def legalise_requants(graph: Graph, *, multiplies: bool) -> Graph:
    """Make every remaining Requant one that shifts (or provably exact factors) compute.

    With `multiplies`, others become FixedPoint where that is exact within 1. What is left is
    cut: the node yields its accumulators, and `requantize` on the processor rescales them
    exactly as ONNX does.
    """
    work = _Work(graph, multiplies)
    for node in graph.nodes:
        if isinstance(node, Accumulate):
            work.legalise(node)
        else:
            work.nodes.append(node)
    return Graph(graph.name, work.values.values(), work.nodes, graph.inputs, graph.outputs)


class _Work:
    def __init__(self, graph: Graph, multiplies: bool) -> None:
        self.graph = graph
        self.multiplies = multiplies
        self.values = dict(graph.values)
        self.nodes: list[Node] = []

    def legalise(self, node: Accumulate) -> None:
        """Append the node, or what takes its place."""
        for index, stage in enumerate(node.stages):
            if not isinstance(stage, Requant) or _is_exact(node, index, stage):
                continue
            fixed = None
            if self.multiplies and not _divides(node, index):
                shape = node.sum_shape(self._view())
                fixed = fixed_point_of(node, index, shape[1])
            if fixed is None:
                self._cut(node, index, stage)
                return
            node = _with_stage(node, index, fixed)
        self.nodes.append(node)

    def _view(self) -> Graph:
        return Graph(self.graph.name, self.values.values(), (), (), ())

    def _new(self, base: str, shape: tuple[int, ...], dtype: str) -> str:
        name, number = base, 1
        while name in self.values:
            number += 1
            name = f"{base}.{number}"
        self.values[name] = Value(name, shape, dtype)
        return name

    def _cut(self, node: Accumulate, index: int, stage: Requant) -> None:
        """Accumulators out, rescale on the processor, then what the stages behind it say."""
        before, behind = node.stages[:index], node.stages[index + 1 :]
        out = node.outputs[0]
        addends = [s.value for s in node.stages if isinstance(s, AddTerm)]
        early = [s.value for s in before if isinstance(s, AddTerm)]
        operands = node.inputs[: len(node.inputs) - len(addends)]
        raw_node = dataclasses.replace(node, stages=before, inputs=(*operands, *early))
        divisors = None
        if isinstance(node, SumPool) and isinstance(raw_node, SumPool) and index == 0:
            divisors, raw_node = node.divisors, dataclasses.replace(raw_node, divisors=None)
        shape = _final_shape(raw_node, self._view())
        raw = self._new(f"{out}.sums", shape, "int32")
        self.nodes.append(dataclasses.replace(raw_node, name=raw, outputs=(raw,)))
        rescaled = self._new(f"{out}.rescaled", shape, "int8") if behind else out
        if divisors is None:
            self.nodes.append(_requantize(raw, rescaled, stage, node.source))
        else:
            self._average(raw, rescaled, stage, divisors, node.source)
        if behind:
            self._continue(rescaled, behind, out, shape, node.source)

    def _average(
        self,
        raw: str,
        out: str,
        stage: Requant,
        divisors: np.ndarray[Any, Any],
        source: tuple[str, ...],
    ) -> None:
        """Sums divided by how many elements each window holds, as a float average pool does."""
        shape = self.values[raw].shape
        real = self._new(f"{out}.real", shape, "float32")
        mean = self._new(f"{out}.mean", shape, "float32")
        scale = {"scale": float(stage.multiplier), "zero_point": 0}
        quant = {"scale": 1.0, "zero_point": stage.zero_point, "dtype": "int8"}
        table = divisors.astype(np.float32)
        chain: list[tuple[str, str, str, dict[str, Any], tuple[np.ndarray[Any, Any], ...]]] = [
            ("dequantize", raw, real, scale, ()),
            ("div", real, mean, {}, (table,)),
        ]
        clipped = (stage.qmin, stage.qmax) != (-128, 127)
        if clipped:
            low, high = (float(q - stage.zero_point) for q in (stage.qmin, stage.qmax))
            held = self._new(f"{out}.clipped", shape, "float32")
            chain.append(("clip", mean, held, {"min": low, "max": high}, ()))
            mean = held
        chain.append(("quantize", mean, out, quant, ()))
        for op, before, after, attributes, constants in chain:
            self.nodes.append(
                CpuOp(
                    f"{op}:{after}",
                    (before,),
                    (after,),
                    op=op,
                    attributes=attributes,
                    constants=constants,
                    source=source,
                )
            )

    def _continue(
        self,
        value: str,
        stages: tuple[Stage, ...],
        out: str,
        shape: tuple[int, ...],
        source: tuple[str, ...],
    ) -> None:
        """Stages behind a rescale on the processor, as nodes of their own."""
        first, *rest = stages
        if isinstance(first, PoolStage):
            pool = MaxPool(
                out,
                (value,),
                (out,),
                kernel=first.kernel,
                strides=first.strides,
                pads=first.pads,
                dilations=first.dilations,
                source=source,
            )
            if rest:
                pooled = self._new(f"{out}.pooled", (), "int8")
                shape = shape[:2] + window_shape(shape, first)
                self.values[pooled] = Value(pooled, shape, "int8")
                self.nodes.append(dataclasses.replace(pool, name=pooled, outputs=(pooled,)))
                self._continue(pooled, tuple(rest), out, shape, source)
            else:
                self.nodes.append(pool)
            return
        addends = [s.value for s in rest if isinstance(s, AddTerm)]
        if isinstance(first, AddTerm):
            inputs: tuple[str, ...] = (value, first.value)
            coefficients: tuple[int, ...] = (1 << first.shift, first.coefficient)
            zero_points: tuple[int, ...] = (first.acc_zero_point, first.zero_point)
            left: tuple[Stage, ...] = tuple(rest)
        else:
            inputs, coefficients, zero_points, left = (value,), (1,), (0,), stages
        self.legalise(
            WeightedSum(
                out,
                (*inputs, *addends),
                (out,),
                coefficients=coefficients,
                zero_points=zero_points,
                stages=left,
                source=source,
            )
        )


def _final_shape(node: Accumulate, graph: Graph) -> tuple[int, ...]:
    shape = node.sum_shape(graph)
    for stage in node.stages:
        if isinstance(stage, PoolStage):
            shape = shape[:2] + window_shape(shape, stage)
    return shape


def _with_stage(node: Accumulate, index: int, stage: FixedPoint) -> Accumulate:
    stages = (*node.stages[:index], stage, *node.stages[index + 1 :])
    return dataclasses.replace(node, stages=stages)


def _divides(node: Accumulate, index: int) -> bool:
    return isinstance(node, SumPool) and node.divisors is not None and index == 0


def _is_exact(node: Accumulate, index: int, stage: Requant) -> bool:
    """Whether the normal form computes the stage exactly (`host_compiler.normalise`)."""
    if _divides(node, index):
        return False
    if is_shift(stage):
        return True
    if not isinstance(node, SumPool) or index or stage.negative_multiplier is not None:
        return False
    if stage.multiplier.ndim:
        return False
    bound = node.kernel[0] * node.kernel[1] * _INT8_MAGNITUDE
    return exact_factor(float(stage.multiplier), bound) is not None


def _requantize(raw: str, out: str, stage: Requant, source: tuple[str, ...]) -> CpuOp:
    def plain(multiplier: np.ndarray[Any, Any]) -> float | list[float]:
        return multiplier.tolist() if multiplier.ndim else float(multiplier)

    attributes: dict[str, Any] = {
        "scale": plain(stage.multiplier),
        "zero_point": stage.zero_point,
        "qmin": stage.qmin,
        "qmax": stage.qmax,
        "dtype": "int8",
    }
    if stage.multiplier.ndim:
        attributes["axis"] = 1
    if stage.negative_multiplier is not None:
        attributes["negative_scale"] = plain(stage.negative_multiplier)
    return CpuOp(
        f"requantize:{out}", (raw,), (out,), op="requantize", attributes=attributes, source=source
    )
