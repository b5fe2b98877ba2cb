"""Tensor layouts: how a logical shape lies in memory, plain or blocked.

A layout names one capital letter per logical axis, outermost first, then the blocks that were
split off, each with its factor: `NCHW` is dense and row-major; `NCHW1n16c` stores
`[N/1][C/16][H][W][1][16]`. A blocked axis is padded up to a multiple of its factor.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError, ShapeError
from vta_pynq.program.rules import shown

__all__ = ["MAX_RANK", "Layout", "activation_layout", "plain_layout", "weight_layout"]

MAX_RANK = 8
_MAX_FACTOR_DIGITS = 6
_FORM = re.compile(
    rf"(?P<axes>[A-Z]{{0,{MAX_RANK}}})(?P<blocks>(?:[1-9]\d{{0,{_MAX_FACTOR_DIGITS - 1}}}[a-z])*)"
)
_BLOCK = re.compile(r"(\d+)([a-z])")
_PLAIN = ("", "C", "NC", "NCW", "NCHW", "NCDHW", "ABCDEF", "ABCDEFG", "ABCDEFGH")


@dataclass(frozen=True)
class Layout:
    """A parsed layout: `axes` in logical order, `blocks` as (axis number, factor), in order."""

    axes: str
    blocks: tuple[tuple[int, int], ...]

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def parse(cls, name: str) -> Layout:
        """Read a layout such as `NCHW` or `NCHW1n16c`.

        Raises
        ------
        ProgramError
            The text has another form, an axis comes twice, or a block has no axis.
        """
        match = _FORM.fullmatch(name) if isinstance(name, str) else None
        if match is None:
            raise ProgramError(
                f"layout must be capital letters, then blocks such as 16c, not {shown(name)}"
            )
        axes = match["axes"]
        blocks = [(letter.upper(), int(n)) for n, letter in _BLOCK.findall(match["blocks"])]
        letters = [letter for letter, _ in blocks]
        if len(set(axes)) != len(axes) or len(set(letters)) != len(letters):
            raise ProgramError(f"layout must name an axis once, not {shown(name)}")
        if not set(letters) <= set(axes):
            raise ProgramError(f"layout must split axes that it has, not {shown(name)}")
        return cls(axes, tuple((axes.index(letter), factor) for letter, factor in blocks))

    @property
    def name(self) -> str:
        """The text that `parse` reads."""
        return self.axes + "".join(f"{n}{self.axes[axis].lower()}" for axis, n in self.blocks)

    @property
    def is_plain(self) -> bool:
        """Whether memory holds the logical shape dense and row-major."""
        return not self.blocks

    def stored_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape in memory of a logical shape: outer dimensions, then the blocks.

        Raises
        ------
        ShapeError
            `shape` has another rank than the layout.
        """
        if len(shape) != len(self.axes):
            raise ShapeError(
                f"layout {self.name}: shape must have {len(self.axes)} dimensions, not {len(shape)}"
            )
        outer = list(shape)
        for axis, factor in self.blocks:
            outer[axis] = -(-outer[axis] // factor)
        return (*outer, *(factor for _, factor in self.blocks))

    def stored_elems(self, shape: Sequence[int]) -> int:
        """Elements in memory of a logical shape, padding included."""
        return math.prod(self.stored_shape(shape))

    def _order(self) -> list[int]:
        # Transposition from [outer, inner] pairs of each logical axis to the stored order.
        inner = {axis: 2 * axis + 1 for axis, _ in self.blocks}
        free = [2 * axis + 1 for axis in range(len(self.axes)) if axis not in inner]
        # Axes without a block have an inner dimension of 1; where it goes does not matter.
        outer = [2 * axis for axis in range(len(self.axes))]
        return [*outer, *free, *(inner[axis] for axis, _ in self.blocks)]

    def _pairs(self, shape: Sequence[int]) -> list[tuple[int, int]]:
        factors = dict(self.blocks)
        stored = self.stored_shape(shape)
        return [(stored[axis], factors.get(axis, 1)) for axis in range(len(shape))]

    def pack(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Arrange a logical array as memory holds it; padding is zero.

        Returns a C-contiguous array of `stored_shape(array.shape)`.
        """
        pairs = self._pairs(array.shape)
        padding = [
            (0, outer * inner - n) for (outer, inner), n in zip(pairs, array.shape, strict=True)
        ]
        padded = np.pad(array, padding) if any(after for _, after in padding) else array
        split = padded.reshape([n for pair in pairs for n in pair]).transpose(self._order())
        return np.ascontiguousarray(split).reshape(self.stored_shape(array.shape))

    def unpack(
        self, stored: npt.NDArray[np.generic], shape: Sequence[int]
    ) -> npt.NDArray[np.generic]:
        """The logical array of `shape` out of what memory holds; padding is dropped.

        `stored` has `stored_elems(shape)` elements in any shape. The result is a view where
        that is possible.
        """
        pairs = self._pairs(shape)
        order = self._order()
        dims = [n for pair in pairs for n in pair]
        split = stored.reshape([dims[axis] for axis in order]).transpose(np.argsort(order))
        whole = split.reshape([outer * inner for outer, inner in pairs])
        return whole[tuple(slice(n) for n in shape)]


def plain_layout(rank: int) -> str:
    """The usual letters of a dense, row-major tensor of `rank` dimensions."""
    return _PLAIN[rank]


def activation_layout(batch: int, block: int) -> str:
    """The accelerator's layout of an activation of shape (N, C, H, W)."""
    return f"NCHW{batch}n{block}c"


def weight_layout(block: int) -> str:
    """The accelerator's layout of a weight of shape (out, in, H, W): row = output channel."""
    return f"OIHW{block}o{block}i"
