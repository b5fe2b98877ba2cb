"""Pictures: made with matplotlib, saved as PNG or SVG, shown by notebooks.

matplotlib is loaded when a picture is made, not before: a board may lack it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vta_pynq.errors import ConfigError
from vta_pynq.timing import StallReason
from vta_pynq.whole_file import whole_file

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Convert = Callable[[npt.ArrayLike], npt.ArrayLike]

__all__ = [
    "GREY", "INK", "PALETTE", "WAIT_COLOURS", "Picture", "check_picture_path", "new_picture",
    "scaled", "text_colour",
]  # fmt: skip

INK = "#1a1a1a"
"""Text and numbers."""
GREY = "#9a9a9a"
"""What is there for orientation."""
PALETTE: Mapping[str, str] = {
    # The eight colours of Okabe and Ito, told apart with every kind of colour blindness.
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "black": "#000000",
}
WAIT_COLOURS: Mapping[StallReason, str] = {
    StallReason.L2G: PALETTE["vermilion"],
    StallReason.G2L: PALETTE["purple"],
    StallReason.G2S: PALETTE["yellow"],
    StallReason.S2G: PALETTE["black"],
    StallReason.FETCH: "#c8c8c8",
    StallReason.PORT: "#7a7a7a",
    StallReason.PUSH: "#4a4a4a",
    StallReason.TURN: "#e4e4e4",
}
"""Waits by their reason, in every picture."""


def scaled(factor: float) -> tuple[Convert, Convert]:
    """A second axis in another unit, as matplotlib takes it: the way there and the way back."""
    return (lambda values: np.multiply(values, factor), lambda values: np.divide(values, factor))


def text_colour(background: str) -> str:
    """Black or white, whichever is read better on a colour `#rrggbb`."""
    red, green, blue = (int(background[k : k + 2], 16) for k in (1, 3, 5))
    return INK if 0.30 * red + 0.59 * green + 0.11 * blue > _DARKEST_UNDER_INK else "white"


_DARKEST_UNDER_INK = 110
_SUFFIXES = {".png": "png", ".svg": "svg"}
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#555555",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    # The same picture gives the same bytes: ids in SVG come from this, not from chance.
    "svg.hashsalt": "vta_pynq",
    "svg.fonttype": "path",
}
_NO_DATES: Mapping[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_PNG_DPI = 130


def check_picture_path(path: str | os.PathLike[str]) -> str:
    """The format that a file name asks for: `png` or `svg`.

    Raises
    ------
    ConfigError
        It asks for another, or the folder is missing.
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"picture {target}: suffix must be .png or .svg, not {target.suffix!r}")
    if not target.parent.is_dir():
        raise ConfigError(f"picture {target}: folder {target.parent} must exist; create it first")
    return _SUFFIXES[target.suffix.lower()]


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A finished picture. A notebook shows it where it is the value of a cell.

    Attributes
    ----------
    figure
        The matplotlib figure, for whoever wants to change it.
    """

    figure: Figure

    @property
    def axes(self) -> list[Axes]:
        """The axes of the figure, in the order in which they were made."""
        return self.figure.axes

    def to_bytes(self, kind: str = "png") -> bytes:
        """The picture as `png` or `svg`; the same picture gives the same bytes."""
        with _style():
            file = io.BytesIO()
            self.figure.savefig(file, format=kind, dpi=_PNG_DPI, metadata=_NO_DATES[kind])
        return file.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a `.png` or `.svg` file at once.

        Raises
        ------
        ConfigError
            The suffix is another, or the folder is missing.
        """
        data = self.to_bytes(check_picture_path(path))
        with whole_file(Path(path)) as file:
            file.write(data)

    def _repr_png_(self) -> bytes:
        return self.to_bytes("png")


@contextlib.contextmanager
def _style() -> Iterator[None]:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ConfigError(
            f"picture: matplotlib must be installed, and is not ({error}); run "
            "pip install 'vta-pynq[notebooks]'"
        ) from None
    with mpl.rc_context(_STYLE):
        yield


@contextlib.contextmanager
def new_picture(width: float, height: float) -> Iterator[Picture]:
    """`with new_picture(10, 5) as picture:` an empty figure, in inches, and our style.

    No window and no global state are involved.

    Raises
    ------
    ConfigError
        matplotlib is not installed.
    """
    with _style():
        from matplotlib.figure import Figure

        yield Picture(Figure(figsize=(width, height), facecolor="white"))
