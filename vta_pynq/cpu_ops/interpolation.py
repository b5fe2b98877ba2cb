"""Where the pixels of a resized axis come from."""

from __future__ import annotations

import dataclasses

import numpy as np

from vta_pynq.cpu_ops.registry import Array

__all__ = ["Interpolation", "nearest", "source_positions"]


def source_positions(old: int, new: int, factor: float, transform: str) -> Array:
    """Real source index of every result index, float32 (ONNX, Resize)."""
    place = np.arange(new, dtype=np.float32)
    scale = np.float32(factor)
    half = np.float32(0.5)
    if transform == "asymmetric":
        return place / scale
    if transform == "align_corners":
        if new == 1:
            return np.zeros(1, np.float32)
        return place * np.float32(old - 1) / np.float32(new - 1)
    if transform == "pytorch_half_pixel" and new == 1:
        return np.zeros(1, np.float32)
    positions = (place + half) / scale - half
    if transform == "half_pixel_symmetric":
        # The result may cover less than the factor says: its centre stays the source's.
        adjustment = np.float32(new) / (scale * np.float32(old))
        centre = np.float32(old) / np.float32(2)
        positions = centre * (np.float32(1) - adjustment) + positions
    return positions


def nearest(positions: Array, old: int, rule: str) -> Array:
    """Index of the nearest source pixel: intp, within the axis."""
    if rule == "floor":
        picked = np.floor(positions)
    elif rule == "ceil":
        picked = np.ceil(positions)
    elif rule == "round_prefer_ceil":
        picked = np.floor(positions + np.float32(0.5))
    else:
        picked = np.ceil(positions - np.float32(0.5))
    return np.clip(picked, 0, old - 1).astype(np.intp)


@dataclasses.dataclass(frozen=True, eq=False)
class Interpolation:
    """An axis as weighted pairs of source pixels: int32 indices, float32 `weights` (2, n)."""

    first: Array
    second: Array
    weights: Array

    @classmethod
    def at(cls, positions: Array, old: int) -> Interpolation:
        """Pairs around real positions; beyond the ends the last pixel counts."""
        inside = np.clip(positions, np.float32(0), np.float32(old - 1)).astype(np.float32)
        first = np.floor(inside).astype(np.int32)
        part = inside - first.astype(np.float32)
        second = np.minimum(first + 1, np.int32(old - 1)).astype(np.int32)
        weights = np.stack([np.float32(1) - part, part]).astype(np.float32)
        return cls(first, second, np.ascontiguousarray(weights))
