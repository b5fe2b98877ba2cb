"""The inputs of `vta run`: arrays from .npy and .npz files, and images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.cli.images import SUFFIXES, ImageForm, read_image
from vta_pynq.errors import ShapeError
from vta_pynq.program import Program

__all__ = ["add_input_arguments", "read_inputs"]


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--input` and what says how an image becomes an array."""
    parser.add_argument(
        "--input", metavar="[NAME=]FILE", action="append", default=[],
        help="for one input, in the model's order or by name: a .npy file or an image "
        f"({', '.join(SUFFIXES)}); for all of them by name: a .npz file; repeat for several",
    )  # fmt: skip
    group = parser.add_argument_group(
        "images",
        "An image is scaled until it covers the input's height and width, and its middle is cut "
        "out. Black becomes LOW and white HIGH; then MEAN is subtracted and the result divided by "
        "STD, one number for all channels or one for each. Write --mean=-1 where a number is "
        "negative.",
    )
    group.add_argument(
        "--range", metavar="LOW,HIGH", type=_pair, default=None,
        help="default: 0,1 for real inputs, all values of the type for integers",
    )  # fmt: skip
    group.add_argument(
        "--mean", metavar="M[,M,M]", type=_numbers, default=(0.0,), help="default: 0"
    )
    group.add_argument(
        "--std", metavar="S[,S,S]", type=_deviations, default=(1.0,), help="default: 1"
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(map(float, text.split(",")))
    except ValueError:
        values = ()
    if not values or not np.isfinite(values).all():
        raise argparse.ArgumentTypeError(f"must be numbers separated by commas, not {text}")
    return values


def _pair(text: str) -> tuple[float, float]:
    values = _numbers(text)
    if len(values) != 2 or values[0] == values[1]:
        raise argparse.ArgumentTypeError(f"must be two different numbers, LOW,HIGH, not {text}")
    return values[0], values[1]


def _deviations(text: str) -> tuple[float, ...]:
    values = _numbers(text)
    if min(values) <= 0:
        raise argparse.ArgumentTypeError(f"must be numbers above 0, not {text}")
    return values


def _read(path: str) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ShapeError(
            f"input {path}: must be a .npy or .npz file of numbers: {error}; write it with "
            "numpy.save or numpy.savez"
        ) from None


def _unfit(program: Program, problem: str) -> ShapeError:
    listed = ", ".join(f"{t.name} ({t.dtype} of shape {t.shape})" for t in program.input_tensors)
    return ShapeError(
        f"inputs of model '{program.model}': must be {listed}, but {problem}; give each with "
        "--input NAME=FILE"
    )


def read_inputs(args: argparse.Namespace, program: Program) -> list[npt.NDArray[Any]]:
    """The arrays for the model's inputs, in its order.

    Raises
    ------
    ShapeError
        A file holds nothing that fits, an input is missing or unknown.
    """
    form = ImageForm(args.range, args.mean, args.std)
    names, found = program.inputs, dict[str, npt.NDArray[Any]]()
    for word in args.input:
        name, separator, path = word.partition("=")
        given = bool(separator) and name in names
        path = path if given else word
        free = [key for key in names if key not in found]
        if separator and not given and not Path(word).exists():
            raise _unfit(program, f"none is '{name}'")
        name = name if given else free[0] if free else word
        if path.lower().endswith(SUFFIXES) and name in names:
            found[name] = read_image(path, program.tensor(name), form)
            continue
        content = _read(path)
        if isinstance(content, np.lib.npyio.NpzFile) and not given:
            with content:
                found.update({key: content[key] for key in content.files})
        else:
            found[name] = content
    unknown = [name for name in found if name not in names]
    missing = [name for name in names if name not in found]
    if unknown or missing:
        problem = f"none is '{unknown[0]}'" if unknown else f"'{missing[0]}' is missing"
        raise _unfit(program, problem)
    return [found[name] for name in names]
