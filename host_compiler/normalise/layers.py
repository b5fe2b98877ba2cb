"""Each accelerator node as one layer in normal form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host_compiler.ir import (
    Accumulate,
    AddTerm,
    Concat,
    Conv,
    ConvTranspose,
    FixedPoint,
    Graph,
    MaxPool,
    Node,
    Pad,
    PoolStage,
    Requant,
    ResizeNearest,
    Stage,
    SumPool,
    WeightedSum,
)
from host_compiler.layer import (
    AddBias,
    Layer,
    LayerStep,
    Multiply,
    Pool,
    Requantise,
    ShiftLeft,
    Tap,
    TensorRef,
)
from host_compiler.normalise.rescale import exact_factor, is_shift, requantise_step
from host_compiler.normalise.sums import (
    conv_steps,
    conv_transpose_steps,
    copy_term,
    scaled_steps,
    window_taps,
)

__all__ = ["LAYER_NODES", "NotExact", "make_layer"]

LAYER_NODES = (Accumulate, MaxPool, Concat, ResizeNearest, Pad)
"""The node types that can become layers."""

_INT8_MAGNITUDE = 256
"""Largest |value - zero point| of an int8 tensor, rounded up to a power of two."""


class NotExact(Exception):
    """A node's rescale has no exact integer form here; the message says why.

    Never leaves the compiler: the partitioner turns it into a reason.
    """


def make_layer(
    node: Node,
    graph: Graph,
    refs: Mapping[str, TensorRef],
    outputs: Sequence[TensorRef],
    block: int,
) -> Layer:
    """Bring a node into normal form.

    Parameters
    ----------
    node
        A node of one of `LAYER_NODES`.
    refs
        Where each of the node's inputs lies.
    outputs
        Where the result goes: one tensor, or the byte planes of the accumulators where the node
        has no stages.
    block
        Channels of a block.

    Raises
    ------
    NotExact
        A stage cannot be computed exactly with shifts and int8 weights.
    """
    source = refs[node.inputs[0]]
    if isinstance(node, Accumulate):
        shape = node.sum_shape(graph)
        steps = _sum_steps(node, refs, block)
    else:
        shape = graph.values[node.outputs[0]].shape
        if isinstance(node, MaxPool):
            shape = source.shape
        steps = _move_steps(node, refs, shape, block)
    n, c, h, w = shape
    return Layer(node.name, (n, c, h, w), tuple(steps), tuple(outputs))


def _sum_steps(node: Accumulate, refs: Mapping[str, TensorRef], block: int) -> list[LayerStep]:
    source = refs[node.inputs[0]]
    stages = list(node.stages)
    if isinstance(node, SumPool):
        return _pool_steps(node, source, block, stages)
    lead: list[LayerStep] = []
    if isinstance(node, WeightedSum):
        terms = zip(node.inputs, node.coefficients, node.zero_points, strict=False)
        body = scaled_steps([(refs[name], c, z) for name, c, z in terms], block)
        return [*body, *_stage_steps(stages, refs, block)]
    if stages and isinstance(stages[0], AddTerm):
        # The sum commutes: the residual's large factor is cheapest before the convolution.
        residual = stages.pop(0)
        assert isinstance(residual, AddTerm)
        if residual.shift or residual.acc_zero_point:
            raise NotExact("a residual that scales an unrounded sum")
        lead = scaled_steps(
            [(refs[residual.value], residual.coefficient, residual.zero_point)], block
        )
    if isinstance(node, Conv):
        body = conv_steps(node, source, block)
    elif isinstance(node, ConvTranspose):
        body = conv_transpose_steps(node, source, block)
    else:
        raise NotExact(f"no normal form for {type(node).__name__}")
    return [*lead, *body, *_stage_steps(stages, refs, block)]


def _pool_steps(
    node: SumPool, source: TensorRef, block: int, stages: list[Stage]
) -> list[LayerStep]:
    taps = window_taps(node.kernel, node.pads, node.dilations, one_tile=True)
    factor, offset, tail = 1, 0, stages
    first, rest = (stages[0], stages[1:]) if stages else (None, [])
    if isinstance(first, Requant):
        if node.divisors is not None:
            raise NotExact("windows at the border average fewer elements")
        if first.multiplier.ndim or first.negative_multiplier is not None:
            raise NotExact("a pooling rescale that differs between channels or signs")
        if is_shift(first):
            tail = stages
        else:
            pair = exact_factor(float(first.multiplier), len(taps) * _INT8_MAGNITUDE)
            if pair is None:
                raise NotExact(f"no fixed-point factor equals {float(first.multiplier)!r}")
            factor, shift, offset = pair
            scaled = Requant(
                np.array(2.0**-shift), first.zero_point, first.qmin, first.qmax, "half_up"
            )
            tail = [scaled, *rest]
    body = scaled_steps([(source, factor, node.x_zero_point)], block, taps, node.strides)
    if offset:
        body.append(AddBias(np.full(source.shape[1], offset, np.int32)))
    return [*body, *_stage_steps(tail, {}, block)]


def _stage_steps(
    stages: Sequence[Stage], refs: Mapping[str, TensorRef], block: int
) -> list[LayerStep]:
    steps: list[LayerStep] = []
    for stage in stages:
        if isinstance(stage, PoolStage):
            steps.append(Pool(stage.kernel, stage.strides, stage.pads, stage.dilations))
        elif isinstance(stage, Requant):
            if not is_shift(stage):
                raise NotExact("a scale that is not a power of two")
            steps.append(requantise_step(stage))
        elif isinstance(stage, FixedPoint):
            steps.append(
                Multiply(
                    stage.pre_shifts,
                    stage.factors,
                    stage.post_shifts,
                    stage.zero_point,
                    stage.qmin,
                    stage.qmax,
                )
            )
        else:
            steps += _addend_steps(stage, refs[stage.value], block)
    return steps


def _addend_steps(stage: AddTerm, source: TensorRef, block: int) -> list[LayerStep]:
    """acc = ((acc - zero point) << shift) + coefficient * (z - zero point), in few steps."""
    steps: list[LayerStep] = []
    if stage.acc_zero_point:
        bias = np.full(source.shape[1], -stage.acc_zero_point, np.int32)
        steps.append(AddBias(bias))
    body = scaled_steps([(source, stage.coefficient, stage.zero_point)], block)
    inner = sum(step.bits for step in body if isinstance(step, ShiftLeft))
    if inner > stage.shift:
        raise NotExact("a residual factor much larger than the sum's")
    if stage.shift > inner:
        steps.append(ShiftLeft(stage.shift - inner))
    return [*steps, *body]


def _move_steps(
    node: Node, refs: Mapping[str, TensorRef], shape: Sequence[int], block: int
) -> list[LayerStep]:
    source = refs[node.inputs[0]]
    if isinstance(node, MaxPool):
        pool = Pool(node.kernel, node.strides, node.pads, node.dilations)
        return [copy_term(source, block), pool]
    if isinstance(node, ResizeNearest):
        phases = np.ndindex(*node.factors)
        taps = tuple(Tap((int(y), int(x)), 0, 0, 0) for y, x in phases)
        return [copy_term(source, block, taps=taps, period=node.factors)]
    if isinstance(node, Pad):
        tap = Tap((0, 0), -node.pads[0], -node.pads[1], 0)
        term = copy_term(source, block, zero_point=node.value, taps=(tap,))
        return [term, Requantise(np.array(0), node.value, -128, 127)]
    assert isinstance(node, Concat), type(node).__name__
    if node.axis != 1:
        raise NotExact("concatenation along another axis than channels")
    steps: list[LayerStep] = []
    offset = 0
    for name in node.inputs:
        steps.append(copy_term(refs[name], block, out_channels=shape[1], channel_offset=offset))
        offset += refs[name].shape[1]
    return steps
