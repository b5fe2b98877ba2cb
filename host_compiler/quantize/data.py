"""Calibration data: what a user hands over, checked against the model's inputs."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import CompileError

__all__ = ["Samples", "batches", "check_labels", "check_samples", "load_array", "load_samples"]

Array = npt.NDArray[Any]

Samples = Mapping[str, Array]
"""One array for each input; the first axis counts samples."""


def _load(path: str | os.PathLike[str]) -> dict[str, Array]:
    where = Path(path)
    try:
        # numpy leaves a damaged file open that it has opened itself.
        with where.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise CompileError(
            f"calibration data {where}: must be readable: {error.strerror or error}"
        ) from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CompileError(
            f"calibration data {where}: must be .npz or .npy: {error}; write it with numpy.savez"
        ) from None
    for name, array in arrays.items():
        # numpy gives the bytes of what is in a zip file and no array.
        if not isinstance(array, np.ndarray):
            raise CompileError(
                f"calibration data {where}: must hold arrays only, not a file {name!r}; write it "
                "with numpy.savez"
            )
    return arrays


def load_samples(path: str | os.PathLike[str], inputs: Sequence[str]) -> dict[str, Array]:
    """Read `.npz` (one array for each input) or `.npy` (one array for the only input).

    For a model with one input, the only float array of a `.npz` is taken whatever its name.

    Raises
    ------
    CompileError
        The file is unreadable, holds objects, or has no array for an input.
    """
    arrays = _load(path)
    if len(inputs) == 1 and inputs[0] not in arrays:
        floats = [array for array in arrays.values() if array.dtype.kind == "f"]
        if len(arrays) == 1 or len(floats) == 1:
            return {inputs[0]: floats[0] if floats else next(iter(arrays.values()))}
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise CompileError(
            f"calibration data {path}: must hold an array named {missing[0]!r}, "
            f"not only {', '.join(sorted(arrays)) or 'nothing'}"
        )
    return {name: arrays[name] for name in inputs}


def load_array(path: str | os.PathLike[str], name: str) -> Array:
    """One array of a `.npz`.

    Raises
    ------
    CompileError
        The file is unreadable or holds no such array.
    """
    arrays = _load(path)
    if name not in arrays:
        raise CompileError(
            f"data {path}: must hold an array named {name!r}, "
            f"not only {', '.join(sorted(arrays)) or 'nothing'}"
        )
    return arrays[name]


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


def check_labels(labels: Array, samples: int) -> None:
    """Check the classes of samples.

    Raises
    ------
    CompileError
        They are no integers, or not one for each sample.
    """
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise CompileError(
            f"labels: must be {samples} integers, one for each sample, "
            f"not {labels.dtype}{list(labels.shape)}"
        )


def batches(samples: Samples, size: int) -> Iterator[dict[str, Array]]:
    """The samples in float32 batches of `size`; the remainder is dropped unless it is all."""
    total = len(next(iter(samples.values())))
    for begin in range(0, max(total - size + 1, 1), size):
        yield {name: a[begin : begin + size].astype(np.float32) for name, a in samples.items()}
