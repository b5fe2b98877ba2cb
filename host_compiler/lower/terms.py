"""What the lowering needs to know of a term: tiles in use, windows, chunks of input blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Tap, Term
from host_compiler.lower.axes import AxisTaps, Window, axis_taps
from host_compiler.lower.canonical import Stage, used_pairs

__all__ = ["Area", "TermWork", "split_terms", "window_area"]


@dataclasses.dataclass(frozen=True)
class Area:
    """Rows and columns of a source that lie in the input SRAM, dense, block after block."""

    rows: Window
    cols: Window

    @property
    def pixels(self) -> int:
        """Elements of one channel block."""
        return len(self.rows) * len(self.cols)


class TermWork:
    """A term with what follows from it.

    Attributes
    ----------
    term, index, stage
        The term, its number within the layer, the number of its stage.
    pairs
        bool (out blocks, in blocks): which tiles are in use.
    weights
        The weight numbers in use, in the order in which their tiles are packed.
    shared
        Where all tiles in use are alike, such as an identity's: that one (block, block) int8.
    """

    def __init__(self, term: Term, index: int, stage: int, gap: int) -> None:
        self._gap = gap
        self.term, self.index, self.stage = term, index, stage
        self.pairs: npt.NDArray[np.bool_] = used_pairs(term)
        self.weights = sorted({tap.weight for tap in term.taps})
        self.position = {weight: k for k, weight in enumerate(self.weights)}
        self.rows, self.cols = axis_taps(term, 0), axis_taps(term, 1)
        self.in_blocks = self.pairs.shape[1]
        self.dense = bool(self.pairs.all())
        self.shared = self._find_shared()

    @property
    def source_key(self) -> tuple[str, int]:
        """Tells sources apart."""
        return self.term.source.buffer, self.term.source.block_offset

    def _find_shared(self) -> npt.NDArray[np.int8] | None:
        places = np.argwhere(self.pairs).tolist()
        if len(places) * len(self.weights) < 2:
            return None
        first: npt.NDArray[np.int8] = self.term.tiles[self.weights[0], places[0][0], places[0][1]]
        for weight in self.weights:
            for o, i in places:
                tile = self.term.tiles[weight, o, i]
                if not self.term.used[weight, o, i] or not np.array_equal(tile, first):
                    return None
        return first

    def chunks(self, size: int) -> list[tuple[int, int]]:
        """Ranges of input blocks that are worked on together."""
        return [(i, min(i + size, self.in_blocks)) for i in range(0, self.in_blocks, size)]

    def area(
        self, rows: tuple[int, int], cols: tuple[int, int], packed: bool = False
    ) -> Area | None:
        """What the outputs of a tile read, as it is loaded; None where every tap lies outside.

        With `packed` nothing but rows that are read.
        """
        return window_area(self.rows, self.cols, rows, cols, -1 if packed else self._gap)


def window_area(
    row_taps: AxisTaps,
    col_taps: AxisTaps,
    rows: tuple[int, int],
    cols: tuple[int, int],
    gap: int,
) -> Area | None:
    """Rows and columns of the source that a rectangle of outputs needs, as they are loaded.

    Rows that nothing reads are skipped where that saves more than `gap` elements each; negative:
    always, and then rows that are needed nearly whole are not loaded whole.
    """
    down, across = row_taps.window(*rows), col_taps.window(*cols)
    if down is None or across is None:
        return None
    # Columns are loaded without gaps; a row that is needed nearly whole is loaded whole, because
    # whole rows make one long transfer.
    across = Window(across.begin, across.end)
    if (gap >= 0 or down.stride == 1) and 4 * len(across) >= 3 * col_taps.extent:
        across = Window(0, col_taps.extent)
        if (down.stride - 1) * col_taps.extent <= gap:
            down = Window(down.begin, down.end)
    return Area(down, across)


def split_terms(stages: Sequence[Stage], most_tiles: int) -> list[Stage]:
    """The stages with terms cut so that each uses at most `most_tiles` tiles for a pair of blocks.

    Taps that read the same rows stay together.
    """
    return [
        dataclasses.replace(
            stage, terms=tuple(part for term in stage.terms for part in _split(term, most_tiles))
        )
        for stage in stages
    ]


def _split(term: Term, most_tiles: int) -> list[Term]:
    groups: list[list[Tap]] = []
    weights: set[int] = set()
    for tap in sorted(term.taps, key=lambda t: (t.phase, t.dy, t.dx, t.weight)):
        if not groups or len(weights | {tap.weight}) > most_tiles:
            groups.append([])
            weights = set()
        groups[-1].append(tap)
        weights.add(tap.weight)
    if len(groups) == 1:
        return [term]
    return [dataclasses.replace(term, taps=tuple(group)) for group in groups]
