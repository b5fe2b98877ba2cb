"""Constant vectors: kept in the accumulator for the ALU, or as weight tiles for a GEMM.

A GEMM adds a vector in one cycle per accumulator, half of what the ALU takes: the input is a
constant element whose lanes hold `_LARGE`, the last one 1; a value is `_LARGE` times the sum of
its row's weights, plus the last weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from host_compiler.lower.prepared import Prepared

__all__ = ["VectorSet", "addend_input", "addend_tiles"]

Ints = npt.NDArray[np.int64]
_LARGE = 127
_IMM_LIMIT = 1 << 15


def addend_limit(block: int) -> int:
    """Largest magnitude of a value that a tile can add."""
    return (block - 1) * _LARGE * _LARGE


def addend_input(batch: int, block: int) -> npt.NDArray[np.int8]:
    """The constant input element (1, batch, block)."""
    element = np.full((1, batch, block), _LARGE, np.int8)
    element[:, :, -1] = 1
    return element


def addend_tiles(vector: Ints, blocks: int, block: int) -> npt.NDArray[np.int8]:
    """Weight tiles (blocks, block, block) that add a vector (C,)."""
    values = np.zeros(blocks * block, np.int64)
    values[: len(vector)] = vector
    quotient = (values + _LARGE // 2) // _LARGE
    rest = values - quotient * _LARGE
    tiles = np.zeros((blocks * block, block), np.int64)
    tiles[:, -1] = rest
    for lane in range(block - 1):
        tiles[:, lane] = np.clip(quotient, -_LARGE, _LARGE)
        quotient = quotient - tiles[:, lane]
    assert not quotient.any(), "addend_limit says which vectors fit"
    return tiles.reshape(blocks, block, block).astype(np.int8)


class VectorSet:
    """Which constant vectors of a layer lie where.

    Attributes
    ----------
    in_acc
        Vectors in the accumulator.
    as_tiles
        Vectors that are weight tiles.
    """

    def __init__(self, prepared: Prepared, gemm: bool) -> None:
        self.in_acc: list[Ints] = []
        self.as_tiles: list[Ints] = []
        self._acc_ids: dict[bytes, int] = {}
        self._tile_ids: dict[bytes, int] = {}
        limit = addend_limit(prepared.target.config.block) if gemm else -1
        for vector in prepared.addend_vectors:
            if not vector.any():
                continue
            if int(np.abs(vector).max()) <= limit:
                _note(vector, self.as_tiles, self._tile_ids)
            elif not fits_immediate(vector):
                _note(vector, self.in_acc, self._acc_ids)
        for vector in prepared.step_vectors:
            _note(vector, self.in_acc, self._acc_ids)

    def by_alu(self, vectors: Sequence[Ints]) -> bool:
        """Whether none of some vectors is a weight tile."""
        return not any(vector.tobytes() in self._tile_ids for vector in vectors)

    def acc_number(self, vector: Ints) -> int:
        """The number of a vector in the accumulator."""
        return self._acc_ids[vector.tobytes()]

    def tile_number(self, vector: Ints) -> int | None:
        """The number of a vector among those that are tiles."""
        return self._tile_ids.get(vector.tobytes())


def fits_immediate(vector: Ints) -> bool:
    """Whether all values are one that an ALU immediate holds."""
    return bool((vector == vector[0]).all()) and abs(int(vector[0])) < _IMM_LIMIT


def _note(vector: Ints, into: list[Ints], ids: dict[bytes, int]) -> None:
    key = vector.tobytes()
    if key not in ids:
        ids[key] = len(into)
        into.append(vector)
