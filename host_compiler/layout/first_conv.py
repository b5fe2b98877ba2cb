"""Convolutions with few input channels: several kernel positions in the lanes of one block.

A block of 16 lanes that holds 3 channels wastes 13 multipliers. The processor, which packs the
image anyway, can put more kernel rows and columns of the window into the lanes; the convolution
then has fewer positions of more channels. For a window of (height, width) packed positions, the
packed tensor holds at (q, r) the source pixels (q * stride + dy * dilation - pad, ...) for all
dy, dx of the window; what lies outside counts as the zero point.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from host_compiler.ir import Conv, CpuOp, Graph, Node, Value
from host_compiler.layout.boundary import PACK_FIRST
from host_compiler.placement.costs import packing_cycles
from vta_pynq.config import HwConfig

__all__ = ["Packing", "choose_packing", "pack_first_convolutions"]


@dataclasses.dataclass(frozen=True)
class Packing:
    """`window` kernel positions (height, width) lie in the lanes; the packed tensor is read at
    `taps` positions (height, width)."""

    window: tuple[int, int]
    taps: tuple[int, int]


def _axis_options(kernel: int, stride: int, dilation: int) -> Iterator[tuple[int, int]]:
    """(positions in the window, positions of the window): windows are whole strides apart."""
    yield kernel, 1
    for window in range(1, kernel):
        if window * dilation % stride == 0:
            yield window, -(-kernel // window)


def choose_packing(node: Conv, graph: Graph, config: HwConfig) -> Packing | None:
    """The packing with the least modelled cost; None where plain channels are as good.

    The accelerator's part is one cycle for every product of a pixel with a tile, the processor's
    part is writing the packed tensor.
    """
    n, channels, height, width = graph.values[node.inputs[0]].shape
    _, outs, out_height, out_width = node.sum_shape(graph)
    images, out_blocks = -(-n // config.batch), -(-outs // config.block)

    def cost(packing: Packing | None) -> int:
        if packing is None:
            lanes, taps, pixels = channels, node.kernel[0] * node.kernel[1], height * width
        else:
            lanes = channels * packing.window[0] * packing.window[1]
            taps = packing.taps[0] * packing.taps[1]
            pixels = _packed_size(node, packing, 0, out_height) * _packed_size(
                node, packing, 1, out_width
            )
        blocks = -(-lanes // config.block)
        products = images * out_height * out_width * blocks * out_blocks * taps
        stored = images * blocks * pixels * config.inp_bytes
        return products + packing_cycles(n * lanes * pixels, stored)

    axes = [
        list(_axis_options(node.kernel[i], node.strides[i], node.dilations[i])) for i in range(2)
    ]
    best, least = None, cost(None)
    for (wy, ty), (wx, tx) in itertools.product(*axes):
        packing = Packing((wy, wx), (ty, tx))
        if cost(packing) < least:
            best, least = packing, cost(packing)
    return best


def _step(node: Conv, packing: Packing, axis: int) -> int:
    """Packed positions from one tap to the next."""
    return packing.window[axis] * node.dilations[axis] // node.strides[axis]


def _packed_size(node: Conv, packing: Packing, axis: int, outputs: int) -> int:
    if packing.taps[axis] == 1:
        return outputs
    return outputs + (packing.taps[axis] - 1) * _step(node, packing, axis)


def pack_first_convolutions(graph: Graph, config: HwConfig) -> Graph:
    """Repack every convolution whose input the processor writes and nothing else reads.

    The result computes the same. The new operator `pack_first` yields a logical int8 tensor
    whose channels are (window row, window column, channel); it is written in blocks.
    """
    producer = {name: node for node in graph.nodes for name in node.outputs}
    nodes: list[Node] = []
    values = dict(graph.values)
    for node in graph.nodes:
        packing = None
        if isinstance(node, Conv) and _eligible(node, graph, producer.get(node.inputs[0])):
            packing = choose_packing(node, graph, config)
        if packing is None:
            nodes.append(node)
            continue
        assert isinstance(node, Conv)
        source, result = graph.values[node.inputs[0]], f"{node.inputs[0]}.packed"
        shape = _packed_shape(node, packing, graph)
        values[result] = Value(result, shape, "int8", source.quant)
        nodes.append(_pack_node(node, packing, result, shape, config))
        nodes.append(_packed_conv(node, packing, result))
    return Graph(graph.name, values.values(), nodes, graph.inputs, graph.outputs)


def _eligible(node: Conv, graph: Graph, producer: Node | None) -> bool:
    name = node.inputs[0]
    readers = [n for n in graph.nodes if name in n.inputs]
    written_by_cpu = producer is None or isinstance(producer, CpuOp)
    return node.group == 1 and written_by_cpu and len(readers) == 1 and name not in graph.outputs


def _packed_shape(node: Conv, packing: Packing, graph: Graph) -> tuple[int, int, int, int]:
    n, channels = graph.values[node.inputs[0]].shape[:2]
    outputs = node.sum_shape(graph)[2:]
    height, width = (_packed_size(node, packing, i, outputs[i]) for i in range(2))
    return n, channels * packing.window[0] * packing.window[1], height, width


def _pack_node(
    node: Conv, packing: Packing, result: str, shape: tuple[int, ...], config: HwConfig
) -> CpuOp:
    channels = node.weight.shape[1]
    lanes = [
        (c, y * node.dilations[0] - node.pads[0], x * node.dilations[1] - node.pads[1])
        for y in range(packing.window[0])
        for x in range(packing.window[1])
        for c in range(channels)
    ]
    lanes += [(-1, 0, 0)] * (-len(lanes) % config.block)
    attributes = {
        "channels": [lane[0] for lane in lanes],
        "dy": [lane[1] for lane in lanes],
        "dx": [lane[2] for lane in lanes],
        "strides": list(node.strides),
        "extent": list(shape[2:]),
        "batch": config.batch,
        "block": config.block,
        "fill": node.x_zero_point,
    }
    return CpuOp(
        result, (node.inputs[0],), (result,), op=PACK_FIRST, attributes=attributes,
        source=node.source,
    )  # fmt: skip


def _packed_conv(node: Conv, packing: Packing, source: str) -> Conv:
    """The convolution on the packed tensor: weights of window positions become channels."""
    outs, channels, height, width = node.weight.shape
    (wy, wx), (ty, tx) = packing.window, packing.taps
    padded = np.zeros((outs, channels, ty * wy, tx * wx), node.weight.dtype)
    padded[:, :, :height, :width] = node.weight
    split = padded.reshape(outs, channels, ty, wy, tx, wx)
    weight = split.transpose(0, 3, 5, 1, 2, 4).reshape(outs, wy * wx * channels, ty, tx)
    dilations = tuple(max(1, _step(node, packing, i)) for i in range(2))
    return dataclasses.replace(
        node,
        inputs=(source, *node.inputs[1:]),
        weight=np.ascontiguousarray(weight),
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        dilations=(dilations[0], dilations[1]),
    )
