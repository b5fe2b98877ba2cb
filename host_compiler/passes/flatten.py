"""A matrix product on a flattened image becomes a convolution with the image as its window."""

from __future__ import annotations

import dataclasses

from host_compiler.ir import Conv, Graph, Node, Reshape

__all__ = ["absorb_flatten"]


def absorb_flatten(graph: Graph) -> Graph:
    """Conv 1x1 on (N, C*H*W, 1, 1), reshaped from (N, C, H, W), reads the image itself.

    The blocked layout does not keep the order of a flattened image, so the Reshape would leave
    the accelerator; permuted weights cost nothing.
    """
    producers = {name: node for node in graph.nodes for name in node.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Conv):
            before = producers.get(node.inputs[0])
            if isinstance(before, Reshape):
                node = _absorbed(graph, node, before)
        nodes.append(node)
    return Graph(graph.name, graph.values.values(), nodes, graph.inputs, graph.outputs)


def _absorbed(graph: Graph, node: Conv, before: Reshape) -> Conv:
    image = graph.values[before.inputs[0]].shape
    flat = graph.values[before.outputs[0]].shape
    product = node.kernel == (1, 1) and node.group == 1 and not any(node.pads)
    if not product or len(image) != 4 or flat[0] != image[0] or flat[2:] != (1, 1):
        return node
    return dataclasses.replace(
        node,
        inputs=(before.inputs[0], *node.inputs[1:]),
        weight=node.weight.reshape(node.weight.shape[0], *image[1:]),
        strides=(1, 1),
        dilations=(1, 1),
    )
