"""Reshape, Flatten, Concat, Pad, Resize, Transpose and their kin: integers move unchanged."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from host_compiler.importer.builder import GraphBuilder, refuse
from host_compiler.importer.carriers import Const, PendingConcat, Plain, QuantConst, Quantised
from host_compiler.importer.processor import on_processor
from host_compiler.importer.registry import handles
from host_compiler.importer.source import OnnxNode
from host_compiler.ir import Pad, ResizeNearest

__all__: list[str] = []


@handles("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(graph: GraphBuilder, node: OnnxNode) -> None:
    """The same elements in another shape."""
    found = graph.carrier(node, 0)
    shape = graph.shape(node.outputs[0])
    if isinstance(found, Quantised):
        value = graph.reshape(found.value, shape)
        graph.carriers[node.outputs[0]] = dataclasses.replace(found, value=value)
    elif isinstance(found, Const):
        graph.carriers[node.outputs[0]] = Const(found.array.reshape(shape))
    elif isinstance(found, QuantConst) and found.axis is None:
        integers = found.integers.reshape(shape)
        graph.carriers[node.outputs[0]] = dataclasses.replace(found, integers=integers)
    else:
        value = graph.real_value(node.input(0), found)
        graph.carriers[node.outputs[0]] = Plain(graph.reshape(value, shape))


@handles("Dropout")
def dropout(graph: GraphBuilder, node: OnnxNode) -> None:
    """Nothing at inference, if nobody reads the mask."""
    if len(node.outputs) > 1 and graph.uses(node.outputs[1]):
        raise refuse(node, f"output {node.outputs[1]!r}, the mask, is not supported; remove it")
    if node.input(2) and bool(graph.const(node, 2).any()):
        raise refuse(node, "training mode is not supported; export the model for inference")
    graph.carriers[node.outputs[0]] = graph.carrier(node, 0)


@handles("Identity")
def identity(graph: GraphBuilder, node: OnnxNode) -> None:
    """Nothing at inference."""
    graph.carriers[node.outputs[0]] = graph.carrier(node, 0)


@handles("Concat")
def concat(graph: GraphBuilder, node: OnnxNode) -> None:
    """Join; dequantised parts of different scales wait for the quantisation that follows."""
    found = [graph.carrier(node, i) for i in range(len(node.inputs))]
    out = node.outputs[0]
    axis = int(node.attributes["axis"]) % len(graph.shape(out))
    parts = [part for part in found if isinstance(part, Quantised)]
    if len(parts) != len(found):
        on_processor(graph, node)
        return
    first = parts[0]
    alike = (first.scale, first.zero_point, first.dtype, first.real)
    if all((p.scale, p.zero_point, p.dtype, p.real) == alike for p in parts):
        joined = graph.concat(parts, out, axis, (node.name,))
        graph.carriers[out] = dataclasses.replace(first, value=joined)
    elif all(part.real for part in parts) and graph.uses(out) == 1:
        graph.carriers[out] = PendingConcat(tuple(parts), axis, (node.name,))
    else:
        on_processor(graph, node)


@handles("Pad")
def pad(graph: GraphBuilder, node: OnnxNode) -> None:
    """Constant padding of the image by a value that the quantisation holds exactly."""
    found = graph.carrier(node, 0)
    shape = graph.shape(node.input(0))
    mode = node.attributes.get("mode", b"constant")
    if not isinstance(found, Quantised) or mode != b"constant" or len(shape) != 4:
        on_processor(graph, node)
        return
    pads = _four_pads(graph, node, len(shape))
    value = _pad_value(graph, node, found)
    if pads is None or value is None:
        on_processor(graph, node)
        return
    out = node.outputs[0]
    name = graph.int8_value(out, graph.shape(out), found.scale, found.zero_point)
    graph.append(Pad(name, (found.value,), (name,), pads=pads, value=value, source=(node.name,)))
    graph.carriers[out] = dataclasses.replace(found, value=name)


def _four_pads(graph: GraphBuilder, node: OnnxNode, rank: int) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) where nothing else is padded."""
    given = [int(p) for p in graph.const(node, 1).reshape(-1)]
    axes = list(range(rank))
    if node.input(3):
        axes = [int(a) % rank for a in graph.const(node, 3).reshape(-1)]
    before = dict(zip(axes, given[: len(axes)], strict=True))
    after = dict(zip(axes, given[len(axes) :], strict=True))
    if any(side.get(axis, 0) for side in (before, after) for axis in (0, 1)):
        return None
    return before.get(2, 0), before.get(3, 0), after.get(2, 0), after.get(3, 0)


def _pad_value(graph: GraphBuilder, node: OnnxNode, found: Quantised) -> int | None:
    given = graph.const(node, 2, np.float32(0) if found.real else np.int64(0)).item()
    if not found.real:
        return int(given) - (128 if found.dtype == "uint8" else 0)
    steps = given / found.scale + found.zero_point
    return int(steps) if steps == int(steps) and -128 <= steps <= 127 else None


@handles("Resize", "Upsample")
def resize(graph: GraphBuilder, node: OnnxNode) -> None:
    """Nearest neighbour by whole factors; anything else on the processor."""
    found = graph.carrier(node, 0)
    shape, out = graph.shape(node.input(0)), graph.shape(node.outputs[0])
    if not isinstance(found, Quantised) or not _is_repeat(node, shape, out):
        on_processor(graph, node)
        return
    factors = (out[2] // shape[2], out[3] // shape[3])
    name = graph.int8_value(node.outputs[0], out, found.scale, found.zero_point)
    graph.append(ResizeNearest(name, (found.value,), (name,), factors=factors, source=(node.name,)))
    graph.carriers[node.outputs[0]] = dataclasses.replace(found, value=name)


def _is_repeat(node: OnnxNode, shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether the resize repeats each pixel the same whole number of times."""
    attributes: dict[str, Any] = {
        "mode": b"nearest",
        "coordinate_transformation_mode": b"half_pixel",
        "nearest_mode": b"round_prefer_floor",
        **node.attributes,
    }
    if attributes["mode"] != b"nearest" or len(shape) != 4 or shape[:2] != out[:2]:
        return False
    if node.input(1) or any(out[i] % shape[i] for i in (2, 3)):
        return False
    how = (attributes["coordinate_transformation_mode"], attributes["nearest_mode"])
    # For whole factors both of these pick pixel floor(i / factor).
    return how in {
        (b"asymmetric", b"floor"),
        (b"half_pixel", b"round_prefer_floor"),
        (b"half_pixel", b"round_prefer_ceil"),
        (b"pytorch_half_pixel", b"round_prefer_floor"),
    }


@handles("Split")
def split(graph: GraphBuilder, node: OnnxNode) -> None:
    """Parts along an axis: slices on the processor, of integers where the tensor is quantised."""
    found = graph.carrier(node, 0)
    rank = len(graph.shape(node.input(0)))
    axis = int(node.attributes.get("axis", 0)) % rank
    source = found.value if isinstance(found, Quantised) else graph.real_value(node.input(0), found)
    begin = 0
    for out in node.outputs:
        shape = graph.shape(out)
        part = graph.cpu(
            "slice",
            [source],
            out,
            shape,
            graph.values[source].dtype,
            {},
            (node.name,),
            [np.array([begin]), np.array([begin + shape[axis]]), np.array([axis])],
            graph.values[source].quant,
        )
        begin += shape[axis]
        graph.carriers[out] = (
            dataclasses.replace(found, value=part) if isinstance(found, Quantised) else Plain(part)
        )


@handles("Slice")
def slice_(graph: GraphBuilder, node: OnnxNode) -> None:
    """A part of a tensor, on the processor, without dequantising."""
    found = graph.carrier(node, 0)
    if not isinstance(found, Quantised) or not all(node.inputs):
        on_processor(graph, node)
        return
    out = node.outputs[0]
    bounds = [graph.const(node, index) for index in range(1, len(node.inputs))]
    quant = graph.values[found.value].quant
    value = graph.cpu(
        "slice", [found.value], out, graph.shape(out), "int8", {}, (node.name,), bounds, quant
    )
    graph.carriers[out] = dataclasses.replace(found, value=value)


@handles("Transpose")
def transpose(graph: GraphBuilder, node: OnnxNode) -> None:
    """Permute axes: of weights now, of activations on the processor without dequantising."""
    found = graph.carrier(node, 0)
    if isinstance(found, QuantConst):
        graph.carriers[node.outputs[0]] = _transposed(found, node)
        return
    if not isinstance(found, Quantised):
        on_processor(graph, node)
        return
    out, rank = node.outputs[0], len(graph.shape(node.input(0)))
    perm = [int(axis) for axis in node.attributes.get("perm", range(rank)[::-1])]
    if sorted(perm) != list(range(rank)):
        raise refuse(node, f"perm must permute {rank} axes, not {perm}")
    value = graph.cpu(
        "transpose",
        [found.value],
        out,
        graph.shape(out),
        "int8",
        {"perm": perm},
        (node.name,),
        quant=graph.values[found.value].quant,
    )
    graph.carriers[out] = dataclasses.replace(found, value=value)


def _transposed(found: QuantConst, node: OnnxNode) -> QuantConst:
    perm = [int(axis) for axis in node.attributes.get("perm", range(found.integers.ndim)[::-1])]
    axis = None if found.axis is None else perm.index(found.axis)
    return dataclasses.replace(found, integers=found.integers.transpose(perm), axis=axis)
