"""The end-to-end bars: time by operator, with and without the accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vta_pynq.profile.operators import FAMILIES, OperatorTimes, accelerator_times, cpu_step_times
from vta_pynq.profile.picture import INK, PALETTE, Picture, new_picture
from vta_pynq.profile.run import ProfiledRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Bar", "bars_of", "bars_picture"]

Bar = list[tuple[str, float, bool]]
"""Parts of a bar from the left: family, milliseconds, whether on the accelerator."""

_NAVY = "#003a5c"
_COLOURS: Mapping[str, str] = dict(
    zip(
        FAMILIES,
        (
            PALETTE["blue"], PALETTE["sky"], _NAVY, PALETTE["yellow"], PALETTE["orange"],
            PALETTE["green"], PALETTE["vermilion"], PALETTE["purple"], "#9a9a9a",
        ),
        strict=True,
    )
)  # fmt: skip
_LEAST_INSIDE = 0.075
_LEAST_SEEN = 0.0005
"""Parts of the longest bar from which on a part has its number, and its entry in the legend."""
_HATCH = "////"


def bars_of(
    accelerator: OperatorTimes, processor: OperatorTimes, without: OperatorTimes | None
) -> dict[str, Bar]:
    """The parts of each bar, by its name."""
    bars = {"with the accelerator": _parts(accelerator, True) + _parts(processor, False)}
    if without is not None:
        bars["processor alone"] = _parts(without, False)
    return bars


def _parts(times: OperatorTimes, on_accelerator: bool) -> Bar:
    return [(family, s * 1e3, on_accelerator) for family, s in times.by_family().items()]


def bars_picture(
    run: ProfiledRun,
    *,
    accelerator: OperatorTimes | None = None,
    processor: OperatorTimes | None = None,
    without: OperatorTimes | None = None,
) -> Picture:
    """One bar for the program on accelerator and processor, one for the processor alone.

    Parameters
    ----------
    accelerator
        Time of the accelerator by operator; None takes the cycle model's.
    processor
        Time of the program's other steps; None measures them now (none for a kernel).
    without
        Time of the same model on a processor alone, such as `host_compiler` measures it with
        onnxruntime; without it there is no second bar.
    """
    accelerator = accelerator_times(run) if accelerator is None else accelerator
    if processor is None:
        processor = (
            OperatorTimes({}, "", "no steps on the processor")
            if run.program is None
            else cpu_step_times(run.program)
        )
    bars = bars_of(accelerator, processor, without)
    with new_picture(10.5, 2.75 + 0.85 * len(bars)) as picture:
        axes = picture.figure.subplots()
        height = picture.figure.get_figheight()
        picture.figure.subplots_adjust(
            left=0.15, right=0.93, top=1 - 0.52 / height, bottom=1.95 / height
        )
        longest = max(sum(ms for _, ms, _ in parts) for parts in bars.values())
        for y, (name, parts) in enumerate(reversed(bars.items())):
            _draw_bar(axes, y, name, parts, longest)
        axes.set_yticks(range(len(bars)), list(reversed(bars)))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(bars) - 0.3)
        axes.set_xlim(0, 1.13 * longest or 1)
        axes.set_xlabel("time of one run (ms)")
        axes.grid(True, axis="x", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(f"{run.name}: time by operator", loc="left")
        _legend(picture, axes, bars)
        text = _caption(run, accelerator, processor, without)
        picture.figure.text(0.02, 0.025, text, fontsize=7.5, va="bottom")
    return picture


def _draw_bar(axes: Axes, y: int, name: str, parts: Bar, longest: float) -> None:
    at = 0.0
    for family, ms, on_accelerator in parts:
        axes.barh(
            y, ms, left=at, height=0.55, color=_COLOURS[family], edgecolor="white", linewidth=0.6,
            hatch="" if on_accelerator else _HATCH,
        )  # fmt: skip
        if ms > _LEAST_INSIDE * longest:
            axes.text(
                at + ms / 2, y, f"{ms:.3g}", ha="center", va="center", fontsize=9, color=INK,
                bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"},
            )  # fmt: skip
        at += ms
    axes.text(
        at + 0.008 * longest, y, f"{at:.4g} ms", ha="left", va="center", weight="bold", color=INK
    )


def _legend(picture: Picture, axes: Axes, bars: Mapping[str, Bar]) -> None:
    from matplotlib.patches import Patch

    longest = max(sum(ms for _, ms, _ in parts) for parts in bars.values())
    used = {f for parts in bars.values() for f, ms, _ in parts if ms >= _LEAST_SEEN * longest}
    handles: list[Any] = [
        Patch(color=_COLOURS[family], label=family) for family in FAMILIES if family in used
    ]
    handles.append(Patch(facecolor="#8a8a8a", edgecolor="white", label="on the accelerator"))
    handles.append(
        Patch(facecolor="#8a8a8a", edgecolor="white", hatch=_HATCH, label="on the processor")
    )
    axes.legend(
        handles=handles, loc="upper left", ncol=4, fontsize=8, handlelength=1.4,
        columnspacing=1.3, bbox_to_anchor=(0.015, 1.46 / picture.figure.get_figheight()),
        bbox_transform=picture.figure.transFigure,
    )  # fmt: skip


def _caption(
    run: ProfiledRun,
    accelerator: OperatorTimes,
    processor: OperatorTimes,
    without: OperatorTimes | None,
) -> str:
    """Which time is of which machine: a reader must not take one for the other."""
    lines = [f"Accelerator: {accelerator.how}, {accelerator.where}; {run.config.name}."]
    if processor.seconds:
        lines.append(f"Processor beside it: {processor.how}, on {processor.where}.")
    if without is not None:
        lines.append(f"Processor alone: {without.how}, on {without.where}.")
    if processor.seconds or without is not None:
        lines.append(
            "Times of a processor are of the machine that made this picture, not of a board's ARM. "
            "Fused operators count with the one they are fused to."
        )
    return "\n".join(lines)
