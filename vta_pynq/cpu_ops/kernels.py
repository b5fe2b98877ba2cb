"""The kernels behind the operators: C on one of its paths, or numpy."""

from __future__ import annotations

from vta_pynq.cpu_ops.numpy_kernels import (
    dequantise,
    gather,
    look_up,
    max_pool,
    pack,
    quantise,
    requantise,
    resize_linear,
    sum_pool,
    unpack,
)

__all__ = [
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


def available_paths() -> tuple[str, ...]:
    """Paths that this build and this machine have, best last."""
    return ("numpy",)


def use_path(name: str) -> None:
    """Choose the path of all kernels."""
