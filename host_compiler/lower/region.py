"""The accumulators of one group of a tile while its steps are carried out."""

from __future__ import annotations

from host_compiler.lower.tiling import Tile

__all__ = ["Region", "block_stride"]


class Region:
    """The accumulators of one group of a tile.

    Attributes
    ----------
    tile, blocks, first_block
        The tile, how many output blocks the group has, and the first of them.
    areas, space, area
        First elements of the slot's two areas; the space and the area that are in use.
    anchors
        Where the tile's layout is sorted for a pool in place: the windows' anchors.
    vectors
        (first, advance): where the group's part of constant vector 0 lies, and how far it is to
        the next vector's.
    """

    def __init__(
        self, tile: Tile, blocks: int, first_block: int, areas: tuple[int, int], space: int,
        area: int, anchors: tuple[int, int] | None, vectors: tuple[int, int],
    ) -> None:  # fmt: skip
        self.tile, self.blocks, self.first_block = tile, blocks, first_block
        self.areas, self.space, self.area = areas, space, area
        self.anchors, self.vectors = anchors, vectors

    @property
    def begin(self) -> int:
        """First accumulator in use."""
        return self.areas[self.area]

    @property
    def aside(self) -> int:
        """First accumulator of the other area."""
        return self.areas[1 - self.area]

    @property
    def pixels(self) -> int:
        """Accumulators of one block."""
        return self.tile.pixels(self.space)

    @property
    def stride(self) -> int:
        """From one block to the next; a pool in place leaves the blocks where they were."""
        return block_stride(self.tile, self.space, self.anchors)


def block_stride(tile: Tile, space: int, anchors: tuple[int, int] | None) -> int:
    """Accumulators from one block of a space to the next."""
    return tile.pixels(0 if anchors is not None and space == 1 else space)
