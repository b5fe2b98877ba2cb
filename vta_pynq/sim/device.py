"""SimDevice: a `pynq.Device` in software, with DRAM, registers, clocks and interrupts.

It takes a board's place underneath the same overlay class, drivers and buffers. Importing this
module lets pynq find it where there is no board and no remote board; `activate` asks for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pynq.pl_server.device import Device

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, DeviceError, SimError
from vta_pynq.isa.registers import AXI_INTC, DESIGNS, REGISTER_BYTES, Design
from vta_pynq.overlay.bitfile import read_bit_header
from vta_pynq.overlay.descriptions import Board, get_board
from vta_pynq.overlay.identity import Identity, read_identity
from vta_pynq.sim import _compat
from vta_pynq.sim.accelerator import AcceleratorModel
from vta_pynq.sim.buffers import SimBuffer, SimMemory
from vta_pynq.sim.clock_registers import clock_registers
from vta_pynq.sim.dram import DramImages
from vta_pynq.sim.engines import DesignEngine, EngineFactory, FastEngine
from vta_pynq.sim.interrupts import UioLine, wire_interrupts
from vta_pynq.sim.mapped import RegisterArray, Slave
from vta_pynq.sim.slaves import AxiInterruptController, Bus, RegisterFile
from vta_pynq.sim.window import Window

__all__ = ["DEFAULT_BOARD", "SimDevice", "activate"]

DEFAULT_BOARD = "Pynq-Z2"


class SimDevice(Device):  # type: ignore[misc]  # pynq has no types
    """A simulated board.

    Parameters
    ----------
    tag
        Distinguishes devices; any string.
    board
        A board that `overlays/boards` describes.
    engine
        Makes the engine of a downloaded design; the C engine unless told otherwise.
    lock_file
        Where to take the lock that guards the logic against other processes. A simulated
        device belongs to its process alone, so there is none unless given.
    pace
        See `AcceleratorModel`.
    built
        The configuration that a bitstream with an identity register says it was built with;
        that of its metadata, unless it is to be another bitstream under that name.

    Attributes
    ----------
    dram
        The two images of DRAM and their allocator.
    accelerator
        The model of the loaded design's blocks; None before a download.
    downloads
        Designs loaded so far.
    """

    _probe_priority_ = 500  # after every device of pynq's own

    @classmethod
    def _probe_(cls) -> list[SimDevice]:
        return [] if _compat.real_device_exists(os.environ) else [cls()]

    def __init__(
        self,
        tag: str = "sim",
        board: str | Board = DEFAULT_BOARD,
        engine: EngineFactory = FastEngine,
        lock_file: Path | None = None,
        pace: Callable[[str], None] | None = None,
        built: HwConfig | None = None,
    ) -> None:
        super().__init__(tag)
        self.board = board if isinstance(board, Board) else get_board(board)
        self.name = self.board.name
        self.arch = self.board.arch
        self.capabilities = {"MEMORY_MAPPED": True, "REGISTER_RW": False, "CALLABLE": False}
        self.lock_file = lock_file
        self.dram = DramImages(self.board.cma_base, self.board.cma_bytes)
        self.accelerator: AcceleratorModel | None = None
        self.downloads = 0
        self._engine = engine
        self._pace = pace
        self._built = built
        self._lock = threading.RLock()
        self._uio = UioLine()
        self._ps_bus = Bus(self._lock)
        for base, size, registers in clock_registers(self.board):
            self._ps_bus.attach(base, size, registers)
        self._bus = Bus(self._lock)
        self._memories: list[tuple[int, bytearray]] = []

    def runs(self, engine: EngineFactory | None) -> bool:
        """Whether this device's engine is `engine`, or for None any but that of the HLS design."""
        return self._engine is engine or (engine is None and self._engine is not DesignEngine)

    @property
    def bus_accesses(self) -> int:
        """Reads and writes of registers of the loaded design so far."""
        return self._bus.accesses

    def find_slave(self, address: int, length: int) -> tuple[Slave, int]:
        """What answers at `address` now: the processing system, or the loaded design."""
        try:
            return self._ps_bus.find(address, length)
        except RuntimeError:
            return self._bus.find(address, length)

    # ---- registers and memory ------------------------------------------------------------

    def attach(self, base: int, size: int, slave: Slave) -> None:
        """Let another slave answer, beside every design that is loaded."""
        self._ps_bus.attach(base, size, slave)

    def attach_memory(self, base: int, memory: bytearray) -> None:
        """Let plain memory answer: mapping it gives the memory itself."""
        self._memories.append((base, memory))

    def mmap(self, base_addr: int, length: int) -> npt.NDArray[np.uint32]:
        """Map registers, as `/dev/mem` does on a board.

        Raises
        ------
        RuntimeError
            No slave answers there.
        """
        for base, memory in self._memories:
            if base <= base_addr and base_addr + length <= base + len(memory):
                count = length // REGISTER_BYTES
                return np.frombuffer(memory, np.uint32, count, base_addr - base)
        return RegisterArray(Window(self, base_addr, length), 0, length // REGISTER_BYTES)

    def read_registers(self, address: int, length: int) -> bytes:
        """Read registers one after the other, for pynq's other way of accessing them."""
        words = []
        for place in range(address, address + length, REGISTER_BYTES):
            slave, offset = self.find_slave(place, REGISTER_BYTES)
            words.append(slave.read(offset).to_bytes(REGISTER_BYTES, "little"))
        return b"".join(words)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write registers one after the other, for pynq's other way of accessing them."""
        for place in range(0, len(data), REGISTER_BYTES):
            slave, offset = self.find_slave(address + place, REGISTER_BYTES)
            slave.write(offset, int.from_bytes(data[place : place + REGISTER_BYTES], "little"))

    @property
    def default_memory(self) -> SimMemory:
        """The memory that `allocate` takes from."""
        return SimMemory(self, self._psddr())

    def get_memory(self, description: Mapping[str, Any]) -> SimMemory:
        """The memory that an entry of `mem_dict` describes."""
        return SimMemory(self, description)

    def _psddr(self) -> dict[str, Any]:
        return {
            "raw_type": 2,
            "used": 1,
            "base_address": self.board.dram_base,
            "size": self.board.dram_bytes,
            "type": "DDR4",
            "streaming": False,
            "idx": 0,
            "tag": "PSDDR",
        }

    def allocate(self, shape: Any, dtype: Any = "u4", **kwargs: Any) -> SimBuffer:
        """Allocate a contiguous buffer."""
        return self.default_memory.allocate(shape, dtype, **kwargs)

    def flush(self, bo: int, offset: int, ptr: int, size: int) -> None:
        """Write cached bytes of a buffer back, as much as the installed pynq would."""
        if self.dram.is_cpu_pointer(ptr):
            self.dram.clean(*self._sync_range(bo, offset, size))

    def invalidate(self, bo: int, offset: int, ptr: int, size: int) -> None:
        """Drop cached bytes of a buffer, as many as the installed pynq would."""
        if self.dram.is_cpu_pointer(ptr):
            self.dram.refresh(*self._sync_range(bo, offset, size))

    def _sync_range(self, bo: int, offset: int, size: int) -> tuple[int, int]:
        if _compat.SYNC_WHOLE_BUFFER:
            return bo, self.dram.used[bo]
        return bo + offset, size

    # ---- bitstreams ----------------------------------------------------------------------

    def set_bitfile_name(self, bitfile_name: str) -> None:
        """Read a bitstream's metadata before its download, which also sets the clocks."""
        _compat.choose_clocks(self)
        super().set_bitfile_name(bitfile_name)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """The parser of the `.hwh` file next to a bitstream.

        Raises
        ------
        RuntimeError
            There is none (the exception of the real device).
        """
        path = Path(bitfile_name).with_suffix(".hwh")
        if not path.is_file():
            raise RuntimeError(f"Unable to find metadata for bitstream: no file {path}")
        parser = _compat.parse_hwh(path)
        parser.mem_dict["PSDDR"] = self._psddr()
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Load a design: all its state, the accelerator's included, is new.

        Raises
        ------
        DeviceError
            The file is not a bitstream for this board's part, or a partial one.
        ConfigError
            The accelerator's configuration cannot be told from the metadata.
        """
        path = Path(bitstream.bitfile_name)
        if parser is None:
            parser = self.get_bitfile_metadata(str(path))
        if bitstream.partial:
            raise DeviceError(f"{self.name}: {path} must be a full bitstream, not a partial one")
        self._check_part(path)
        identity = read_identity(path, parser.ip_dict)
        if self.accelerator is not None:
            self.accelerator.stop()
        with self._lock:
            self._build(parser, identity)
        _compat.post_download(self, bitstream, parser)
        pins = [*parser.interrupt_controllers.values(), *parser.interrupt_pins.values()]
        _compat.connect_uio(pins, self._uio)

    def _check_part(self, path: Path) -> None:
        if path.suffix != ".bit":
            return
        try:
            part = read_bit_header(path).part
        except ConfigError as error:
            raise DeviceError(str(error)) from None
        if not self.board.accepts(part):
            wanted = " or ".join(self.board.bitstream_parts)
            raise DeviceError(
                f"{path}: the bitstream's part must start with {wanted} ({self.name}), not {part}"
            )

    def _build(self, parser: Any, identity: Identity | None) -> None:
        """Put the slaves of a design on the bus."""
        self.downloads += 1
        self._bus = Bus(self._lock)
        self._uio = UioLine()
        slaves: dict[str, Any] = {}
        controllers = {}
        model = None
        if identity is not None:
            model = self._model(identity.design, identity.config, identity)
        for name, entry in parser.ip_dict.items():
            if "phys_addr" not in entry:
                continue
            slave = self._slave(entry["type"], model)
            if isinstance(slave, AxiInterruptController):
                controllers[name] = slave
            slaves[name] = slave
            self._bus.attach(entry["phys_addr"], entry["addr_range"], slave)
        if model is not None:
            own = list(model.slaves.values())
            blocks = {n: s for n, s in slaves.items() if s in own}
            wire_interrupts(blocks, controllers, parser.interrupt_pins)
        self.accelerator = model

    def _model(self, design: Design, config: HwConfig, identity: Identity) -> AcceleratorModel:
        try:
            engine = self._engine(config, identity.profile, self.dram)
        except ImportError as error:
            raise SimError(
                f"simulator: vta_pynq.sim._engine must be built ({error}); "
                "run 'pip install .' or 'python setup.py build_ext --inplace'"
            ) from None
        return AcceleratorModel(
            design,
            config,
            self.dram,
            engine,
            self._lock,
            self._pace,
            profile=identity.profile,
            built=self._built,
        )

    def _slave(self, vlnv: str, model: AcceleratorModel | None) -> Any:
        if vlnv.rpartition(":")[0] == AXI_INTC.vlnv.rpartition(":")[0]:
            return AxiInterruptController(self._uio.set_level)
        for design in DESIGNS.values():
            block = design.block_of_vlnv(vlnv)
            if block is not None and model is not None:
                return model.slaves.get(block.name) or RegisterFile()
        return RegisterFile()

    # ---- what a real device does to the machine ------------------------------------------

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing: the real device writes its metadata cache into pynq's own folder."""

    def shutdown(self) -> None:
        """Nothing: there are no AXI connections to drain."""

    def insert_device_tree(self, abs_dtbo: str) -> None:
        """Nothing: there is no kernel to tell."""

    def remove_device_tree(self, abs_dtbo: str) -> None:
        """Nothing: there is no kernel to tell."""

    def free_bitstream(self) -> None:
        """Nothing: the logic stays as it is."""

    def close(self) -> None:
        """Nothing: there is no server to leave."""


def activate(device: SimDevice | None = None, engine: EngineFactory | None = None) -> SimDevice:
    """Make a simulated device pynq's default device, whatever else there is.

    `device` is the one to take; without it the one that is active stays, or a new one is made.
    `engine` asks for a device with that engine; without it one that runs the HLS design, which is
    slow, does not stay.
    """
    if device is None:
        active = getattr(Device, "_active_device", None)
        device = active if isinstance(active, SimDevice) and active.runs(engine) else None
    if device is None:
        device = SimDevice() if engine is None else SimDevice(tag="design", engine=engine)
    _compat.make_default_device(device)
    return device
