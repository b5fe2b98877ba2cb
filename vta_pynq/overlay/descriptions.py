"""Overlay variants, as the files in `overlays/variants` describe them, and their boards.

A variant file gives one bitstream's design, address map, configuration, boards and clock. The
numbers are born there (docs/overlays.md); this module reads them.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.registers import AddressMap, Design, get_design
from vta_pynq.overlay.boards import Board, boards, get_board, overlay_folder
from vta_pynq.overlay.json_file import JsonFile
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
    ports: str = "acp"
    """How its masters reach memory: an option of `Board.memory_ports`."""

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
            "ports": self.ports,
        }


def read_variant(path: str | Path) -> Variant:
    """Read a variant file. Without `clock_mhz` the clock is that of its boards.

    Raises
    ------
    ConfigError
        It cannot be read, lacks a key, or names an unknown design, map or profile.
    """
    file = JsonFile(Path(path))
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
        clock_mhz=_clock(file),
        doc=file.get("doc", str),
        ports=_ports(file),
    )


def _clock(file: JsonFile) -> float:
    """The variant's own clock, or that of its boards where it says nothing."""
    if file.has("clock_mhz"):
        return file.get("clock_mhz", float)
    clocks = {board.name: board.clock_mhz for board in _boards_of(file)}
    if len(set(clocks.values())) != 1:
        shown = ", ".join(f"{name} {clock:g}" for name, clock in clocks.items())
        raise ConfigError(
            f"{file.path}: clock_mhz must be given where boards differ, not left out ({shown})"
        )
    return next(iter(clocks.values()))


def _boards_of(file: JsonFile) -> list[Board]:
    try:
        return [get_board(name) for name in file.strings("boards")]
    except ConfigError as error:
        raise ConfigError(f"{file.path}: {error}") from None


def _ports(file: JsonFile) -> str:
    """An option that every board of the variant has."""
    chosen = file.get("ports", str)
    for board in _boards_of(file):
        if chosen not in board.memory_ports:
            known = ", ".join(board.memory_ports)
            raise ConfigError(
                f"{file.path}: ports must be one of {known} (of {board.name}), not {chosen!r}"
            )
    return chosen


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
