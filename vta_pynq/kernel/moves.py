"""Loads and stores of the kernel builder: checks, splitting, encoding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import numpy as np

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, MemType, Module, Opcode, elem_bytes, sram_depth
from vta_pynq.kernel.buffers import DramBuffer, DramView
from vta_pynq.kernel.tracker import SramTracker
from vta_pynq.kernel.transfers import Transfer, field_limits, split
from vta_pynq.kernel.writer import Writer
from vta_pynq.timing.profiles import HwProfile

__all__ = ["MemoryMoves", "Pads", "Place"]

_LOADABLE = (MemType.INP, MemType.WGT, MemType.ACC, MemType.ACC_8BIT)
_NONE = (0, 0)
Pads = tuple[int, int]
Place = DramBuffer | DramView


class MemoryMoves:
    """The part of `KernelBuilder` that moves data between DRAM and the SRAMs."""

    def __init__(
        self, config: HwConfig, profile: HwProfile, writer: Writer, tracker: SramTracker | None
    ) -> None:
        self.config, self.profile = config, profile
        self._writer, self._tracker = writer, tracker
        # Whether the output buffer holds what the accumulator holds: only then may it be stored.
        self._out_valid = np.zeros(config.acc_depth, np.bool_)
        self._elem_bytes = [elem_bytes(config, mem) for mem in MemType]
        self._depth = [sram_depth(config, mem) for mem in MemType]
        limits = field_limits(config)
        self._max_size = min(limits["x_size"], limits["y_size"])
        self._max_stride, self._max_pad = limits["x_stride"], limits["y_pad_0"]
        shifts = {slot.field.name: slot.shift for slot in format_layout(config, MEM_FORMAT)}
        self._at_mem, self._at_sram = shifts["memory_type"], shifts["sram_base"]
        self._at_dram, self._at_y = shifts["dram_base"], shifts["y_size"]
        self._at_x, self._at_stride = shifts["x_size"], shifts["x_stride"]
        self._at_pads = [shifts[n] for n in ("y_pad_0", "y_pad_1", "x_pad_0", "x_pad_1")]

    def load(
        self,
        mem: MemType,
        sram: int,
        source: Place,
        y: int = 1,
        x: int = 1,
        stride: int | None = None,
        y_pad: Pads = _NONE,
        x_pad: Pads = _NONE,
    ) -> None:
        """Load `y` rows of `x` elements, zeros around them, to SRAM element `sram` onwards.

        The SRAM gets a dense image: `y_pad[0]` zero rows, then each row with `x_pad[0]` zeros
        before and `x_pad[1]` after it, then `y_pad[1]` zero rows. Row starts lie `stride`
        elements apart in DRAM (default `x`). Sizes, strides and paddings beyond the fields
        become several instructions. Weights cannot be padded: the published design ignores it.
        """
        buffer, offset = (
            (source.buffer, source.offset) if isinstance(source, DramView) else (source, 0)
        )
        # int(): numpy integers would overflow when the fields are packed.
        x = int(x)
        step = x if stride is None else int(stride)
        move = Transfer(int(sram), int(offset), int(y), x, step, y_pad, x_pad)
        self._check_move("LOAD", mem, move, buffer)
        if self._fits(move):
            self._load(mem, move, buffer)
        else:
            for part in split(move, self._max_size, self._max_stride, self._max_pad):
                self._load(mem, part, buffer)

    def store(
        self, sram: int, target: Place, y: int = 1, x: int = 1, stride: int | None = None
    ) -> None:
        """Store `y` rows of `x` elements of the output buffer, dense from element `sram`.

        Row starts lie `stride` elements apart in DRAM (default `x`). Every element must have
        been written last by an ALU operation or a GEMM without reset: the output buffer does
        not see loads and resets.
        """
        buffer, offset = (
            (target.buffer, target.offset) if isinstance(target, DramView) else (target, 0)
        )
        sram, y, x = int(sram), int(y), int(x)
        move = Transfer(sram, int(offset), y, x, x if stride is None else int(stride))
        self._check_move("STORE", MemType.OUT, move, buffer)
        if not self._out_valid[sram : sram + x * y].all() and not self.profile.store_reads_acc:
            wrong = sram + int(np.argmin(self._out_valid[sram : sram + x * y]))
            raise KernelError(
                f"STORE: element {wrong} must be written last by the ALU or a GEMM without reset, "
                "not by a load, a reset or nothing; add 0 to it with the ALU first"
            )
        parts: Iterable[Transfer] = (move,)
        if not self._fits(move):
            parts = split(move, self._max_size, self._max_stride, self._max_pad)
        writer = self._writer
        for part in parts:
            writer.begin(Module.STORE)
            if self._tracker is not None:
                self._tracker.store(part, buffer)
            words = self._mem_words(Opcode.STORE, MemType.OUT, part)
            writer.emit(Module.STORE, *words, buffer.index)

    def _fits(self, move: Transfer) -> bool:
        return (
            move.x <= self._max_size
            and move.y <= self._max_size
            and move.stride <= self._max_stride
            and (move.y_pad is _NONE or max(move.y_pad) <= self._max_pad)
            and (move.x_pad is _NONE or max(move.x_pad) <= self._max_pad)
        )

    def _load(self, mem: MemType, part: Transfer, buffer: DramBuffer) -> None:
        writer, tracker = self._writer, self._tracker
        if mem == MemType.INP or mem == MemType.WGT:
            writer.begin(Module.LOAD)
            if tracker is not None:
                tracker.load(mem, part, buffer)
            writer.emit(Module.LOAD, *self._mem_words(Opcode.LOAD, mem, part), buffer.index)
            return
        writer.begin(Module.COMPUTE)
        if tracker is not None:
            tracker.load_acc(part, buffer)
        writer.emit(Module.COMPUTE, *self._mem_words(Opcode.LOAD, mem, part), buffer.index)
        self._out_valid[part.sram : part.sram + part.sram_elems] = False

    def _mem_words(self, opcode: int, mem: int, move: Transfer) -> tuple[int, int]:
        word1 = move.y << self._at_y | move.x << self._at_x | move.stride << self._at_stride
        if move.y_pad is not _NONE or move.x_pad is not _NONE:
            for value, shift in zip((*move.y_pad, *move.x_pad), self._at_pads, strict=True):
                word1 |= int(value) << shift
        return (
            opcode | mem << self._at_mem | move.sram << self._at_sram | move.dram << self._at_dram,
            word1,
        )

    def _check_move(self, what: str, mem: MemType, move: Transfer, buffer: DramBuffer) -> None:
        fine = (
            buffer.owner is self
            and buffer.elem_bytes == self._elem_bytes[mem]
            and move.x > 0
            and move.y > 0
            and move.stride >= 0
            and move.sram >= 0
            and move.dram >= 0
            and move.dram + (move.y - 1) * move.stride + move.x <= buffer.elems
            and (move.y_pad is _NONE or min(move.y_pad) >= 0)
            and (move.x_pad is _NONE or min(move.x_pad) >= 0)
            and move.sram + move.sram_elems <= self._depth[mem]
            and (what == "STORE" or mem == MemType.INP or mem == MemType.WGT)
            and (mem != MemType.WGT or move.sram_elems == move.x * move.y)
        )
        if not fine:
            self._explain(what, mem, move, buffer)

    def _explain(self, what: str, mem: MemType, move: Transfer, buffer: DramBuffer) -> None:
        """Raise the reason why a move is not plainly fine, if there is one."""
        if what == "LOAD":
            self._check_loadable(mem)
        name = f"{what} {MemType(mem).name}"

        def refuse(rule: str) -> NoReturn:
            raise KernelError(f"{name}: {rule}")

        if buffer.owner is not self:
            refuse(f"buffer '{buffer.name}' must be of this builder, not another; declare it here")
        if buffer.elem_bytes != self._elem_bytes[mem]:
            refuse(
                f"buffer '{buffer.name}' must have elements of {self._elem_bytes[mem]} bytes, not "
                f"{buffer.elem_bytes} ({buffer.mem.name}); use a buffer of that memory type"
            )
        for label, value, low in (
            ("x", move.x, 1), ("y", move.y, 1), ("stride", move.stride, 0), ("sram", move.sram, 0),
            ("DRAM offset", move.dram, 0), ("padding", min(*move.y_pad, *move.x_pad), 0),
        ):  # fmt: skip
            if value < low:
                refuse(f"{label} must be at least {low}, not {value}")
        end = move.dram + (move.y - 1) * move.stride + move.x
        if end > buffer.elems:
            refuse(
                f"rows must end within the {buffer.elems} elements of buffer '{buffer.name}', "
                f"not at {end}; move fewer elements or declare a larger buffer"
            )
        if mem == MemType.WGT and move.sram_elems != move.x * move.y:
            refuse(
                "padding must be 0 (the published design ignores it for weights), not "
                f"{(*move.y_pad, *move.x_pad)}; keep zeros in DRAM"
            )
        if move.sram + move.sram_elems > self._depth[mem]:
            refuse(
                f"SRAM elements must end within {self._depth[mem]} ({self.config.name}), not at "
                f"{move.sram + move.sram_elems}; use a smaller tile"
            )

    def _check_loadable(self, mem: MemType) -> None:
        config, profile = self.config, self.profile
        if mem not in _LOADABLE:
            names = ", ".join(m.name for m in _LOADABLE)
            raise KernelError(
                f"LOAD: memory type must be one of {names}, not {mem!r}; micro-ops are loaded by "
                "the builder"
            )
        if mem in (MemType.ACC, MemType.ACC_8BIT) and (
            profile.batch_limit is not None and config.batch > profile.batch_limit
        ):
            raise KernelError(
                f"LOAD {mem.name}: batch must be at most {profile.batch_limit} (profile "
                f"{profile.name}), not {config.batch}; use another configuration"
            )
        if mem == MemType.ACC_8BIT and not (
            profile.load_acc8 == "yes" or config.has(Capability.LOAD_ACC8)
        ):
            raise KernelError(
                f"LOAD ACC_8BIT: {config.name} with profile {profile.name} must have the "
                f"capability {Capability.LOAD_ACC8}, not lack it; load 32-bit accumulators"
            )
