"""Layers as a band of numbers above a time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vta_pynq.profile.picture import INK
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.profile.timeline import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BAND_HEIGHT", "draw_bands", "layer_bands"]

BAND_HEIGHT = 0.3
"""In the units of the vertical axis."""

_SHADES = ("#c4c4c4", "#dedede")
_CHARACTER = 0.011
"""Width of a digit, and room beside it, in parts of the axis."""


def layer_bands(run: ProfiledRun, window: Window) -> list[tuple[int, int, str]]:
    """Begin, end and number of each layer in a window, one after the other.

    A layer's band begins where the one before ends; it ends with its last instruction's end.
    """
    bands, at = [], 0
    for layer in run.layers:
        begin, end = max(at, window.begin), min(max(at, layer.end), window.end)
        at = max(at, layer.end)
        if begin < end:
            bands.append((begin, end, str(layer.number)))
    return bands


def draw_bands(axes: Axes, run: ProfiledRun, window: Window, bottom: float) -> None:
    """Draw them from `bottom` upwards; a number where there is room for it."""
    width = window.end - window.begin
    scale, _ = run.clock.axis(width)
    for count, (begin, end, number) in enumerate(layer_bands(run, window)):
        a, b = scale * begin, scale * end
        shade = _SHADES[count % len(_SHADES)]
        axes.broken_barh([(a, b - a)], (bottom, BAND_HEIGHT), facecolors=shade, linewidth=0)
        if end - begin > _CHARACTER * len(number) * width:
            axes.text(
                (a + b) / 2, bottom + BAND_HEIGHT / 2, number, ha="center", va="center",
                fontsize=7.5, color=INK,
            )  # fmt: skip
