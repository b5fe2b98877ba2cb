"""The kernels behind the operators: C on one of its paths, or numpy.

Arrays are contiguous; their shapes and dtypes have been checked. The C code runs without the
interpreter's lock. What each function computes is said in `numpy_kernels`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops import numpy_kernels
from vta_pynq.cpu_ops.grid import Grid
from vta_pynq.cpu_ops.interpolation import Interpolation
from vta_pynq.cpu_ops.registry import Array
from vta_pynq.cpu_ops.scales import dtype_range
from vta_pynq.cpu_ops.windows import Window
from vta_pynq.errors import VtaError

try:
    from vta_pynq.cpu_ops._kernels import ffi, lib
except ImportError as error:
    raise ImportError(
        f"vta_pynq.cpu_ops: C extension must be built for this interpreter, not missing ({error}); "
        "run 'make build', or install vta-pynq again"
    ) from error

__all__ = [
    "PATH_VARIABLE",
    "available_paths",
    "dequantise",
    "gather",
    "look_up",
    "max_pool",
    "pack",
    "quantise",
    "requantise",
    "resize_linear",
    "sum_pool",
    "unpack",
    "use_path",
]

PATH_VARIABLE = "VTA_CPU_PATH"
"""Environment variable that forces a dispatch path."""

_NUMPY = "numpy"


def _compiled_paths() -> dict[str, int]:
    found: dict[str, int] = {}
    number = 0
    while (name := lib.cpu_path_name(number)) != ffi.NULL:
        if lib.cpu_path_available(number):
            found[ffi.string(name).decode()] = number
        number += 1
    return found


_NUMBERS: dict[str, int | None] = {_NUMPY: None, **_compiled_paths()}
_path: int | None = None


def available_paths() -> tuple[str, ...]:
    """Paths that this build and this machine have, best last."""
    return tuple(_NUMBERS)


def use_path(name: str | None = None) -> str:
    """Choose the path of all kernels of the process.

    Parameters
    ----------
    name
        One of `available_paths`; default: `VTA_CPU_PATH`, else the best. Integer results are the
        same on all of them.

    Returns
    -------
    str
        The path that is used from now on.

    Raises
    ------
    VtaError
        This machine or build has no such path.
    """
    global _path
    wanted = name or os.environ.get(PATH_VARIABLE) or available_paths()[-1]
    if wanted not in _NUMBERS:
        raise VtaError(
            f"cpu_ops: {'path' if name else PATH_VARIABLE} must be one of "
            f"{', '.join(_NUMBERS)} on this machine, not {wanted!r}"
        )
    _path = _NUMBERS[wanted]
    return wanted


use_path()


def _pointer(array: Array, kind: str) -> Any:
    # Takes read-only memory too; empty arrays have none worth naming.
    return ffi.cast(kind, ffi.from_buffer(array)) if array.size else ffi.NULL


def _grid(grid: Grid) -> Any:
    return ffi.new("cpu_grid *", grid.shape)


def look_up(x: Array, table: Array, out: Array) -> None:
    """Entries of a table of 256 bytes or float32."""
    if _path is None:
        return numpy_kernels.look_up(x, table, out)
    x, table = np.ascontiguousarray(x), np.ascontiguousarray(table)
    lib.cpu_look_up(
        _path, _pointer(out, "void *"), _pointer(x, "uint8_t *"), _pointer(table, "void *"),
        x.size, table.itemsize,
    )  # fmt: skip


def quantise(x: Array, scale: Array, grid: Grid, zero_point: int, out: Array) -> None:
    """float32 to int8 or uint8."""
    if _path is None:
        return numpy_kernels.quantise(x, scale, grid, zero_point, out)
    low, high = dtype_range(out.dtype)
    limits = (zero_point, low - zero_point, high - zero_point)
    lib.cpu_quantise(
        _path, _pointer(out, "uint8_t *"), _pointer(x, "float *"), _pointer(scale, "float *"),
        _grid(grid), ffi.new("cpu_limits *", limits),
    )  # fmt: skip


_VALUE_BYTES = {np.dtype("uint8"): 1, np.dtype("int8"): -1, np.dtype("int32"): 4}


def dequantise(x: Array, scale: Array, grid: Grid, zero_point: int, out: Array) -> None:
    """Integers to float32."""
    kind = _VALUE_BYTES.get(x.dtype)
    if _path is None or kind is None or (kind == 4 and zero_point):
        return numpy_kernels.dequantise(x, scale, grid, zero_point, out)
    lib.cpu_dequantise(
        _path, _pointer(out, "float *"), _pointer(x, "void *"), kind, _pointer(scale, "float *"),
        _grid(grid), zero_point,
    )  # fmt: skip


def requantise(
    planes: Sequence[Array],
    scale: Array,
    negative_scale: Array | None,
    grid: Grid,
    limits: tuple[int, int, int],
    half_up: bool,
    out: Array,
) -> None:
    """int32, or its four planes of bytes, to int8 or uint8."""
    if _path is None:
        return numpy_kernels.requantise(planes, scale, negative_scale, grid, limits, half_up, out)
    zero_point, low, high = limits
    pointers = ffi.new("void *[4]", [_pointer(plane, "void *") for plane in planes])
    negative = ffi.NULL if negative_scale is None else _pointer(negative_scale, "void *")
    reduced = ffi.new("cpu_limits *", (zero_point, low - zero_point, high - zero_point))
    lib.cpu_requantise(
        _path, _pointer(out, "uint8_t *"), pointers, len(planes), _pointer(scale, "void *"),
        negative, _grid(grid), reduced, scale.dtype == np.float32, half_up,
    )  # fmt: skip


def pack(x: Array, batch: int, block: int, fill: int, offset: int, out: Array) -> None:
    """Planes of bytes to blocks."""
    if _path is None:
        return numpy_kernels.pack(x, batch, block, fill, offset, out)
    blocks = ffi.new("cpu_blocks *", (*x.shape, batch, block))
    lib.cpu_pack(
        _path, _pointer(out, "uint8_t *"), _pointer(x, "uint8_t *"), blocks, fill, offset & 255
    )


def unpack(x: Array, offset: int, out: Array) -> None:
    """Blocks to planes of bytes."""
    if _path is None:
        return numpy_kernels.unpack(x, offset, out)
    blocks = ffi.new("cpu_blocks *", (*out.shape, *x.shape[-2:]))
    lib.cpu_unpack(
        _path, _pointer(out, "uint8_t *"), _pointer(x, "uint8_t *"), blocks, offset & 255
    )


def gather(
    x: Array, lanes: Array, strides: tuple[int, int], fill: int, offset: int, out: Array
) -> None:
    """Lanes of a few-channel image."""
    if _path is None:
        return numpy_kernels.gather(x, lanes, strides, fill, offset, out)
    _, _, rows, columns, batch, block = out.shape
    blocks = ffi.new("cpu_blocks *", (x.shape[0], lanes.shape[0], rows * columns, batch, block))
    lib.cpu_gather(
        _path, _pointer(out, "uint8_t *"), _pointer(x, "uint8_t *"), blocks,
        _pointer(lanes, "int32_t *"), ffi.new("int64_t[3]", x.shape[1:]),
        ffi.new("int64_t[2]", (rows, columns)), ffi.new("int64_t[2]", strides), fill, offset & 255,
    )  # fmt: skip


def _window(x: Array, window: Window) -> Any:
    planes = (x.shape[0] * x.shape[1], *x.shape[2:], *window.extent)
    axes = (window.kernel, window.strides, window.pads[:2], window.dilations)
    return ffi.new("cpu_window *", (*planes, *axes))


def _check(status: int) -> None:
    if status:
        raise MemoryError


_POOL_KINDS = {np.dtype("uint8"): 1, np.dtype("int8"): -1, np.dtype("float32"): 4}


def max_pool(x: Array, window: Window, out: Array) -> None:
    """Largest values of windows."""
    if _path is None or not out.size:
        return numpy_kernels.max_pool(x, window, out)
    kind = _POOL_KINDS[x.dtype]
    to, values = _pointer(out, "void *"), _pointer(x, "void *")
    _check(lib.cpu_max_pool(_path, to, values, _window(x, window), kind))


def sum_pool(x: Array, window: Window, out: Array) -> None:
    """Sums of windows of float32."""
    if _path is None or not out.size:
        return numpy_kernels.sum_pool(x, window, out)
    to, values = _pointer(out, "float *"), _pointer(x, "float *")
    _check(lib.cpu_sum_pool(_path, to, values, _window(x, window)))


def resize_linear(x: Array, rows: Interpolation, columns: Interpolation, out: Array) -> None:
    """Planes of float32 at another size."""
    if _path is None:
        return numpy_kernels.resize_linear(x, rows, columns, out)
    pairs = [np.stack([axis.first, axis.second]) for axis in (rows, columns)]
    _check(
        lib.cpu_resize_linear(
            _path, _pointer(out, "float *"), _pointer(x, "float *"),
            ffi.new("int64_t[5]", (*x.shape, *out.shape[1:])),
            _pointer(pairs[0], "int32_t *"), _pointer(rows.weights, "float *"),
            _pointer(pairs[1], "int32_t *"), _pointer(columns.weights, "float *"),
        )
    )  # fmt: skip
