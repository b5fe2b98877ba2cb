"""Where the windows of a convolution or pooling lie, by ONNX's attributes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Array, Attribute, Attributes
from vta_pynq.errors import ProgramError, ShapeError

__all__ = ["WINDOW_ATTRIBUTES", "Window", "window_of"]

_AUTO = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
_MAX_EXTENT = 1 << 24
WINDOW_ATTRIBUTES = {
    "kernel_shape": Attribute("ints", "rows and columns of the window", least=1),
    "strides": Attribute("ints", "steps of the window; default 1", least=1),
    "pads": Attribute("ints", "top, left, bottom, right; default 0", least=0),
    "dilations": Attribute("ints", "distance of the window's elements; default 1", least=1),
    "auto_pad": Attribute("str", "how pads follow from the extents", choices=_AUTO),
}
"""Attributes of every operator with windows."""


@dataclasses.dataclass(frozen=True)
class Window:
    """A window on a plane: result extent and geometry in rows and columns."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    extent: tuple[int, int]

    def views(self, x: Array, fill: Any) -> Array:
        """All windows of x (N, C, H, W): a view (N, C, OH, OW, KH, KW), `fill` outside."""
        top, left = self.pads[:2]
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        needs = [(n - 1) * s + r for n, s, r in zip(self.extent, self.strides, spans, strict=True)]
        after = [max(0, need - x.shape[2 + i] - (top, left)[i]) for i, need in enumerate(needs)]
        widths = ((0, 0), (0, 0), (top, after[0]), (left, after[1]))
        padded = np.pad(x, widths, constant_values=fill)
        if not all(self.extent) or not x.size:
            return np.empty((*x.shape[:2], *self.extent, *self.kernel), x.dtype)
        views = np.lib.stride_tricks.sliding_window_view(padded, (1, 1, *spans))[..., 0, 0, :, :]
        picked = views[:, :, :: self.strides[0], :: self.strides[1]]
        picked = picked[:, :, : self.extent[0], : self.extent[1]]
        result: Array = picked[..., :: self.dilations[0], :: self.dilations[1]]
        return result

    def counts(self, height: int, width: int, include_pads: bool) -> Array:
        """How many elements an average divides by: int64 (OH, OW)."""
        top, left, bottom, right = self.pads if include_pads else (0, 0, 0, 0)
        per_axis = []
        for axis, (low, high) in enumerate(((-top, height + bottom), (-left, width + right))):
            first = np.arange(self.extent[axis]) * self.strides[axis] - self.pads[axis]
            places = first[:, None] + np.arange(self.kernel[axis]) * self.dilations[axis]
            per_axis.append(((places >= low) & (places < high)).sum(1))
        return np.asarray(per_axis[0][:, None] * per_axis[1][None, :])


def _two(attributes: Attributes, name: str, default: tuple[int, int]) -> tuple[int, int]:
    values = tuple(int(n) for n in attributes.get(name, default))
    if len(values) != 2 or max(values) > _MAX_EXTENT:
        raise ProgramError(
            f"{name} must be two numbers up to {_MAX_EXTENT}, not {list(values)[:4]}; "
            "only planes have windows"
        )
    return values


def window_of(x: Array, attributes: Attributes, kernel: tuple[int, int] | None = None) -> Window:
    """The windows of an operand (N, C, H, W).

    Raises
    ------
    ProgramError
        Attributes contradict each other.
    ShapeError
        The operand has not four dimensions or is smaller than the window.
    """
    if x.ndim != 4:
        raise ShapeError(f"input must have 4 dimensions, not {x.ndim}; compile the model again")
    if kernel is None and "kernel_shape" not in attributes:
        raise ProgramError("kernel_shape must be given; compile the model again")
    rows_columns = _two(attributes, "kernel_shape", kernel or (1, 1))
    if kernel is not None and rows_columns != kernel:
        raise ShapeError(f"kernel_shape must be the weight's {kernel}, not {rows_columns}")
    strides = _two(attributes, "strides", (1, 1))
    dilations = _two(attributes, "dilations", (1, 1))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(rows_columns, dilations, strict=True))
    pads = _pads(attributes, x.shape[2:], spans, strides)
    extent = []
    for axis in range(2):
        room = x.shape[2 + axis] + pads[axis] + pads[axis + 2] - spans[axis]
        if room < 0:
            raise ShapeError(
                f"input of {x.shape[2 + axis]} must not be smaller than the window of "
                f"{spans[axis]} with its pads; compile the model again"
            )
        count = room // strides[axis] + 1
        if attributes.get("ceil_mode") and room % strides[axis]:
            # A window that would start in the padding at the end does not count.
            count += count * strides[axis] < x.shape[2 + axis] + pads[axis]
        extent.append(count)
    return Window(rows_columns, strides, pads, dilations, (extent[0], extent[1]))


def _pads(
    attributes: Attributes,
    extents: tuple[int, ...],
    spans: tuple[int, ...],
    strides: tuple[int, int],
) -> tuple[int, int, int, int]:
    auto = attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = [int(n) for n in attributes.get("pads", (0, 0, 0, 0))]
        if len(pads) != 4 or max(pads) > _MAX_EXTENT:
            raise ProgramError(
                f"pads must be four numbers up to {_MAX_EXTENT}, not {pads[:8]}; "
                "only planes have windows"
            )
        return (pads[0], pads[1], pads[2], pads[3])
    if auto == "VALID":
        return (0, 0, 0, 0)
    begin, end = [], []
    for extent, span, stride in zip(extents, spans, strides, strict=True):
        total = max((-(-extent // stride) - 1) * stride + span - extent, 0)
        small, large = total // 2, total - total // 2
        begin.append(small if auto == "SAME_UPPER" else large)
        end.append(large if auto == "SAME_UPPER" else small)
    return (begin[0], begin[1], end[0], end[1])
