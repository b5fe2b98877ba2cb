"""The timeline: what fetch, load, compute and store do, and what they wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vta_pynq.isa.table import Module
from vta_pynq.profile.bands import draw_bands
from vta_pynq.profile.picture import (
    PALETTE,
    WAIT_COLOURS,
    Picture,
    new_picture,
    scaled,
    text_colour,
)
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.profile.table import WAIT_NAMES
from vta_pynq.profile.timeline import (
    FULL_QUEUE,
    KINDS,
    Spans,
    Window,
    is_wait,
    merge_spans,
    spans_of,
    window_of,
)
from vta_pynq.timing import StallReason

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLUMNS", "timeline_picture"]

COLUMNS = 900
"""Columns of a window that holds more spans than can be told apart."""

_COLOURS: dict[str | StallReason, str] = {
    "fetch": "#5c5c5c",
    "LOAD.INP": PALETTE["sky"],
    "LOAD.WGT": PALETTE["blue"],
    "LOAD.UOP": "#b8d8a0",
    "LOAD.ACC": "#6b6ecf",
    "GEMM": PALETTE["green"],
    "ALU": PALETTE["orange"],
    "REQUANT": "#ffd27f",
    "STORE": "#8c5a2b",
    "other": "#8a8a8a",
    FULL_QUEUE: WAIT_COLOURS[StallReason.FETCH],
}
_COLOURS.update((reason, colour) for reason, colour in WAIT_COLOURS.items())
_ROWS = (Module.FETCH, Module.LOAD, Module.COMPUTE, Module.STORE)
_WORK_HEIGHT, _WAIT_HEIGHT = 0.74, 0.34
_LEAST_LABEL_SHARE = 0.035


def timeline_picture(
    run: ProfiledRun, layer: str | None = None, cycles: tuple[int, int] | None = None
) -> Picture:
    """Work as high bars, waits as low ones coloured by their reason.

    Parameters
    ----------
    layer
        Name or number of the layer to show; None shows the whole run.
    cycles
        First and last cycle to show instead.

    Raises
    ------
    ProgramError
        There is no such layer, or the cycles are not within the run.
    """
    window = window_of(run, layer, cycles)
    spans = merge_spans(spans_of(run), window, COLUMNS)
    merged = bool((spans["insn"] < 0).any())
    with new_picture(12, 4.6) as picture:
        axes = picture.figure.subplots()
        picture.figure.subplots_adjust(left=0.075, right=0.975, top=0.83, bottom=0.31)
        scale, unit = run.clock.axis(window.end - window.begin)
        for row, module in enumerate(_ROWS):
            own = spans[spans["module"] == module]
            _draw_module(axes, own, len(_ROWS) - 1 - row, window, scale)
        draw_bands(axes, run, window, len(_ROWS) - 0.42)
        axes.set_xlabel(unit)
        _finish(axes, run, window)
        _legend(axes, spans)
        picture.figure.text(0.075, 0.015, _caption(run, merged), fontsize=7.5)
    return picture


def _draw_module(axes: Axes, spans: Spans, y: int, window: Window, scale: float) -> None:
    for kind in np.unique(spans["kind"]).tolist():
        chosen = spans[spans["kind"] == kind]
        height = _WAIT_HEIGHT if is_wait(kind) else _WORK_HEIGHT
        begin, end = scale * chosen["begin"], scale * chosen["end"]
        axes.broken_barh(
            np.stack([begin, end - begin], axis=1).tolist(), (y - height / 2, height),
            facecolors=_COLOURS[KINDS[kind]], linewidth=0, label=_name(kind), antialiased=False,
        )  # fmt: skip
        if is_wait(kind):
            continue
        for a, b in zip(begin.tolist(), end.tolist(), strict=True):
            if b - a > _LEAST_LABEL_SHARE * scale * (window.end - window.begin):
                axes.text(
                    (a + b) / 2, y, str(KINDS[kind]).removeprefix("LOAD."), ha="center",
                    va="center", fontsize=7.5, clip_on=True,
                    color=text_colour(_COLOURS[KINDS[kind]]),
                )  # fmt: skip


def _name(kind: int) -> str:
    value = KINDS[kind]
    if isinstance(value, StallReason):
        return f"waits for {WAIT_NAMES[value]}"
    return f"waits: {value}" if value == FULL_QUEUE else value


def _finish(axes: Axes, run: ProfiledRun, window: Window) -> None:
    scale, _ = run.clock.axis(window.end - window.begin)
    axes.set_xlim(scale * window.begin, scale * window.end)
    axes.set_ylim(-0.55, len(_ROWS) - 0.08)
    names = [module.name.lower() for module in reversed(_ROWS)]
    axes.set_yticks([*range(len(_ROWS)), len(_ROWS) - 0.27], [*names, "layer"])
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    above = axes.secondary_xaxis("top", functions=scaled(1 / scale))
    above.set_xlabel("cycles")
    above.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
    axes.set_title(f"{run.name}: {window.what}", loc="left", pad=30)


def _legend(axes: Axes, spans: Spans) -> None:
    """Each kind once, work before waits."""
    found: dict[str, Any] = {}
    handles, labels = axes.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    for kind in sorted(np.unique(spans["kind"]).tolist()):
        found[_name(kind)] = by_label[_name(kind)]
    axes.legend(
        list(found.values()), list(found), loc="upper left", bbox_to_anchor=(-0.01, -0.2), ncol=6,
        fontsize=8, handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip


def _caption(run: ProfiledRun, merged: bool) -> str:
    text = f"{run.heading}. High bars: work; low bars: waits."
    if merged:
        text += (
            f"\nToo many instructions to show each: a column, 1/{COLUMNS} of the window, has the "
            "colour of what took most of it."
        )
    return text
