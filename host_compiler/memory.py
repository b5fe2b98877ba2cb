"""Memory planning: offsets in an arena for pieces that live for some time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

__all__ = ["ALIGNMENT_BYTES", "Piece", "place_pieces"]

ALIGNMENT_BYTES = 64
"""Pieces begin at multiples of this: whole bursts, and whole cache lines of every board's CPU."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """`bytes` that live from time `first` to `last` (inclusive); `alignment` of the offset."""

    name: str
    bytes: int
    first: int
    last: int
    alignment: int = ALIGNMENT_BYTES


def place_pieces(pieces: Iterable[Piece]) -> tuple[dict[str, int], int]:
    """Offsets by name so that pieces that live at the same time do not overlap, and the total.

    Largest first, each at the lowest offset that is free during its life: deterministic, and
    optimal where one point of time needs all the memory.
    """
    placed: list[tuple[int, int, Piece]] = []
    offsets: dict[str, int] = {}
    total = 0
    for piece in sorted(pieces, key=lambda p: (-p.bytes, p.first, p.name)):
        at = 0
        for begin, end, other in sorted(placed, key=lambda entry: entry[:2]):
            if other.last < piece.first or piece.last < other.first:
                continue
            if at + piece.bytes <= begin:
                break
            at = max(at, -(-end // piece.alignment) * piece.alignment)
        placed.append((at, at + piece.bytes, piece))
        offsets[piece.name] = at
        total = max(total, at + piece.bytes)
    return offsets, total
