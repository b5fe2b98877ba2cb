"""The sum of each operator as terms and left shifts of the normal form."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import Conv, ConvTranspose
from host_compiler.layer import AddBias, LayerStep, ShiftLeft, Tap, TensorRef, Term
from host_compiler.normalise.tiles import (
    DIGIT_BITS,
    dense_weight,
    digits,
    identity_weight,
    split_int8,
    tile_weight,
)

__all__ = [
    "ScaledInput",
    "conv_steps",
    "conv_transpose_steps",
    "copy_term",
    "scaled_steps",
    "window_taps",
]

Array = npt.NDArray[Any]


def window_taps(
    kernel: tuple[int, int], pads: Sequence[int], dilations: tuple[int, int], *, one_tile: bool
) -> tuple[Tap, ...]:
    """The taps of a sliding window, row by row; each with its own tile, or all with tile 0."""
    positions = itertools.product(range(kernel[0]), range(kernel[1]))
    return tuple(
        Tap((0, 0), ky * dilations[0] - pads[0], kx * dilations[1] - pads[1], 0 if one_tile else i)
        for i, (ky, kx) in enumerate(positions)
    )


def conv_steps(node: Conv, source: TensorRef, block: int) -> list[LayerStep]:
    """Bias and terms of a convolution: one term, or two where the weights need 9 bits."""
    taps = window_taps(node.kernel, node.pads, node.dilations, one_tile=False)
    steps: list[LayerStep] = []
    for weight in split_int8(node.weight):
        dense, used = dense_weight(weight, node.group)
        tiles, mask = tile_weight(dense.reshape(*dense.shape[:2], -1), used, block)
        steps.append(Term(source, taps, tiles, mask, node.x_zero_point, node.strides))
    return [*steps, *_bias(node.bias)]


def conv_transpose_steps(node: ConvTranspose, source: TensorRef, block: int) -> list[LayerStep]:
    """Bias and terms of a transposed convolution, one phase for each output pixel of a stride.

    Output row y takes input row i through kernel row k where y = i * stride + k * dilation -
    pad; with y = stride * q + phase that is input row q + (phase + pad - k * dilation) / stride
    for every k that makes it whole.
    """
    taps = []
    kernel = node.weight.shape[2:]
    for phase in itertools.product(range(node.strides[0]), range(node.strides[1])):
        for index, k in enumerate(itertools.product(range(kernel[0]), range(kernel[1]))):
            offsets = [
                divmod(phase[i] + node.pads[i] - k[i] * node.dilations[i], node.strides[i])
                for i in range(2)
            ]
            if offsets[0][1] == 0 and offsets[1][1] == 0:
                taps.append(Tap((phase[0], phase[1]), offsets[0][0], offsets[1][0], index))
    steps: list[LayerStep] = []
    for weight in split_int8(_by_out_channel(node)):
        dense, used = dense_weight(weight, node.group)
        tiles, mask = tile_weight(dense.reshape(*dense.shape[:2], -1), used, block)
        steps.append(
            Term(source, tuple(taps), tiles, mask, node.x_zero_point, (1, 1), node.strides)
        )
    return [*steps, *_bias(node.bias)]


def _by_out_channel(node: ConvTranspose) -> Array:
    """Weight (in, out / group, h, w) as a grouped convolution's (out, in / group, h, w)."""
    ins, out_per_group, height, width = node.weight.shape
    grouped = node.weight.reshape(node.group, ins // node.group, out_per_group, height, width)
    return grouped.swapaxes(1, 2).reshape(-1, ins // node.group, height, width)


def _bias(bias: npt.NDArray[np.int32] | None) -> Iterable[AddBias]:
    return () if bias is None or not bias.any() else (AddBias(bias),)


def copy_term(
    source: TensorRef,
    block: int,
    *,
    factor: int = 1,
    zero_point: int = 0,
    out_channels: int | None = None,
    channel_offset: int = 0,
    taps: tuple[Tap, ...] | None = None,
    step: tuple[int, int] = (1, 1),
    period: tuple[int, int] = (1, 1),
) -> Term:
    """A term that adds `factor` (int8) times the source, moved by `channel_offset` channels."""
    channels = source.shape[1]
    outs = channels + channel_offset if out_channels is None else out_channels
    weight = identity_weight(channels, factor, outs, channel_offset)
    tiles, used = tile_weight(weight[:, :, None], weight != 0, block)
    taps = (Tap((0, 0), 0, 0, 0),) if taps is None else taps
    return Term(source, taps, tiles, used, zero_point, step, period)


ScaledInput = tuple[TensorRef, int, int]
"""A source, its integer factor and its zero point."""


def scaled_steps(
    inputs: Sequence[ScaledInput],
    block: int,
    taps: tuple[Tap, ...] | None = None,
    step: tuple[int, int] = (1, 1),
) -> list[LayerStep]:
    """Σ factor * (source - zero point) for factors of any size, by Horner's rule.

    The factors' signed digits to base 128 are weights; between digits the sum moves left. What
    is already in the accumulators must be zero.
    """
    columns = [digits(factor) for _, factor, _ in inputs]
    steps: list[LayerStep] = []
    for position in reversed(range(max(map(len, columns)))):
        for (source, _, zero_point), column in zip(inputs, columns, strict=True):
            if position < len(column) and column[position]:
                steps.append(
                    copy_term(
                        source,
                        block,
                        factor=column[position],
                        zero_point=zero_point,
                        taps=taps,
                        step=step,
                    )
                )
        if position and steps:
            steps.append(ShiftLeft(DIGIT_BITS))
    return steps
