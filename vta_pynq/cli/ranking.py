"""The largest values of an output, by name: what a classifier says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ShapeError

__all__ = ["check_labels", "ranked", "read_labels"]


def read_labels(path: str | None) -> list[str]:
    """One name a line; none without a file.

    Raises
    ------
    ShapeError
        The file is no text.
    """
    if path is None:
        return []
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ShapeError(
            f"--labels: {path} must be a text file, one name a line: {error}"
        ) from None


def check_labels(labels: Sequence[str], size: int) -> None:
    """Make sure that there are no names, or one for each of the `size` values of an output.

    Raises
    ------
    ShapeError
        There are others.
    """
    if labels and len(labels) != size:
        raise ShapeError(
            f"--labels: there must be {size} names, one for each value of the output, not "
            f"{len(labels)}"
        )


def ranked(y: npt.NDArray[Any], count: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The `count` largest values of an output of one image, largest first.

    Each has `index` (flat position), `label` (its name, the position where it has none) and
    `value`. Equal values come in the order of their positions; not-a-number comes last.

    Raises
    ------
    ShapeError
        There are names, but not as many as values.
    """
    flat = y.reshape(-1)
    check_labels(labels, flat.size)
    order = np.argsort(-flat.astype(np.float64), kind="stable")[:count]
    return [
        {
            "index": int(i),
            "label": labels[i] if labels else str(i),
            "value": float(flat[i]) if np.isfinite(flat[i]) else None,
        }
        for i in order
    ]
