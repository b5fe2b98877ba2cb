"""Resize of planes: nearest and linear, with ONNX's coordinate transformations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import kernels
from vta_pynq.cpu_ops.interpolation import Interpolation, nearest, source_positions
from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.errors import ProgramError, ShapeError

_TRANSFORMS = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
)  # fmt: skip
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
_IGNORED = Attribute("float", "of no effect in these modes")
_MAX_EXTENT = 1 << 24


def _targets(inputs: Sequence[Any], attributes: Attributes) -> tuple[list[int], list[float]]:
    """Extents of the result and factors of all four axes."""
    x = inputs[0]
    scales, sizes = attributes.get("scales"), attributes.get("sizes")
    for operand in inputs[1:]:
        # Region, factors and sizes differ in type, so that absent ones need no mention.
        if operand is None or not operand.size:
            continue
        if operand.dtype.kind in "iu":
            sizes = operand.tolist()
        else:
            scales = operand.tolist()
    given = sizes if sizes is not None else scales
    if given is None or len(given) != x.ndim:
        raise ProgramError(
            f"sizes or scales must be given for {x.ndim} axes, not {given}; compile the model again"
        )
    if sizes is not None:
        extents = [int(n) for n in sizes]
        factors = [n / max(old, 1) for n, old in zip(extents, x.shape, strict=True)]
    else:
        factors = [float(f) for f in given]
        extents = [int(np.floor(old * f)) for old, f in zip(x.shape, factors, strict=True)]
    if min(extents) < 0 or max(extents) > _MAX_EXTENT or min(factors) <= 0:
        raise ProgramError(
            f"sizes must be 1..{_MAX_EXTENT}, not {extents}; compile the model again"
        )
    return extents, factors


@operator(
    "resize", (1, 4), optional=True,
    mode=Attribute("str", "default nearest", choices=("nearest", "linear")),
    coordinate_transformation_mode=Attribute("str", "default half_pixel", choices=_TRANSFORMS),
    nearest_mode=Attribute("str", "default round_prefer_floor", choices=_NEAREST),
    scales=Attribute("floats", "factors, without an operand for them"),
    sizes=Attribute("ints", "extents, without an operand for them", least=1),
    antialias=Attribute("int", "must be 0", choices=()), cubic_coeff_a=_IGNORED,
    exclude_outside=_IGNORED, extrapolation_value=_IGNORED,
    keep_aspect_ratio_policy=Attribute("str", "must be stretch", choices=("stretch",)),
)  # fmt: skip
def _resize(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Planes of (N, C, H, W) at another size: data, region (ignored), scales, sizes."""
    x = inputs[0]
    if x.ndim != 4:
        raise ShapeError(f"input must have 4 dimensions, not {x.ndim}; compile the model again")
    if attributes.get("antialias"):
        raise ProgramError("antialias must be 0; compile the model again")
    extents, factors = _targets(inputs, attributes)
    if extents[:2] != list(x.shape[:2]):
        raise ProgramError(
            f"batch and channels must keep their extents {list(x.shape[:2])}, not {extents[:2]}; "
            "compile the model again"
        )
    transform = attributes.get("coordinate_transformation_mode", "half_pixel")
    places = [
        source_positions(x.shape[axis], extents[axis], factors[axis], transform) for axis in (2, 3)
    ]
    if not x.size or not all(extents):
        return [np.zeros(extents, x.dtype)]
    if attributes.get("mode", "nearest") == "nearest":
        rule = attributes.get("nearest_mode", "round_prefer_floor")
        rows, columns = (nearest(p, x.shape[2 + axis], rule) for axis, p in enumerate(places))
        out = allocate(extents, x.dtype)
        np.take(x[:, :, rows], columns, axis=3, out=out, mode="clip")
        return [out]
    if x.dtype != np.float32:
        raise ShapeError(f"input must be float32 for linear mode, not {x.dtype}; convert it")
    out = allocate(extents, x.dtype)
    planes = np.ascontiguousarray(x).reshape(-1, *x.shape[2:])
    down, across = (Interpolation.at(p, x.shape[2 + axis]) for axis, p in enumerate(places))
    kernels.resize_linear(planes, down, across, out.reshape(-1, *extents[2:]))
    return [out]
