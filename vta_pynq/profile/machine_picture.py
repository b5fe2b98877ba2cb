"""The accelerator as a picture: its modules, its memories with their sizes, who feeds whom."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from vta_pynq.config import HwConfig
from vta_pynq.profile.picture import GREY, PALETTE, Picture, new_picture, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["machine_picture"]

_WIDTH, _HEIGHT = 12.0, 5.2
_KIB = 1024
_BOTTOM, _TOP = 1.75, 4.2
"""Lower and upper edge of the modules."""
_DRAM_TOP, _BUS_Y = 0.95, 4.7
_MODULES = (
    # name, left edge, right edge, colour
    ("FETCH", 0.2, 1.5, GREY),
    ("LOAD", 2.05, 3.45, PALETTE["blue"]),
    ("COMPUTE", 5.75, 8.75, PALETTE["green"]),
    ("STORE", 10.75, 11.8, "#8c5a2b"),
)
_DATA = PALETTE["vermilion"]


def machine_picture(config: HwConfig) -> Picture:
    """Modules, the memories between and inside them, DRAM at the bottom.

    Sizes are the configuration's. Solid coloured arrows are data, grey ones instructions, dashed
    ones dependency tokens.
    """
    with new_picture(_WIDTH, _HEIGHT) as picture:
        axes = picture.figure.subplots()
        picture.figure.subplots_adjust(left=0.01, right=0.99, top=0.94, bottom=0.0)
        axes.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT))
        axes.axis("off")
        axes.set_title(f"VTA, configuration {config.name}", loc="left")
        _box(axes, (0.2, 0.2), (11.6, 0.75), "DRAM, shared with the processor", "#e6e6e6")
        _draw_modules(axes, config)
        _draw_memories(axes, config)
    return picture


def _draw_modules(axes: Axes, config: HwConfig) -> None:
    """The four modules, the instructions that fetch hands out, and the tokens."""
    lanes = config.batch * config.block
    inside = {
        "FETCH": ("reads the\nprogram", 0.5),
        "LOAD": ("fills inputs\nand weights", 0.5),
        "COMPUTE": (
            f"GEMM core: {lanes} x {config.block} multipliers\nALU: {lanes} lanes", 0.77
        ),
        "STORE": ("writes\nresults", 0.5),
    }  # fmt: skip
    for name, left, right, colour in _MODULES:
        text, height = inside[name]
        size = (right - left, _TOP - _BOTTOM)
        _box(axes, (left, _BOTTOM), size, f"{name}\n{text}", colour, height=height)
    centres = [(left + right) / 2 for _, left, right, _ in _MODULES]
    fetch, *others = centres
    axes.plot([fetch, fetch, others[-1]], [_TOP, _BUS_Y, _BUS_Y], color=GREY)
    axes.text(fetch + 0.1, _BUS_Y + 0.08, "instructions, a queue for each module", fontsize=8.5)
    for centre in others:
        _arrow(axes, (centre, _BUS_Y), (centre, _TOP), GREY)
    _arrow(axes, (fetch, _DRAM_TOP), (fetch, _BOTTOM), GREY)
    _arrow(axes, (others[0], _DRAM_TOP), (others[0], _BOTTOM), _DATA)
    _arrow(axes, (others[-1], _BOTTOM), (others[-1], _DRAM_TOP), _DATA)
    for (_, _, right, _), (_, left, _, _) in itertools.pairwise(_MODULES[1:]):
        for begin, end, y in ((right, left, _TOP - 0.1), (left, right, _TOP - 0.4)):
            _arrow(axes, (begin, y), (end, y), "black", dashed=True)
        middle = ((right + left) / 2, _TOP - 0.25)
        axes.text(*middle, "tokens", ha="center", va="center", fontsize=8.5)


def _draw_memories(axes: Axes, config: HwConfig) -> None:
    """The five memories, and the data that goes in and out of them."""
    lanes = config.batch * config.block
    memories = (
        # name, left edge, width, lower edge, one element, elements, bytes
        ("inputs", 3.85, 1.5, 2.7, f"{lanes} x int{config.inp_width}", config.inp_depth,
         config.inp_buff_bytes),
        ("weights", 3.85, 1.5, 1.75, f"{config.block} x {config.block} x int{config.wgt_width}",
         config.wgt_depth, config.wgt_buff_bytes),
        ("micro-ops", 5.9, 1.3, 1.9, f"{8 * config.uop_bytes} bits", config.uop_depth,
         config.uop_buff_bytes),
        ("accumulators", 7.3, 1.3, 1.9, f"{lanes} x int{config.acc_width}", config.acc_depth,
         config.acc_buff_bytes),
        ("outputs", 9.15, 1.25, 2.2, f"{lanes} x int{config.out_width}", config.out_depth,
         config.out_buff_bytes),
    )  # fmt: skip
    for name, left, width, y, element, depth, size in memories:
        text = f"{name}\n{depth} of {element}\n{size / _KIB:g} KiB"
        _box(axes, (left, y), (width, 0.85), text, "#fff3d6", size=7.0)
    for begin, end in (
        ((3.45, 3.12), (3.85, 3.12)), ((3.45, 2.17), (3.85, 2.17)),
        ((5.35, 3.12), (5.75, 3.12)), ((5.35, 2.17), (5.75, 2.17)),
        ((6.55, _DRAM_TOP), (6.55, 1.9)), ((7.95, _DRAM_TOP), (7.95, 1.9)),
        ((8.75, 2.62), (9.15, 2.62)), ((10.4, 2.62), (10.75, 2.62)),
    ):  # fmt: skip
        _arrow(axes, begin, end, _DATA)


def _box(
    axes: Axes,
    corner: tuple[float, float],
    extent: tuple[float, float],
    text: str,
    colour: str,
    *,
    size: float = 9.0,
    height: float = 0.5,
) -> None:
    """A box with text at a share of its height."""
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch(
            corner, *extent, boxstyle=style, facecolor=colour, edgecolor="#555555", linewidth=0.8
        )
    )
    x, y = corner[0] + extent[0] / 2, corner[1] + extent[1] * height
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=text_colour(colour))


def _arrow(
    axes: Axes,
    begin: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    dashed: bool = False,
) -> None:
    style = {"arrowstyle": "->", "color": colour, "linewidth": 1.3, "shrinkA": 1, "shrinkB": 1}
    if dashed:
        style |= {"linestyle": "--", "linewidth": 1.0}
    axes.annotate("", xy=end, xytext=begin, arrowprops=style)
