"""An image file as a model's input."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ShapeError
from vta_pynq.program import Tensor

__all__ = ["SUFFIXES", "ImageForm", "read_image"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp")
"""What tells an image from an array."""

_MODES = {1: "L", 3: "RGB"}
_WHITE = 255


@dataclasses.dataclass(frozen=True)
class ImageForm:
    """How pixels become values: black is `range[0]`, white `range[1]`; then `(v - mean) / std`.

    `mean` and `std` have one number, or one for each channel. `range` None: 0 to 1 for real
    inputs, all values of the type for integers.
    """

    range: tuple[float, float] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def apply(self, pixels: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
        """Pixels 0..255 of shape (channels, height, width) as values of the tensor's dtype.

        Raises
        ------
        ShapeError
            `mean` or `std` has another number of channels than the image.
        """
        for name, values in (("--mean", self.mean), ("--std", self.std)):
            if len(values) not in (1, len(pixels)):
                raise ShapeError(
                    f"{name}: there must be one number or one for each of {len(pixels)} channels, "
                    f"not {len(values)}"
                )
        dtype = np.dtype(tensor.dtype)
        integer = np.iinfo(dtype) if dtype.kind in "iu" else None
        low, high = self.range or ((integer.min, integer.max) if integer else (0.0, 1.0))
        scaled = low + pixels.astype(np.float64) * ((high - low) / _WHITE)
        mean, std = (np.reshape(v, (-1, 1, 1)) for v in (self.mean, self.std))
        result: npt.NDArray[Any] = (scaled - mean) / std
        if integer:
            result = np.clip(np.rint(result), integer.min, integer.max)
        return result.astype(dtype)


def read_image(path: str, tensor: Tensor, form: ImageForm) -> npt.NDArray[Any]:
    """Read an image for an input of shape (1, 1 or 3, height, width).

    Raises
    ------
    ShapeError
        The input has another shape, or the file is no image.
    """
    shape = tensor.shape
    if len(shape) != 4 or shape[0] != 1 or shape[1] not in _MODES:
        raise ShapeError(
            f"input '{tensor.name}': shape must be (1, 1 or 3, height, width) for an image, not "
            f"{shape}; give a .npy file"
        )
    _, channels, height, width = shape
    try:
        # Not on every board; arrays can be read without it.
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError:
        raise ShapeError(
            f"input {path}: package 'pillow' must be installed to read images; run pip install "
            "pillow, or give a .npy file"
        ) from None
    try:
        with Image.open(Path(path)) as image:
            fitted = ImageOps.fit(
                image.convert(_MODES[channels]), (width, height), Image.Resampling.BILINEAR
            )
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise ShapeError(f"input {path}: must be an image: {error}") from None
    pixels = np.asarray(fitted).reshape(height, width, channels).transpose(2, 0, 1)
    return form.apply(pixels, tensor)[None]
