"""Calibration data: what a user hands over, checked against the model's inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import CompileError

__all__ = ["Samples", "check_samples", "load_samples"]

Array = npt.NDArray[Any]

Samples = Mapping[str, Array]
"""One array for each input; the first axis counts samples."""


def load_samples(path: str | os.PathLike[str], inputs: list[str]) -> dict[str, Array]:
    """Read `.npz` (one array for each input, or one array for the only input) or `.npy`.

    Raises
    ------
    CompileError
        The file is unreadable, holds objects, or has no array for an input.
    """
    where = Path(path)
    try:
        loaded = np.load(where, allow_pickle=False)
        arrays = (
            {name: loaded[name] for name in loaded.files}
            if isinstance(loaded, np.lib.npyio.NpzFile)
            else {"": loaded}
        )
    except (OSError, ValueError, EOFError) as error:
        raise CompileError(
            f"calibration data {where}: must be readable .npz or .npy: {error}"
        ) from None
    if len(inputs) == 1 and len(arrays) == 1:
        return {inputs[0]: next(iter(arrays.values()))}
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise CompileError(
            f"calibration data {where}: must hold an array named {missing[0]!r}, "
            f"not only {', '.join(sorted(arrays)) or 'nothing'}"
        )
    return {name: arrays[name] for name in inputs}


def check_samples(samples: Samples, shapes: Mapping[str, tuple[int | str, ...]]) -> int:
    """Check samples against the model's inputs and count them.

    Parameters
    ----------
    shapes
        The model's input shapes; the first extent is the batch and may be symbolic.

    Raises
    ------
    CompileError
        An array is missing, empty, of another shape, not float, or not finite.
    """
    counts = set()
    for name, shape in shapes.items():
        array = samples.get(name)
        if array is None:
            raise CompileError(f"calibration data: input {name!r} must be given")
        wanted = [n if isinstance(n, int) else None for n in shape[1:]]
        fits = array.ndim == len(shape) and all(
            w in (None, n) for w, n in zip(wanted, array.shape[1:], strict=True)
        )
        if not fits:
            raise CompileError(
                f"calibration data: input {name!r} must have shape (samples, "
                f"{', '.join(map(str, shape[1:]))}), not {array.shape}"
            )
        if array.dtype.kind != "f":
            raise CompileError(
                f"calibration data: input {name!r} must be float, prepared as the model takes "
                f"it, not {array.dtype}"
            )
        if not np.isfinite(array).all():
            raise CompileError(f"calibration data: input {name!r} must be finite, not NaN or inf")
        counts.add(len(array))
    if len(counts) != 1 or counts == {0}:
        raise CompileError(
            f"calibration data: inputs must have the same number of samples, at least one, "
            f"not {sorted(counts)}"
        )
    return counts.pop()


def batches(samples: Samples, size: int) -> Iterator[dict[str, Array]]:
    """The samples in float32 batches of `size`; the remainder is dropped unless it is all."""
    total = len(next(iter(samples.values())))
    for begin in range(0, max(total - size + 1, 1), size):
        yield {name: a[begin : begin + size].astype(np.float32) for name, a in samples.items()}
