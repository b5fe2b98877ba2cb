"""How the channels of a tensor lie in memory, seen as four axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from vta_pynq.cpu_ops.registry import Array, Attributes
from vta_pynq.cpu_ops.scales import axis_of
from vta_pynq.errors import ProgramError, ShapeError
from vta_pynq.program.layout import Layout

__all__ = ["Blocking", "Grid", "blocking_of", "channel_grid"]


@dataclasses.dataclass(frozen=True)
class Grid:
    """Dense memory as (outer, groups, inner, lanes); channel = group * lanes + lane."""

    outer: int
    groups: int
    inner: int
    lanes: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The four extents."""
        return self.outer, self.groups, self.inner, self.lanes

    @property
    def channels(self) -> int:
        """How many channels there are, padding included."""
        return self.groups * self.lanes

    def per_channel(self, values: Array, padding: float = 0.0) -> Array:
        """Values of shape () or (n,) for every channel: shape (channels,).

        Raises
        ------
        ShapeError
            A plain axis has another extent, or blocks are missing or left over.
        """
        if values.ndim == 0:
            return np.full(self.channels, values) if self.channels > 1 else values.reshape(1)
        missing = self.channels - values.size
        if not 0 <= missing < self.lanes:
            raise ShapeError(
                f"scales must be {self.channels - self.lanes + 1} to {self.channels} for "
                f"{self.channels} channels, not {values.size}; compile the model again"
            )
        return np.concatenate([values, np.full(missing, padding, values.dtype)])


@dataclasses.dataclass(frozen=True)
class Blocking:
    """A layout whose first axis is split by `batch` and second by `block`."""

    layout: Layout
    batch: int
    block: int


def blocking_of(name: str) -> Blocking | None:
    """The blocking of an activation layout such as `NCHW1n16c`; None for any other layout.

    Raises
    ------
    ProgramError
        The text is no layout.
    """
    layout = Layout.parse(name)
    if len(layout.blocks) == 2 and [axis for axis, _ in layout.blocks] == [0, 1]:
        return Blocking(layout, layout.blocks[0][1], layout.blocks[1][1])
    return None


def channel_grid(shape: Sequence[int], attributes: Attributes, per_channel: bool) -> Grid:
    """The grid of an operand of `shape` under the attributes `layout` and `axis`.

    Raises
    ------
    ProgramError
        The layout is no activation layout.
    ShapeError
        The operand has not the layout's rank or blocks, or no such axis.
    """
    if not per_channel:
        return Grid(1, 1, math.prod(shape), 1)
    if "layout" not in attributes:
        axis = axis_of(int(attributes.get("axis", 1)), len(shape))
        return Grid(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), 1)
    blocking = blocking_of(attributes["layout"])
    if blocking is None:
        raise ProgramError(
            f"layout must block batch and channels as NCHW1n16c does, not {attributes['layout']}; "
            "compile the model again"
        )
    rank = len(blocking.layout.axes) + 2
    if len(shape) != rank or tuple(shape[-2:]) != (blocking.batch, blocking.block):
        raise ShapeError(
            f"operand must be stored as {attributes['layout']}, not {list(shape)}; "
            "compile the model again"
        )
    return Grid(shape[0], shape[1], math.prod(shape[2:-1]), shape[-1])
