"""The convolutions of ResNet-18 as layers in normal form, with seeded random weights."""

from __future__ import annotations

import dataclasses

import numpy as np

from host_compiler.layer import AddBias, Layer, Requantise, Tap, TensorRef, Term

__all__ = ["RESNET18_CONVS", "ConvShape", "conv_layer"]


@dataclasses.dataclass(frozen=True)
class ConvShape:
    """A square convolution with padding kernel // 2."""

    name: str
    size: int
    channels: int
    outs: int
    kernel: int
    stride: int


RESNET18_CONVS = (
    ConvShape("C2", 56, 64, 64, 3, 1),
    ConvShape("C3", 56, 64, 128, 3, 2),
    ConvShape("C4", 56, 64, 128, 1, 2),
    ConvShape("C5", 28, 128, 128, 3, 1),
    ConvShape("C6", 28, 128, 256, 3, 2),
    ConvShape("C7", 28, 128, 256, 1, 2),
    ConvShape("C8", 14, 256, 256, 3, 1),
    ConvShape("C9", 14, 256, 512, 3, 2),
    ConvShape("C10", 14, 256, 512, 1, 2),
    ConvShape("C11", 7, 512, 512, 3, 1),
)
"""The usual table, without the first convolution."""


def conv_layer(shape: ConvShape, block: int = 16, seed: int = 0) -> Layer:
    """The convolution with bias, rescale by a shift and ReLU."""
    random = np.random.default_rng(seed)
    ins, outs = -(-shape.channels // block), -(-shape.outs // block)
    pad, taps = shape.kernel // 2, shape.kernel**2
    tiles = random.integers(-64, 64, (taps, outs, ins, block, block)).astype(np.int8)
    places = tuple(
        Tap((0, 0), k // shape.kernel - pad, k % shape.kernel - pad, k) for k in range(taps)
    )
    size = (shape.size + 2 * pad - shape.kernel) // shape.stride + 1
    source = TensorRef("x", (1, shape.channels, shape.size, shape.size), 0, ins)
    target = TensorRef("y", (1, shape.outs, size, size), 0, outs)
    term = Term(source, places, tiles, np.ones((taps, outs, ins), bool), 0, (shape.stride,) * 2)
    bias = AddBias(random.integers(-5000, 5000, shape.outs).astype(np.int32))
    rescale = Requantise(np.array(10), 0, 0, 127)
    return Layer(shape.name, (1, shape.outs, size, size), (term, bias, rescale), (target,))
