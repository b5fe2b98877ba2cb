"""Running a hand-built kernel: buffers by name in, buffers by name out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import IdentityError, ShapeError
from vta_pynq.isa.table import INSN_BYTES, MemType
from vta_pynq.kernel import DramBuffer, Kernel
from vta_pynq.kernel.kernel import UOP_NAME
from vta_pynq.overlay.buffers import allocate, device_address, to_cpu, to_device
from vta_pynq.program.access import find_accesses
from vta_pynq.runtime.memory import check_bindable, plain
from vta_pynq.runtime.submission import DeviceQueue, Submission

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["element_shape", "run_kernel"]


def element_shape(mem: MemType, config: HwConfig) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of one DRAM element of a memory type (docs/isa.md, "Configuration")."""
    rows, lanes = config.batch, config.block
    shape, width = {
        MemType.UOP: ((), 8 * config.uop_bytes),
        MemType.WGT: ((lanes, lanes), config.wgt_width),
        MemType.INP: ((rows, lanes), config.inp_width),
        MemType.ACC: ((rows, lanes), config.acc_width),
        MemType.OUT: ((rows, lanes), config.out_width),
        MemType.ACC_8BIT: ((rows, lanes), config.inp_width),
    }[mem]
    if width % 8:  # packed: only whole elements have a dtype
        return (int(np.prod(shape)) * width // 8,), np.dtype(np.uint8)
    return shape, np.dtype(f"<{'u' if mem is MemType.UOP else 'i'}{width // 8}")


def run_kernel(
    overlay: VtaOverlay,
    kernel: Kernel,
    arrays: Mapping[str, Any],
    timeout_s: float,
) -> dict[str, npt.NDArray[Any]]:
    """Run a kernel once; see `VtaOverlay.run_kernel`."""
    _check(overlay, kernel, arrays)
    accesses = find_accesses(kernel.words, kernel.config)
    owner = dict(zip(kernel.reloc_insn.tolist(), kernel.reloc_buffer.tolist(), strict=True))
    stored = {owner[insn] for insn in accesses.insn[accesses.store].tolist() if insn in owner}
    # Not every buffer is touched: `Debug.disable` leaves instructions out.
    needed = {owner[insn] for insn in accesses.insn.tolist() if insn in owner} - stored
    buffers = {
        b.name: _place(overlay, kernel, b, arrays.get(b.name), b.index in needed)
        for b in kernel.buffers
    }
    insns = allocate(overlay.device, kernel.words.shape, kernel.words.dtype)
    words = kernel.link({name: device_address(buffer) for name, buffer in buffers.items()})
    insns[:] = words
    to_device([insns, *buffers.values()])
    base = device_address(insns)
    DeviceQueue.of(overlay.device).run(
        overlay.accelerator,
        [
            Submission(
                f"kernel '{kernel.name}', submission {number}",
                base + begin * INSN_BYTES,
                words[begin:end],
            )
            for number, (begin, end) in enumerate(kernel.submissions)
        ],
        timeout_s,
    )
    written = [b for b in kernel.buffers if b.index in stored]
    to_cpu(buffers[b.name] for b in written)
    return {b.name: _result(buffers[b.name], arrays.get(b.name), b, kernel) for b in written}


def _check(overlay: VtaOverlay, kernel: Kernel, arrays: Mapping[str, Any]) -> None:
    wanted, found = kernel.config, overlay.config
    if wanted.base_name != found.base_name or wanted.capabilities - found.capabilities:
        raise IdentityError(
            f"kernel '{kernel.name}': configuration must be {found.name} (overlay "
            f"{overlay.identity}), not {wanted.name}; build it with overlay.config"
        )
    known = [b.name for b in kernel.buffers if b.name != UOP_NAME]
    for name in arrays:
        if name not in known:
            raise ShapeError(
                f"kernel '{kernel.name}': buffer must be one of {', '.join(known)}, not '{name}'"
            )


def _place(
    overlay: VtaOverlay, kernel: Kernel, buffer: DramBuffer, given: Any, needed: bool
) -> Any:
    """The memory of one buffer, with its content, which somebody must give if it is `needed`."""
    where = f"kernel '{kernel.name}', buffer '{buffer.name}'"
    if getattr(given, "device_address", None) is not None:
        check_bindable(given, overlay.device, buffer.bytes, buffer.elem_bytes, where)
        return given
    memory = allocate(overlay.device, buffer.bytes, np.uint8)
    content = buffer.data if given is None else np.ascontiguousarray(given)
    if content is None:
        if needed:
            raise ShapeError(f"{where}: content must be given, as an array of that name")
        content = np.zeros(0, np.uint8)
    if content.dtype.hasobject:
        raise ShapeError(f"{where}: array must hold numbers, not {content.dtype}; convert it first")
    if content.nbytes != buffer.bytes and (given is not None):
        raise ShapeError(
            f"{where}: array must have {buffer.bytes} bytes ({buffer.elems} {buffer.mem.name} "
            f"elements), not {content.nbytes}"
        )
    flat = plain(memory)
    flat[: content.nbytes] = content.reshape(-1).view(np.uint8)
    flat[content.nbytes :] = 0
    return memory


def _result(memory: Any, given: Any, buffer: DramBuffer, kernel: Kernel) -> Any:
    if memory is given:
        return memory  # the caller's own buffer
    shape, dtype = element_shape(buffer.mem, kernel.config)
    return plain(memory).copy().view(dtype).reshape(buffer.elems, *shape)
