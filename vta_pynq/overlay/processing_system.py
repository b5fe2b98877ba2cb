"""Kinds of processing systems: names of their IP's pins, ports and settings; who uses which port.

One file of `overlays/processing_systems` for each kind; a board names its kind as `family`. The
names are Vivado's: processing_system7 5.5 (PG082), Zynq UltraScale+ MPSoC 3.x (PG201).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.boards import Board, overlay_folder
from vta_pynq.overlay.descriptions import Variant
from vta_pynq.overlay.json_file import JsonFile

__all__ = [
    "MemoryPortPins",
    "ProcessingSystem",
    "memory_groups",
    "processing_system",
    "read_processing_system",
]

_BASES = {
    # What a client of the cycle model adds to its addresses: the same register in every design.
    "fetch": "insns", "inp": "inputs", "wgt": "weights", "uop": "uops", "acc": "biases",
    "out": "outputs",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class MemoryPortPins:
    """An AXI slave of the processing system that leads to memory."""

    name: str
    clock_pin: str
    segment: str
    """Address segment of the DRAM behind it, below the instance."""
    coherent: bool
    """Masters must mark their transactions as cacheable."""
    settings: Mapping[str, str]
    """What enables it, first the setting that does."""


@dataclasses.dataclass(frozen=True)
class ProcessingSystem:
    """A kind of processing system, in the names of its IP."""

    name: str
    vlnv: str
    hand_off_arch: str
    """What a `.hwh` file calls the architecture."""
    instance: str
    automation_rule: str
    """Block automation that applies the board's preset."""
    automation: Mapping[str, str]
    external: tuple[str, ...]
    """Interfaces that the automation makes external."""
    settings: Mapping[str, str]
    clock_setting: str
    """Takes the frequency of the logic's clock in MHz."""
    clock_pin: str
    reset_pin: str
    """Active low."""
    interrupt_pin: str
    hand_off_clocks: Mapping[str, str]
    """Names of a clock's parameters in a `.hwh` file, with {} for its number: `enable`,
    `divisor0`, `divisor1`, `source`, `frequency`; and the value of `source`, `source_name`."""
    control_port: str
    """The AXI master that leads to the registers."""
    control_clock_pin: str
    control_space: str
    """Its address space, below the instance."""
    memory_ports: Mapping[str, MemoryPortPins]


def read_processing_system(path: Path) -> ProcessingSystem:
    """Read a description.

    Raises
    ------
    ConfigError
        It cannot be read or lacks a key.
    """
    file = JsonFile(path)
    names: dict[str, object] = file.get("memory_ports", dict)
    return ProcessingSystem(
        name=file.get("name", str),
        vlnv=file.get("vlnv", str),
        hand_off_arch=file.get("hand_off_arch", str),
        instance=file.get("instance", str),
        automation_rule=file.get("automation_rule", str),
        automation=file.texts("automation"),
        external=file.strings("external", empty=True),
        settings=file.texts("settings"),
        clock_setting=file.get("clock_setting", str),
        clock_pin=file.get("clock_pin", str),
        reset_pin=file.get("reset_pin", str),
        interrupt_pin=file.get("interrupt_pin", str),
        hand_off_clocks=file.texts("hand_off_clocks"),
        control_port=file.get("control.port", str),
        control_clock_pin=file.get("control.clock_pin", str),
        control_space=file.get("control.address_space", str),
        memory_ports={name: _port(file, name) for name in names},
    )


def _port(file: JsonFile, name: str) -> MemoryPortPins:
    key = f"memory_ports.{name}"
    return MemoryPortPins(
        name=name,
        clock_pin=file.get(f"{key}.clock_pin", str),
        segment=file.get(f"{key}.segment", str),
        coherent=file.get(f"{key}.coherent", bool),
        settings=file.texts(f"{key}.settings"),
    )


def processing_system(board: Board) -> ProcessingSystem:
    """The processing system of a board.

    Raises
    ------
    ConfigError
        There is no description of its kind, or it lacks a port that the board names.
    """
    folder = overlay_folder() / "processing_systems"
    path = folder / f"{board.family}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json")))
        raise ConfigError(
            f"board {board.name}: family must be one of {known}, not {board.family!r}"
        )
    found = read_processing_system(path)
    for name in (port for ports in board.memory_ports.values() for port in ports):
        if name not in found.memory_ports:
            raise ConfigError(
                f"board {board.name}: memory port must be one of "
                f"{', '.join(found.memory_ports)} (of {found.name}), not {name!r}"
            )
    return found


def memory_groups(
    variant: Variant, board: Board, option: str | None = None
) -> dict[str, list[tuple[str, str]]]:
    """For each port of the processing system in use: its masters, as (block, AXI master).

    Masters that share a port in the cycle model share one here, as far as there are ports.
    `option` is one of `Board.memory_ports`, the variant's by default.

    Raises
    ------
    ConfigError
        The board has no such option, or a master of the design has no place in the profile.
    """
    chosen = variant.ports if option is None else option
    if chosen not in board.memory_ports:
        known = ", ".join(board.memory_ports)
        raise ConfigError(f"board {board.name}: ports must be one of {known}, not {chosen!r}")
    masters = {
        master.base_register: (block.name, master.name)
        for block in variant.design.modules
        for master in block.masters
    }
    timing = variant.profile.timing
    names = board.memory_ports[chosen]
    found: dict[str, list[tuple[str, str]]] = {}
    for number, group in enumerate(() if timing is None else timing.ports):
        port = found.setdefault(names[number % len(names)], [])
        for client in group.clients:
            master = masters.pop(_BASES[client])
            if master not in port:
                port.append(master)
    if masters:
        raise ConfigError(
            f"profile {variant.profile.name}: memory ports must be there for all masters of "
            f"{variant.design.name}, not missing for {', '.join(masters)}"
        )
    return found
