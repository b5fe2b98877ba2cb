"""SRAM occupancy over time as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vta_pynq.profile.bands import BAND_HEIGHT, draw_bands, layer_bands
from vta_pynq.profile.occupancy import MEMORIES, Occupancy, sram_occupancy
from vta_pynq.profile.picture import PALETTE, Picture, new_picture, scaled
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.profile.timeline import Window, window_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

__all__ = ["occupancy_picture", "occupancy_steps"]

_COLUMNS = 700
_LEAST_FULL = 0.25
"""Share of an SRAM below which its whole size is left out of sight."""
_COLOURS = tuple(PALETTE[name] for name in ("sky", "blue", "purple", "green", "orange"))


def occupancy_steps(
    occupancy: Occupancy, window: Window
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Times in cycles and live elements from each of them on, from the window's begin to its end.

    Where there are more changes than can be told apart, each column has the most that were live
    in it.
    """
    inside = (occupancy.times > window.begin) & (occupancy.times < window.end)
    times = np.concatenate([[window.begin], occupancy.times[inside], [window.end]]).astype(np.int64)
    live = occupancy.at(times)
    if len(times) <= _COLUMNS:
        return times, live
    edges = np.linspace(window.begin, window.end, _COLUMNS + 1).astype(np.int64)
    first = np.searchsorted(times, edges[:-1])
    at_edge = occupancy.at(edges[:-1])
    most = np.maximum(at_edge, np.maximum.reduceat(np.append(live, 0), first))
    most = np.where(np.append(first[1:], len(times)) > first, most, at_edge)
    return edges, np.append(most, occupancy.at(edges[-1:]))


def occupancy_picture(
    run: ProfiledRun, layer: str | None = None, cycles: tuple[int, int] | None = None
) -> Picture:
    """A row for each SRAM: bytes on the left, per cent of its size on the right.

    Parameters
    ----------
    layer
        Name or number of the layer to show; None shows the whole run.
    cycles
        First and last cycle to show instead.

    Raises
    ------
    ProgramError
        There is no such layer, the cycles are not within the run, or the streams do not hold
        the micro-ops that they load.
    """
    window = window_of(run, layer, cycles)
    found = sram_occupancy(run)
    with new_picture(12, 7.6) as picture:
        top, *rows = picture.figure.subplots(
            len(MEMORIES) + 1,
            1,
            sharex=True,
            gridspec_kw={"height_ratios": (0.18, *[1] * len(MEMORIES))},
        )
        picture.figure.subplots_adjust(left=0.085, right=0.935, top=0.935, bottom=0.12, hspace=0.34)
        for axes, memory, colour in zip(rows, MEMORIES, _COLOURS, strict=True):
            _draw_memory(axes, run, found[memory], window, colour)
        scale, unit = run.clock.axis(window.end - window.begin)
        draw_bands(top, run, window, 0.0)
        top.set_ylim(0, BAND_HEIGHT)
        top.set_yticks([BAND_HEIGHT / 2], ["layer"])
        top.tick_params(length=0)
        top.spines["left"].set_visible(False)
        top.spines["bottom"].set_visible(False)
        for _, end, _ in layer_bands(run, window):
            for axes in rows:
                axes.axvline(scale * end, color="#bdbdbd", linewidth=0.6, zorder=0)
        top.set_title(f"{run.name}: live data in SRAM, {window.what}", loc="left")
        rows[-1].set_xlabel(unit)
        rows[-1].set_xlim(scale * window.begin, scale * window.end)
        picture.figure.text(0.085, 0.02, _caption(run), fontsize=7.5)
    return picture


def _draw_memory(
    axes: Axes, run: ProfiledRun, occupancy: Occupancy, window: Window, colour: str
) -> None:
    times, live = occupancy_steps(occupancy, window)
    kib = occupancy.element_bytes / 1024
    size = occupancy.depth * kib
    scale, _ = run.clock.axis(window.end - window.begin)
    axes.stairs(
        live[:-1] * kib, times * scale, fill=True, facecolor=f"{colour}70", edgecolor=colour,
        linewidth=0.9,
    )  # fmt: skip
    peak = int(live.max(initial=0))
    axes.axhline(size, color="#555555", linestyle="--", linewidth=1)
    axes.set_ylim(
        0,
        size
        * (1.12 if peak >= _LEAST_FULL * occupancy.depth else 1.3 * peak / occupancy.depth or 1.12),
    )
    axes.set_ylabel(f"{occupancy.memory.name}\n(KiB)")
    axes.yaxis.set_major_locator(_locator())
    axes.grid(True, axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    percent = axes.secondary_yaxis("right", functions=scaled(100 / size))
    percent.yaxis.set_major_locator(_locator())
    percent.set_ylabel("%")
    axes.text(
        0.995, 1.02, f"size {size:g} KiB, {occupancy.depth} elements; at most {peak} live: "
        f"{peak * kib:.3g} KiB, {100 * peak / occupancy.depth:.3g} %", transform=axes.transAxes,
        ha="right", va="bottom", fontsize=8,
    )  # fmt: skip


def _locator() -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, steps=[1, 2, 4, 8, 10])


def _caption(run: ProfiledRun) -> str:
    return (
        f"{run.heading}.\nAn element is live from the start of the instruction that writes it to "
        "the end of the last one that reads it. Dashed, where in sight: the size of the SRAM. "
        "Lines: where a layer's last instruction ends."
    )
