"""Contiguous buffers and cache maintenance: the one place that flushes and invalidates.

Buffers are cacheable unless asked otherwise, because the CPU reads and writes uncached memory
many times slower. What the CPU wrote must be flushed before the accelerator reads it; what the
accelerator wrote must be invalidated before the CPU reads it. From pynq 3.1 on either call moves
the whole buffer, so regions that are synchronised separately belong in separate buffers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import DeviceError, ShapeError

__all__ = ["allocate", "device_address", "to_cpu", "to_device"]


def allocate(
    device: Any, shape: int | tuple[int, ...], dtype: npt.DTypeLike, *, cacheable: bool = True
) -> Any:
    """A `PynqBuffer` on `device`; its contents are arbitrary.

    Raises
    ------
    DeviceError
        There is no contiguous memory of that size.
    ShapeError
        A length is negative.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    if any(length < 0 for length in shape):
        raise ShapeError(f"{device.name}: lengths of a buffer must be at least 0, not {shape}")
    try:
        return device.allocate(shape, np.dtype(dtype), cacheable=int(cacheable))
    except (RuntimeError, MemoryError) as error:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        reason = str(error).partition(";")[0]
        raise DeviceError(
            f"{device.name}: {nbytes} bytes of contiguous memory must be free: {reason}; free "
            "buffers that are not in use, or boot with a larger CMA area"
        ) from None


def device_address(buffer: Any, offset: int = 0) -> int:
    """The byte address at which a master finds byte `offset` of a whole buffer.

    Views are no good here: their `device_address` is the base's on some pynq releases.
    """
    return int(buffer.device_address) + offset


def to_device(buffers: Iterable[Any]) -> None:
    """Let the accelerator see what the CPU wrote."""
    for buffer in buffers:
        buffer.flush()


def to_cpu(buffers: Iterable[Any]) -> None:
    """Let the CPU see what the accelerator wrote."""
    for buffer in buffers:
        buffer.invalidate()
