"""Weight tiles: dense, grouped, transposed and identity weights cut into block x block pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DIGIT_BITS", "dense_weight", "digits", "identity_weight", "split_int8", "tile_weight"]

Array = npt.NDArray[Any]

DIGIT_BITS = 7
"""A digit d of a wide factor satisfies |d| <= 64, so it fits an int8 weight of either sign."""


def dense_weight(weight: Array, group: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Spread a grouped weight over all input channels.

    Parameters
    ----------
    weight
        (out channels, in channels / group, height, width).

    Returns
    -------
    dense, used
        (out channels, in channels, height, width) with zeros between groups, and a bool
        (out channels, in channels) that says which entries belong to a group.
    """
    out_channels, per_group = weight.shape[:2]
    if group == 1:
        return weight, np.ones((out_channels, per_group), bool)
    dense = np.zeros((out_channels, per_group * group, *weight.shape[2:]), weight.dtype)
    used = np.zeros(dense.shape[:2], bool)
    out_per_group = out_channels // group
    for g in range(group):
        rows = slice(g * out_per_group, (g + 1) * out_per_group)
        columns = slice(g * per_group, (g + 1) * per_group)
        dense[rows, columns] = weight[rows]
        used[rows, columns] = True
    return dense, used


def split_int8(weight: Array) -> list[npt.NDArray[np.int8]]:
    """Integer weights as a sum of int8 arrays: one where they fit, more where they are wider."""
    parts = []
    rest = weight.astype(np.int64)
    while True:
        part = np.clip(rest, -128, 127)
        parts.append(part.astype(np.int8))
        rest = rest - part
        if not rest.any():
            return parts


def tile_weight(
    weight: npt.NDArray[np.int8], used: npt.NDArray[np.bool_], block: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Cut a dense weight into tiles.

    Parameters
    ----------
    weight
        (out channels, in channels, taps); channels need not be multiples of `block`.
    used
        (out channels, in channels): entries that may be other than zero.

    Returns
    -------
    tiles, used
        int8 (taps, out blocks, in blocks, block, block), row = output channel, and bool
        (taps, out blocks, in blocks).
    """
    outs, ins, taps = weight.shape
    out_blocks, in_blocks = -(-outs // block), -(-ins // block)
    padded = np.zeros((out_blocks * block, in_blocks * block, taps), np.int8)
    padded[:outs, :ins] = weight
    mask = np.zeros((out_blocks * block, in_blocks * block), bool)
    mask[:outs, :ins] = used
    tiles = padded.reshape(out_blocks, block, in_blocks, block, taps).transpose(4, 0, 2, 1, 3)
    blocks = mask.reshape(out_blocks, block, in_blocks, block).any(axis=(1, 3))
    return np.ascontiguousarray(tiles), np.repeat(blocks[None], taps, axis=0)


def identity_weight(
    channels: int, factor: int, out_channels: int, channel_offset: int = 0
) -> npt.NDArray[np.int8]:
    """The int8 matrix (out channels, channels) that copies channel c, times `factor` (int8), to
    channel c + `channel_offset`.
    """
    weight = np.zeros((out_channels, channels), np.int8)
    weight[np.arange(channels) + channel_offset, np.arange(channels)] = factor
    return weight


def digits(factor: int) -> list[int]:
    """Signed digits of `factor` to base 128, lowest first, each of magnitude at most 64."""
    base = 1 << DIGIT_BITS
    result = []
    while factor:
        digit = (factor + base // 2) % base - base // 2
        result.append(digit)
        factor = (factor - digit) >> DIGIT_BITS
    return result or [0]
