"""The roofline: each layer with and without latency hiding, under the roofs of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vta_pynq.profile.layers import LayerProfile
from vta_pynq.profile.names import short_name
from vta_pynq.profile.picture import GREY, INK, PALETTE, Picture, new_picture
from vta_pynq.profile.placing import Box, place_labels
from vta_pynq.profile.roofs import BandwidthRoof, bandwidth_roofs
from vta_pynq.profile.run import ProfiledRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HIDDEN", "SERIAL", "roofline_layers", "roofline_picture"]

HIDDEN, SERIAL = "with latency hiding: the program as it is", "without: one instruction at a time"
"""Labels of the two series."""

_ROOF_STYLES = ("-", "--", ":")
_MARKER_PX = 9
_KEY_LINES = 64
_KEY_INCHES = 4.9


def roofline_layers(run: ProfiledRun) -> tuple[LayerProfile, ...]:
    """The layers that have a place in a roofline: those that multiply and move data."""
    return tuple(layer for layer in run.layers if layer.ops and layer.bytes and layer.cycles)


def roofline_picture(run: ProfiledRun) -> Picture:
    """Operational intensity against attained GOPS, a pair of points for each layer.

    The intensity is the same with and without latency hiding: the same stream moves the same
    bytes. Layers without multiply-accumulates are named in the caption.
    """
    layers = roofline_layers(run)
    with new_picture(11.5, 6.6) as picture:
        axes, side = picture.figure.subplots(
            1, 2, gridspec_kw={"width_ratios": (3.4, 1), "wspace": 0.04}
        )
        picture.figure.subplots_adjust(left=0.065, right=0.99, top=0.93, bottom=0.17)
        _draw_roofs(axes, run, layers)
        _draw_points(axes, run, layers)
        _label_points(axes, run, layers)
        _write_key(side, run, layers)
        axes.set_title(f"{run.name}: roofline of its layers", loc="left")
        axes.set_xlabel("operational intensity (operations per byte of DRAM traffic)")
        axes.set_ylabel("attained performance (GOPS, 10⁹ operations per second)")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="lower right", handletextpad=0.4)
        picture.figure.text(0.065, 0.03, _caption(run, layers), fontsize=7.5, va="bottom")
    return picture


def _limits(run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> Box:
    """Left, bottom, right, top: every point and every ridge."""
    ridges = [roof.ridge(run.peak_gops) for roof in bandwidth_roofs(run)]
    intensities = [layer.intensity for layer in layers]
    attained = [run.gops(layer.ops, layer.serial_cycles) for layer in layers]
    return (
        min([*intensities, *ridges]) / 2,
        min([*attained, run.peak_gops / 4]) / 2,
        max([*intensities, *ridges]) * 2.2,
        run.peak_gops * 2.2,
    )


def _draw_roofs(axes: Axes, run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> None:
    left, bottom, right, top = _limits(run, layers)
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(bottom, top))
    from matplotlib.ticker import LogLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: "")
    axes.grid(True, which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    # A decade along and a decade up: all these lines rise like that.
    (x0, y0), (x1, y1) = axes.transData.transform([(1, 1), (10, 10)])
    slope = float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))
    for roof, style in zip(bandwidth_roofs(run), _ROOF_STYLES, strict=False):
        start = max(left, bottom / roof.gb_s)
        end = roof.ridge(run.peak_gops)
        axes.plot(
            [start, end], [roof.gops(start), roof.gops(end)], style, color="#555555", linewidth=1.3
        )
        at = _free_place(run, layers, start, end, roof)
        axes.annotate(
            f"{roof.name}: {roof.gb_s:.3g} GB/s", (at, roof.gops(at)), xytext=(-3, 3),
            textcoords="offset points", rotation=slope, rotation_mode="anchor", color="#555555",
            fontsize=8,
        )  # fmt: skip
    begin = min(roof.ridge(run.peak_gops) for roof in bandwidth_roofs(run))
    axes.plot([begin, right], [run.peak_gops] * 2, "-", color="#555555", linewidth=1.3)
    axes.annotate(
        f"matrix unit: {run.peak_gops:g} GOPS", (right, run.peak_gops), xytext=(-2, 4),
        textcoords="offset points", ha="right", color="#555555", fontsize=8,
    )  # fmt: skip


def _free_place(
    run: ProfiledRun,
    layers: tuple[LayerProfile, ...],
    start: float,
    end: float,
    roof: BandwidthRoof,
) -> float:
    """Where along a roof its label begins: where the fewest points are near."""

    def near(share: float) -> int:
        first = start * (end / start) ** share
        return sum(
            first / 1.3 < layer.intensity < first * (end / start) ** 0.3
            and 0.6 < run.gops(layer.ops, layer.cycles) / roof.gops(layer.intensity) < 3
            for layer in layers
        )

    best = min((0.1, 0.2, 0.3, 0.4, 0.5), key=near)
    return float(start * (end / start) ** best)


def _draw_points(axes: Axes, run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> None:
    x = np.array([layer.intensity for layer in layers])
    hidden = np.array([run.gops(layer.ops, layer.cycles) for layer in layers])
    serial = np.array([run.gops(layer.ops, layer.serial_cycles) for layer in layers])
    axes.vlines(x, serial, hidden, color=GREY, linewidth=1.0, zorder=2)
    axes.plot(
        x, serial, "D", label=SERIAL, color=PALETTE["vermilion"], markerfacecolor="white",
        markersize=5, zorder=3,
    )  # fmt: skip
    axes.plot(x, hidden, "o", label=HIDDEN, color=PALETTE["blue"], markersize=6, zorder=4)


def _label_points(axes: Axes, run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> None:
    """The numbers of the layers beside their upper points, with a line where that is not near.

    Points that lie on each other share a label.
    """
    from matplotlib.patheffects import withStroke

    scale = axes.figure.get_dpi() / 72
    to_px = axes.transData.transform
    hidden = [to_px((a.intensity, run.gops(a.ops, a.cycles))) for a in layers]
    serial = [to_px((a.intensity, run.gops(a.ops, a.serial_cycles))) for a in layers]
    radius = _MARKER_PX * scale / 2
    blocked = [(x - radius, y - radius, x + radius, y + radius) for x, y in [*hidden, *serial]]
    roof = to_px((1, run.peak_gops))[1]
    frame = axes.get_window_extent()
    blocked.append((frame.x0, roof - scale, frame.x1, roof + 14 * scale))
    groups = _groups([(float(x), float(y)) for x, y in hidden], radius)
    texts = [", ".join(str(layers[k].number) for k in group) for group in groups]
    anchors = [(float(hidden[group[0]][0]), float(hidden[group[0]][1])) for group in groups]
    sizes = [(scale * (3 + 5.7 * len(text)), scale * 11.0) for text in texts]
    bounds = (frame.x0, frame.y0, frame.x1, frame.y1)
    places = place_labels(anchors, sizes, blocked, bounds, 5 * scale)
    back = axes.transData.inverted().transform
    halo = withStroke(linewidth=2.5, foreground="white")
    for text, anchor, place, size in zip(texts, anchors, places, sizes, strict=True):
        far = abs(place[1] - anchor[1]) > 16 * scale or (
            abs(place[0] - anchor[0]) > size[0] / 2 + 9 * scale
        )
        line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 2, "shrinkB": 3}
        axes.annotate(
            text, xy=tuple(back(anchor)), xytext=tuple(back(place)), ha="center", va="center",
            fontsize=8.5, color=INK, zorder=5, path_effects=[halo],
            arrowprops=line if far else None,
        )  # fmt: skip


def _groups(points: list[tuple[float, float]], radius: float) -> list[list[int]]:
    """Points that lie within a radius of the first of their group."""
    groups: list[list[int]] = []
    for k, point in enumerate(points):
        for group in groups:
            first = points[group[0]]
            if np.hypot(point[0] - first[0], point[1] - first[1]) <= radius:
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _write_key(side: Axes, run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> None:
    """Numbers, names, cycles; of many layers those that take the longest."""
    side.axis("off")
    shown = sorted(layers, key=lambda layer: -layer.cycles)[:_KEY_LINES]
    shown.sort(key=lambda layer: layer.number)
    side.text(0.1, 1.0, "layer", fontsize=8, weight="bold", va="top", transform=side.transAxes)
    side.text(
        1.0, 1.0, "kcycles", fontsize=8, weight="bold", va="top", ha="right",
        transform=side.transAxes,
    )  # fmt: skip
    lines = max(len(shown) + 3, 34)
    size = min(7.6, 72 * _KEY_INCHES / lines * 0.83)
    for line, layer in enumerate(shown, 1):
        y = 1 - line / lines - 0.01
        for x, text, align in (
            (0.07, str(layer.number), "right"),
            (0.1, short_name(layer.name, 25), "left"),
            (1.0, f"{layer.cycles / 1e3:.1f}", "right"),
        ):
            side.text(x, y, text, fontsize=size, va="top", ha=align, transform=side.transAxes)
    if len(shown) < len(layers):
        side.text(0.1, 0, f"and {len(layers) - len(shown)} shorter ones", fontsize=7.6, va="top")


def _caption(run: ProfiledRun, layers: tuple[LayerProfile, ...]) -> str:
    total = run.gops(sum(layer.ops for layer in layers), run.cycles)
    text = (
        f"{run.heading}.\nAll layers: {total:.1f} GOPS with latency hiding in "
        f"{run.clock.us(run.cycles) / 1e3:.3g} ms, {run.clock.us(run.serial_cycles) / 1e3:.3g} ms "
        "without: the same instructions and tokens, load, compute and store one at a time.\n"
        "A multiply-accumulate is two operations; recomputed ones count once. DRAM traffic is "
        "what LOAD and STORE move, without instructions."
    )
    placed = {layer.number for layer in layers}
    others = [
        layer for layer in run.layers if layer.number not in placed and layer.instructions > 2
    ]
    if others:
        cycles = sum(layer.cycles for layer in others) / 1e3
        text += f" Without a multiply-accumulate, not shown: {len(others)} ({cycles:.1f} kcycles)."
    return text
