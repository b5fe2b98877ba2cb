"""Boards and overlay variants, as the JSON files in `overlays/` describe them.

A board file gives what the processing system and its Linux look like from software; a variant
file gives one bitstream's design, address map, configuration, boards and clock. The numbers are
born there (docs/overlays.md); this module reads them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.registers import AddressMap, Design, get_design
from vta_pynq.timing.profiles import HwProfile, get_profile

__all__ = [
    "Board",
    "Variant",
    "boards",
    "find_variant",
    "get_board",
    "overlay_folder",
    "read_variant",
    "variants",
]

T = TypeVar("T")


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


@dataclasses.dataclass(frozen=True)
class Board:
    """A board as software sees it: addresses in bytes, clocks in MHz."""

    name: str
    """As `pynq.Device.name` gives it."""
    family: str
    arch: str
    part: str
    bitstream_parts: tuple[str, ...]
    """Beginnings of the part strings of bitstreams that fit this die."""
    pl_window: int
    """Where the address maps of designs start."""
    dram_base: int
    dram_bytes: int
    cma_base: int
    """Where buffers usually start (the simulator always starts there)."""
    cma_bytes: int
    ps_clock_mhz: float
    pll_mhz: float
    memory_port: str

    def is_called(self, name: str) -> bool:
        """Whether `name` means this board; case, dashes and spaces do not matter."""
        return _plain(name) == _plain(self.name)

    def accepts(self, part: str) -> bool:
        """Whether a bitstream built for `part` runs on this board."""
        return part.startswith(self.bitstream_parts)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One bitstream: `name` is its path below `overlays/` without the suffix."""

    name: str
    design: Design
    address_map: AddressMap
    config: HwConfig
    profile: HwProfile
    boards: tuple[str, ...]
    clock_mhz: float
    doc: str = ""

    @property
    def stem(self) -> str:
        """The bitstream's file name without folder and suffix."""
        return self.name.rpartition("/")[2]

    @property
    def version(self) -> tuple[int, ...]:
        """The release as a tuple of numbers; empty where the name has none."""
        words = self.name.split("/")[-2:-1]
        parts = words[0].split(".") if words else []
        return tuple(map(int, parts)) if all(p.isdigit() for p in parts) else ()

    def to_dict(self) -> dict[str, Any]:
        """What a variant file says; `read_variant` reads it back."""
        return {
            "name": self.name,
            "design": self.design.name,
            "address_map": self.address_map.name,
            "config": self.config.name,
            "profile": self.profile.name,
            "boards": list(self.boards),
            "clock_mhz": self.clock_mhz,
            "doc": self.doc,
        }


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


class _Json:
    """The object in one JSON file, with checked access to its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: must be readable JSON: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: must hold an object, not {type(values).__name__}")
        self.values: Mapping[str, Any] = values

    def get(self, key: str, kind: type[T]) -> T:
        value: Any = self.values
        for word in key.split("."):
            value = value.get(word) if isinstance(value, dict) else None
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return kind(value)  # type: ignore[call-arg]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{self.path}: {key} must be a {kind.__name__}, not {value!r}")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        values: list[Any] = self.get(key, list)
        if not values or not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{self.path}: {key} must be a list of strings, not {values!r}")
        return tuple(values)

    def address(self, key: str) -> int:
        text = self.get(key, str)
        try:
            return int(text, 16)
        except ValueError:
            raise ConfigError(
                f"{self.path}: {key} must be a hexadecimal address, not {text!r}"
            ) from None


def _read_board(path: Path) -> Board:
    file = _Json(path)
    return Board(
        name=file.get("name", str),
        family=file.get("family", str),
        arch=file.get("arch", str),
        part=file.get("part", str),
        bitstream_parts=file.strings("bitstream_parts"),
        pl_window=file.address("pl_window"),
        dram_base=file.address("dram.base"),
        dram_bytes=file.get("dram.bytes", int),
        cma_base=file.address("cma.base"),
        cma_bytes=file.get("cma.bytes", int),
        ps_clock_mhz=file.get("ps_clock_mhz", float),
        pll_mhz=file.get("pll_mhz", float),
        memory_port=file.get("memory_port", str),
    )


def read_variant(path: str | Path) -> Variant:
    """Read a variant file.

    Raises
    ------
    ConfigError
        It cannot be read, lacks a key, or names an unknown design, map or profile.
    """
    file = _Json(Path(path))
    try:
        design = get_design(file.get("design", str))
        config = HwConfig.from_name(file.get("config", str))
        profile = get_profile(file.get("profile", str))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    map_name = file.get("address_map", str)
    if map_name not in design.address_maps:
        known = ", ".join(design.address_maps)
        raise ConfigError(f"{path}: address_map must be one of {known}, not {map_name!r}")
    return Variant(
        name=file.get("name", str),
        design=design,
        address_map=design.address_maps[map_name],
        config=config,
        profile=profile,
        boards=file.strings("boards"),
        clock_mhz=file.get("clock_mhz", float),
        doc=file.get("doc", str),
    )


@functools.cache
def boards() -> tuple[Board, ...]:
    """Every board that `overlays/boards` describes, by name."""
    found = map(_read_board, sorted((overlay_folder() / "boards").glob("*.json")))
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


@functools.cache
def variants() -> tuple[Variant, ...]:
    """Every variant that `overlays/variants` describes, oldest release first."""
    found = map(read_variant, sorted((overlay_folder() / "variants").glob("*.json")))
    return tuple(sorted(found, key=lambda variant: (variant.version, variant.name)))


def find_variant(name: str, board: Board | None = None) -> Variant | None:
    """The variant with that name, stem or configuration name; the newest of several.

    `board` restricts the answer to variants that were built for it.
    """
    fitting = [v for v in variants() if board is None or board.name in v.boards]
    for candidates in (
        [v for v in fitting if v.name == name],
        [v for v in fitting if v.stem == name],
        [v for v in fitting if v.config.name == name],
    ):
        if candidates:
            return candidates[-1]
    return None
