"""Contiguous buffers for blocks of arenas, and arrays over what lies in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import DeviceError
from vta_pynq.overlay.buffers import allocate, device_address
from vta_pynq.program import Tensor
from vta_pynq.runtime.placement import Block

__all__ = ["DeviceBlock", "array_of", "check_bindable", "host_memory"]

Bytes = npt.NDArray[np.uint8]

_HOST_ALIGNMENT = 64  # a cache line, and more than any dtype needs


class DeviceBlock:
    """A block in a contiguous buffer; the memory is given back when nobody uses it any more.

    Attributes
    ----------
    buffer
        The whole `PynqBuffer`: what is flushed and invalidated.
    address
        Byte address of the block's content as the accelerator sees it.
    bytes
        The content, as a plain uint8 array.
    """

    def __init__(self, device: Any, block: Block) -> None:
        # Programs of CPU steps only have an empty block, which not every allocator takes.
        self.buffer = allocate(device, max(block.bytes + block.slack, 1), np.uint8)
        skip = -device_address(self.buffer) % block.alignment
        self.address = device_address(self.buffer, skip)
        self.offsets = block.offsets
        self.bytes: Bytes = plain(self.buffer)[skip : skip + block.bytes]

    def place(self, arena: str) -> int:
        """The byte address of an arena."""
        return self.address + self.offsets[arena]

    def memory(self, arena: str, nbytes: int) -> Bytes:
        """The bytes of an arena."""
        offset = self.offsets[arena]
        return self.bytes[offset : offset + nbytes]


def plain(buffer: Any) -> Bytes:
    """The bytes of any C-contiguous array, as a plain uint8 array over the same memory."""
    flat: Bytes = buffer.view(np.ndarray).reshape(-1).view(np.uint8)
    return flat


def host_memory(nbytes: int) -> Bytes:
    """Memory for an arena that only the CPU sees; contents arbitrary."""
    raw = np.empty(nbytes + _HOST_ALIGNMENT, np.uint8)
    skip = -raw.__array_interface__["data"][0] % _HOST_ALIGNMENT
    return raw[skip : skip + nbytes]


def array_of(memory: Bytes, tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor in its arena's memory, of shape `tensor.stored_shape`."""
    raw = memory[tensor.offset : tensor.end]
    return raw.view(tensor.np_dtype).reshape(tensor.stored_shape)


def check_bindable(buffer: Any, device: Any, nbytes: int, alignment: int, where: str) -> None:
    """Refuse a caller's buffer that the accelerator cannot use in place of the runtime's own.

    Raises
    ------
    DeviceError
        The message says what is wrong with it.
    """
    # A board's buffers have XRT's handle, those of a remote device the server's number.
    known = any(getattr(buffer, name, None) is not None for name in ("bo", "buffer_id"))
    if not known or getattr(buffer, "device_address", None) is None:
        raise DeviceError(
            f"{where}: buffer must be contiguous memory of the device, not "
            f"{type(buffer).__name__}; use overlay.allocate()"
        )
    if buffer.device is not device:
        raise DeviceError(f"{where}: buffer must be of {device.name}'s memory, not of another's")
    if isinstance(buffer.base, type(buffer)):
        # From pynq 3.1 on a view's flush moves the whole buffer, and some releases give the
        # base's address for it.
        raise DeviceError(f"{where}: buffer must be whole, not a view; allocate one for it")
    if buffer.nbytes < nbytes or not buffer.flags.c_contiguous:
        raise DeviceError(
            f"{where}: buffer must have at least {nbytes} bytes, not {buffer.nbytes}; allocate "
            "it with the stored shape and dtype"
        )
    if device_address(buffer) % alignment:
        raise DeviceError(
            f"{where}: buffer must lie at a multiple of {alignment} bytes, not at "
            f"{device_address(buffer):#x}"
        )
