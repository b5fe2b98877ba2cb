"""Boards, as the files in `overlays/boards` describe them.

A board file gives what its processing system and Linux look like from software, and what a build
of hardware for it must know. The numbers are born there (docs/overlays.md); this module reads them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.json_file import JsonFile

__all__ = ["Board", "Logic", "boards", "get_board", "overlay_folder", "read_board"]

_MAX_DRAM_END = 1 << 32
"""The accelerator has 32 address bits."""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


@dataclasses.dataclass(frozen=True)
class Logic:
    """What a design may take of a part: LUTs, flip-flops, RAMB36 and DSP blocks."""

    lut: int
    ff: int
    bram36: int
    dsp: int


@dataclasses.dataclass(frozen=True)
class Board:
    """A board: addresses in bytes, clocks in MHz."""

    name: str
    """As `pynq.Device.name` gives it."""
    aliases: tuple[str, ...]
    """Other names; some images give one of them."""
    family: str
    """The processing system: a file of `overlays/processing_systems`."""
    arch: str
    part: str
    """As Vivado names it."""
    board_parts: tuple[str, ...]
    """Vivado board parts without version, in the order in which they are looked for."""
    board_connections: Mapping[str, str]
    """Connectors of the board part, and the carrier at each, without version."""
    bitstream_parts: tuple[str, ...]
    """Beginnings of the part strings of bitstreams that fit this die."""
    pl_window: int
    """Where the address maps of designs start."""
    dram_base: int
    dram_bytes: int
    """As far as 32 address bits reach."""
    cma_base: int
    """Where buffers usually start (the simulator always starts there)."""
    cma_bytes: int
    ps_clock_mhz: float
    pll_mhz: float
    clock_mhz: float
    """Clock of the logic in builds of the project's own design."""
    memory_ports: Mapping[str, tuple[str, ...]]
    """Ports to memory by option: `hp` (not coherent) and `acp` (coherent), most preferred first."""
    logic: Logic

    def is_called(self, name: str) -> bool:
        """Whether `name` means this board; case, dashes and spaces do not matter."""
        return _plain(name) in map(_plain, (self.name, *self.aliases))

    def accepts(self, part: str) -> bool:
        """Whether a bitstream built for `part` runs on this board."""
        return part.startswith(self.bitstream_parts)


def overlay_folder() -> Path:
    """The folder with board and variant files, `.hwh` files and the catalogue.

    It lies beside the package in a source tree and inside the installed package otherwise.

    Raises
    ------
    ConfigError
        Neither exists.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "overlays", package / "overlays"):
        if (folder / "boards").is_dir():
            return folder
    raise ConfigError(f"overlays: {package / 'overlays'} must exist; install vta_pynq again")


def _memory_ports(file: JsonFile) -> dict[str, tuple[str, ...]]:
    options: dict[str, object] = file.get("memory_ports", dict)
    if not options:
        raise ConfigError(f"{file.path}: memory_ports must name at least one option, not none")
    return {option: file.strings(f"memory_ports.{option}") for option in options}


def _check_memory(file: JsonFile) -> None:
    """Buffers lie in the memory that the accelerator reaches."""
    base, size = file.address("dram.base"), file.positive("dram.bytes", int)
    first, count = file.address("cma.base"), file.positive("cma.bytes", int)
    if base + size > _MAX_DRAM_END:
        raise ConfigError(
            f"{file.path}: dram must end below 4 GiB, not at 0x{base + size:x}; give the part "
            "that 32 address bits reach"
        )
    if not base <= first <= first + count <= base + size:
        raise ConfigError(
            f"{file.path}: cma must lie in dram, 0x{base:x} to 0x{base + size:x}, not at "
            f"0x{first:x} to 0x{first + count:x}"
        )


def read_board(path: str | Path) -> Board:
    """Read a board file.

    Raises
    ------
    ConfigError
        It cannot be read, lacks a key, or says what cannot be.
    """
    file = JsonFile(Path(path))
    _check_memory(file)
    return Board(
        name=file.get("name", str),
        aliases=file.strings("aliases", empty=True),
        family=file.get("family", str),
        arch=file.get("arch", str),
        part=file.get("part", str),
        board_parts=file.strings("board_parts"),
        board_connections=file.texts("board_connections"),
        bitstream_parts=file.strings("bitstream_parts"),
        pl_window=file.address("pl_window"),
        dram_base=file.address("dram.base"),
        dram_bytes=file.get("dram.bytes", int),
        cma_base=file.address("cma.base"),
        cma_bytes=file.get("cma.bytes", int),
        ps_clock_mhz=file.positive("ps_clock_mhz", float),
        pll_mhz=file.positive("pll_mhz", float),
        clock_mhz=file.positive("clock_mhz", float),
        memory_ports=_memory_ports(file),
        logic=Logic(
            lut=file.positive("logic.lut", int),
            ff=file.positive("logic.ff", int),
            bram36=file.positive("logic.bram36", int),
            dsp=file.positive("logic.dsp", int),
        ),
    )


@functools.cache
def boards() -> tuple[Board, ...]:
    """Every board that `overlays/boards` describes, by name."""
    found = map(read_board, sorted((overlay_folder() / "boards").glob("*.json")))
    return tuple(sorted(found, key=lambda board: board.name))


def get_board(name: str) -> Board:
    """The board of that name; case, dashes and spaces do not matter.

    Raises
    ------
    ConfigError
        There is no description of it.
    """
    for board in boards():
        if board.is_called(name):
            return board
    known = ", ".join(board.name for board in boards())
    raise ConfigError(f"board must be one of {known}, not {name!r}")
