"""Matrices and images in the order in which the accelerator's memories hold them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vta_pynq import HwConfig

__all__ = ["pack_filters", "pack_images", "pack_matrix", "pack_weights", "unpack_matrix"]

Array = npt.NDArray[np.generic]


def pack_matrix(config: HwConfig, matrix: Array) -> Array:
    """(rows, columns) to elements: (rows/batch, columns/block, batch, block)."""
    rows, columns = matrix.shape
    blocks = matrix.reshape(
        rows // config.batch, config.batch, columns // config.block, config.block
    )
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3))


def unpack_matrix(config: HwConfig, elements: Array, rows: int, columns: int) -> Array:
    """The inverse of `pack_matrix`; `elements` may have any shape."""
    blocks = elements.reshape(
        rows // config.batch, columns // config.block, config.batch, config.block
    )
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(rows, columns)


def pack_weights(config: HwConfig, weights: Array) -> Array:
    """(outputs, inputs) to tiles: (outputs/block, inputs/block, block, block)."""
    outputs, inputs = weights.shape
    size = config.block
    tiles = weights.reshape(outputs // size, size, inputs // size, size)
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3))


def pack_images(config: HwConfig, images: Array) -> Array:
    """(batch, channels, height, width) to (channels/block, height, width, batch, block)."""
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels // config.block, config.block, height, width)
    return np.ascontiguousarray(blocks.transpose(1, 3, 4, 0, 2))


def pack_filters(config: HwConfig, filters: Array) -> Array:
    """(outputs, inputs, height, width) to tiles (outputs/block, inputs/block, height, width)."""
    outputs, inputs, height, width = filters.shape
    size = config.block
    tiles = filters.reshape(outputs // size, size, inputs // size, size, height, width)
    return np.ascontiguousarray(tiles.transpose(0, 2, 4, 5, 1, 3))
