"""Where labels go so that none covers another or a point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

__all__ = ["Box", "place_labels"]

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""

_DIRECTIONS = 16
_RINGS = 14


def place_labels(
    anchors: Sequence[Point],
    sizes: Sequence[Point],
    obstacles: Sequence[Box],
    bounds: Box,
    gap: float,
) -> list[Point]:
    """The centre of each label, near its anchor and clear of all others where there is room.

    Parameters
    ----------
    anchors
        What the labels belong to.
    sizes
        Width and height of each label.
    obstacles
        What they must not cover.
    bounds
        Where they must lie.
    gap
        Distance between an anchor and the nearest place for its label, and the step outwards.
    """
    taken = list(obstacles)
    centres: list[Point] = []
    for anchor, size in zip(anchors, sizes, strict=True):
        places = list(_places(anchor, size, gap))
        free = (p for p in places if _is_free(_box(p, size), taken, bounds))
        centre = next(free, places[0])
        centres.append(centre)
        taken.append(_box(centre, size))
    return centres


def _places(anchor: Point, size: Point, gap: float) -> Iterator[Point]:
    """From near to far; above first, then to both sides, below last."""
    for ring in range(1, _RINGS + 1):
        for k in range(_DIRECTIONS):
            turn = (k + 1) // 2 * (1 if k % 2 else -1) * 2 * math.pi / _DIRECTIONS
            across = math.sin(turn) * (size[0] / 2 + gap * ring)
            up = math.cos(turn) * (size[1] / 2 + gap * ring)
            yield anchor[0] + across, anchor[1] + up


def _box(centre: Point, size: Point) -> Box:
    (x, y), (width, height) = centre, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _is_free(box: Box, taken: Sequence[Box], bounds: Box) -> bool:
    inside = (
        bounds[0] <= box[0] and bounds[1] <= box[1] and box[2] <= bounds[2] and box[3] <= bounds[3]
    )
    return inside and not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in taken
    )
