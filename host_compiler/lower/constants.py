"""What a lowered layer keeps in DRAM besides its tensors: packed weights, constant vectors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.lower.lowered import Lowered
from host_compiler.lower.vectors import addend_input, addend_tiles
from host_compiler.lower.work import WeightKey
from vta_pynq.isa.table import MemType

__all__ = ["Constant", "ConstantPlan", "pack_vectors"]


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
    """Read-only data of a layer: `elems` elements of memory type `mem`, as memory holds them."""

    name: str
    mem: MemType
    elems: int
    data: npt.NDArray[Any]


class ConstantPlan:
    """The constants of a layer and where in them things lie, in elements.

    Weights lie in the order in which they are consumed, so that each piece is one transfer.
    """

    def __init__(self, lowered: Lowered) -> None:
        self._lowered = lowered
        self.weight_offset: dict[WeightKey, int] = {}
        at = lowered.places.wgt_base
        for key in lowered.weight_order:
            self.weight_offset[key] = at
            at += lowered.weight_count(key)
        self.weight_elems = at
        name = lowered.prepared.layer.name
        self.weight_name, self.vector_name = f"{name}.wgt", f"{name}.acc"
        self.input_name = f"{name}.inp"

    def sizes(self) -> list[tuple[str, MemType, int]]:
        """Name, memory type and elements of every constant."""
        lowered = self._lowered
        result = []
        if self.weight_elems:
            result.append((self.weight_name, MemType.WGT, self.weight_elems))
        vectors = len(lowered.vectors.in_acc) * lowered.prepared.out_blocks
        if vectors:
            result.append((self.vector_name, MemType.ACC, vectors))
        if lowered.vectors.as_tiles:
            result.append((self.input_name, MemType.INP, 1))
        return result

    def build(self) -> tuple[Constant, ...]:
        """The data."""
        lowered, result = self._lowered, []
        config = lowered.prepared.target.config
        if self.weight_elems:
            tiles = np.zeros((self.weight_elems, config.block, config.block), np.int8)
            shared = [w.shared for w in lowered.prepared.terms if w.shared is not None]
            if shared:
                tiles[: len(shared)] = shared
            at = lowered.places.addend_base
            for vector in lowered.vectors.as_tiles:
                blocks = lowered.prepared.out_blocks
                tiles[at : at + blocks] = addend_tiles(vector, blocks, config.block)
                at += blocks
            for key, at in self.weight_offset.items():
                tiles[at : at + lowered.weight_count(key)] = lowered.weight_tiles(key)
            result.append(Constant(self.weight_name, MemType.WGT, self.weight_elems, tiles))
        vectors = pack_vectors(lowered)
        if vectors is not None:
            result.append(Constant(self.vector_name, MemType.ACC, len(vectors), vectors))
        if lowered.vectors.as_tiles:
            element = addend_input(config.batch, config.block)
            result.append(Constant(self.input_name, MemType.INP, len(element), element))
        return tuple(result)

    def vector_offset(self, first_block: int) -> int:
        """Where the vectors of a tile that begins at an output block lie."""
        lowered = self._lowered
        if lowered.places.vectors_stay:
            return 0
        return first_block * len(lowered.vectors.in_acc)


def pack_vectors(lowered: Lowered) -> npt.NDArray[np.int32] | None:
    """Constant vectors as accumulator elements (elements, batch, block), None where none.

    For each range of output blocks that is in the accumulator at a time: vector after vector,
    block after block.
    """
    prepared = lowered.prepared
    config = prepared.target.config
    blocks, size = prepared.out_blocks, lowered.places.vector_blocks
    if not lowered.vectors.in_acc:
        return None
    table = np.zeros((len(lowered.vectors.in_acc), blocks * config.block), np.int32)
    for number, vector in enumerate(lowered.vectors.in_acc):
        table[number, : len(vector)] = vector
    spread = table.reshape(len(table), blocks, 1, config.block)
    parts = [
        spread[:, begin : begin + size].reshape(-1, 1, config.block)
        for begin in range(0, blocks, size)
    ]
    elements = np.concatenate(parts)
    return np.ascontiguousarray(np.repeat(elements, config.batch, axis=1))
