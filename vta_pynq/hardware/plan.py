"""The plan of a build: one Tcl dictionary that `hls/scripts/*.tcl` follow.

Everything that depends on board, variant or configuration is in the plan; the scripts know the
tools. The plan is made from the register table, the profile, and the files of `overlays/`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.hardware.interfaces import Fifo, Memory, fifos, memories
from vta_pynq.hardware.tcl import TclValue, tcl_word
from vta_pynq.hls_macros import hls_macros
from vta_pynq.hwh import HIERARCHY
from vta_pynq.isa.control_block import control_parameters
from vta_pynq.isa.register_types import IpBlock
from vta_pynq.isa.registers import AXI_INTC
from vta_pynq.isa.table import Module
from vta_pynq.overlay.boards import Board
from vta_pynq.overlay.descriptions import Variant
from vta_pynq.overlay.processing_system import (
    ProcessingSystem,
    memory_groups,
    processing_system,
)

__all__ = ["BuildPlan"]

_HLS_SHARE = 0.7
"""Part of the clock period that HLS plans for: 7 of 10 ns, as the published builds do. The tool's
own margin comes on top (docs/hardware.md, "Critical paths to watch")."""


@dataclasses.dataclass(frozen=True)
class BuildPlan:
    """What to build: a variant for a board, its masters on the ports of an option.

    `source` is the commit that the hardware tells (eight hexadecimal digits), 0 where it is not
    known or the sources were changed.

    Raises
    ------
    ConfigError
        The variant is not one that can be built for this board.
    """

    board: Board
    variant: Variant
    ports: str
    source: int = 0

    def __post_init__(self) -> None:
        where = f"variant {self.variant.name}"
        if self.variant.design.control is None:
            raise ConfigError(
                f"{where}: design must be the project's own, not {self.variant.design.name}; "
                "fetch published bitstreams with 'vta overlays fetch'"
            )
        if self.board.name not in self.variant.boards:
            known = ", ".join(self.variant.boards)
            raise ConfigError(f"{where}: board must be one of {known}, not {self.board.name}")
        self.memory_groups()

    @property
    def config(self) -> HwConfig:
        """The configuration."""
        return self.variant.config

    @property
    def blocks(self) -> tuple[IpBlock, ...]:
        """The design's blocks, the control block last."""
        return self.variant.design.blocks

    def fifos(self) -> tuple[Fifo, ...]:
        """The FIFOs between the modules."""
        return fifos(self.variant.profile)

    def memories(self) -> tuple[Memory, ...]:
        """The memories that modules share."""
        return memories(self.config)

    def processing_system(self) -> ProcessingSystem:
        """The board's processing system."""
        return processing_system(self.board)

    def memory_groups(self) -> dict[str, list[tuple[str, str]]]:
        """For each port of the processing system in use: its masters, as (block, AXI master)."""
        return memory_groups(self.variant, self.board, self.ports)

    def addresses(self) -> dict[str, int]:
        """Byte address of each block and of the interrupt controller (`intc`)."""
        placed = self.variant.address_map
        window = self.board.pl_window
        found = {block.name: window + placed.offsets[block.name] for block in self.blocks}
        return {**found, AXI_INTC.name: window + placed.intc}

    # ---- the dictionary ------------------------------------------------------------------

    def to_tcl(self) -> str:
        """Text of the script that sets the global variable `plan`."""
        lines = [
            "# Written by vta_pynq/hardware/plan.py for one build; the scripts in hls/scripts "
            "follow it.",
            "set plan [dict create \\",
            *(f"    {tcl_word(key)} {tcl_word(value)} \\" for key, value in self.values().items()),
            "]",
        ]
        return "\n".join(lines) + "\n"

    def save(self, path: Path) -> None:
        """Write `to_tcl`."""
        path.write_text(self.to_tcl(), encoding="utf-8")

    def values(self) -> dict[str, TclValue]:
        """The dictionary; docs/building-hardware.md lists its keys."""
        placed = self.variant.address_map
        return {
            "name": self.variant.stem,
            "part": self.board.part,
            "board_parts": self.board.board_parts,
            "board_connections": dict(self.board.board_connections),
            "hierarchy": HIERARCHY,
            "clock_mhz": self.variant.clock_mhz,
            "hls_period_ns": _HLS_SHARE * 1000 / self.variant.clock_mhz,
            "macros": hls_macros(self.config),
            "modules": [self._module(block) for block in self.variant.design.modules],
            "control": self._control(),
            "processing_system": self._processing_system(),
            "memory": self._memory(),
            "fifos": [
                {
                    "name": fifo.name, "bits": fifo.bits, "depth": fifo.depth,
                    "from": fifo.producer.name.lower(), "to": fifo.consumer.name.lower(),
                }
                for fifo in self.fifos()
            ],
            "memories": [
                {
                    "name": port, "bits": memory.word_bits, "depth": memory.depth,
                    "from": memory.writer.name.lower(), "to": memory.reader.name.lower(),
                }
                for memory in self.memories() for port in memory.ports
            ],
            "intc": {"vlnv": AXI_INTC.vlnv, "slave": AXI_INTC.slave, "pin": AXI_INTC.interrupt},
            "interrupts": [
                {"block": block.name, "pin": block.interrupt}
                for block in self.blocks if block.name in self.variant.design.interrupts
            ],
            "addresses": {name: f"0x{at:08X}" for name, at in self.addresses().items()},
            "range_bytes": placed.range_bytes,
        }  # fmt: skip

    def _module(self, block: IpBlock) -> dict[str, TclValue]:
        vendor, library, top, version = block.vlnv.split(":")
        return {
            "name": block.name, "top": top, "vendor": vendor, "library": library,
            "version": version, "vlnv": block.vlnv, "slave": block.slave,
        }  # fmt: skip

    def _control(self) -> dict[str, TclValue]:
        block = self.variant.design.control
        assert block is not None  # checked at construction
        parameters = {**control_parameters(self.config), "SOURCE": self.source}
        return {
            **self._module(block),
            "interrupt": block.interrupt,
            "parameters": {name: f"0x{value:08X}" for name, value in parameters.items()},
            "registers": [
                {
                    "name": register.name, "offset": f"0x{register.offset:X}",
                    "access": register.access.value, "doc": register.doc,
                    "fields": [
                        {
                            "name": field.name, "bit": field.bit, "width": field.width,
                            "access": field.access.value, "doc": field.doc,
                        }
                        for field in register.fields
                    ],
                }
                for register in block.registers
            ],
        }  # fmt: skip

    def _processing_system(self) -> dict[str, TclValue]:
        system = self.processing_system()
        used = [system.memory_ports[name] for name in self.memory_groups()]
        settings = dict(system.settings)
        settings[system.clock_setting] = f"{self.variant.clock_mhz:g}"
        for port in used:
            settings.update(port.settings)
        return {
            # The newest version: they differ between releases of Vivado.
            "vlnv": system.vlnv.rpartition(":")[0],
            "instance": system.instance,
            "automation_rule": system.automation_rule,
            "automation": dict(system.automation),
            "settings": settings,
            "clock_pin": system.clock_pin,
            "reset_pin": system.reset_pin,
            "interrupt_pin": system.interrupt_pin,
            "control_port": system.control_port,
            "control_space": system.control_space,
            "clock_inputs": [system.control_clock_pin, *(port.clock_pin for port in used)],
        }

    def _memory(self) -> list[TclValue]:
        system = self.processing_system()
        writer = Module.STORE.name.lower()
        return [
            {
                "port": name, "segment": system.memory_ports[name].segment,
                "coherent": system.memory_ports[name].coherent,
                "base": f"0x{self.board.dram_base:08X}", "bytes": self.board.dram_bytes,
                "masters": [
                    {
                        "block": block, "master": master,
                        "direction": "write" if block == writer else "read",
                    }
                    for block, master in masters
                ],
            }
            for name, masters in self.memory_groups().items()
        ]  # fmt: skip
