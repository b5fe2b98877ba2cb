"""Generator of `.hwh` files: what Vivado's hardware hand-off would say about a design.

PYNQ reads block names, VLNVs, addresses, registers, clocks and interrupts from it. The published
bitstreams came without one; the register table and a variant's description are enough to write
the smallest file that every supported PYNQ release accepts (docs/overlays.md, "The .hwh file").
Run as `python -m vta_pynq.hwh` it writes the files of every variant, in `overlays/`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from vta_pynq.errors import ConfigError
from vta_pynq.hwh_elements import (
    add_buses,
    add_memory_range,
    add_module,
    add_parameters,
    add_port,
    add_registers,
)
from vta_pynq.isa.control_block import control_parameters
from vta_pynq.isa.registers import AXI_INTC, IpBlock
from vta_pynq.isa.table import Module
from vta_pynq.overlay.descriptions import (
    Board,
    Variant,
    get_board,
    overlay_folder,
    variants,
)
from vta_pynq.overlay.processing_system import memory_groups, processing_system

__all__ = ["HIERARCHY", "IDENTITY_PARAMETERS", "hwh_text", "main", "write_all"]

HIERARCHY = "vta"
"""The block-design hierarchy that holds the accelerator's blocks."""

IDENTITY_PARAMETERS = {
    "variant": "VTA_VARIANT",
    "design": "VTA_DESIGN",
    "address_map": "VTA_ADDRESS_MAP",
    "config": "VTA_CONFIG",
    "profile": "VTA_PROFILE",
    "fingerprint": "VTA_FINGERPRINT",
}
"""Parameters that carry a variant's identity: of the control block, or of compute without one."""

_INTC = "axi_intc_0"
_CONCAT = "xlconcat_0"
_FCLKS = 4
_DIVISOR_LIMIT = 63


def _divisors(clock_mhz: float, pll_mhz: float, where: str) -> tuple[int, int]:
    """The two 6-bit divisors that make `clock_mhz` from the PLL, the first as large as can be."""
    total = round(pll_mhz / clock_mhz)
    for first in range(min(total, _DIVISOR_LIMIT), 0, -1):
        if total % first == 0 and total // first <= _DIVISOR_LIMIT:
            if abs(pll_mhz / total - clock_mhz) > 0.01 * clock_mhz:
                break
            return first, total // first
    raise ConfigError(
        f"{where}: clock_mhz must be the PLL's {pll_mhz:g} MHz over two divisors of at most "
        f"{_DIVISOR_LIMIT}, not {clock_mhz:g}"
    )


def _clock_parameters(variant: Variant, board: Board) -> dict[str, object]:
    first, second = _divisors(variant.clock_mhz, board.pll_mhz, f"variant {variant.name}")
    names = processing_system(board).hand_off_clocks
    values: dict[str, object] = {}
    for index in range(_FCLKS):
        used = index == 0
        values[names["enable"].format(index)] = int(used)
        values[names["divisor0"].format(index)] = first if used else 1
        values[names["divisor1"].format(index)] = second if used else 1
        values[names["source"].format(index)] = names["source_name"]
    exact = f"{board.pll_mhz / (first * second):.6f}"
    values[names["frequency"].format(0)] = exact
    # pynq 4.0.0 looks the frequency of a Zynq-7000 clock up under the UltraScale+ name and
    # fails with TypeError where it is missing.
    values["PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"] = exact
    return values


class _Writer:
    """Builds the file of one variant on one board."""

    def __init__(self, variant: Variant, board: Board, interrupt: bool) -> None:
        self.variant = variant
        self.board = board
        design = variant.design
        all_blocks = tuple(block.name for block in design.blocks) if interrupt else ()
        self.interrupts = design.interrupts or all_blocks
        self.system = processing_system(board)
        self.groups = memory_groups(variant, board)
        self.identity_block = design.control or design.block(Module.COMPUTE)
        self.placed = [
            (block, board.pl_window + variant.address_map.offsets[block.name])
            for block in variant.design.blocks
        ]

    def tree(self) -> ET.Element:
        root = ET.Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="2018.3")
        ET.SubElement(
            root,
            "SYSTEMINFO",
            ARCH=self.system.hand_off_arch,
            DEVICE=self.board.bitstream_parts[0],
            NAME=self.variant.stem,
        )
        ET.SubElement(root, "EXTERNALPORTS")
        ET.SubElement(root, "EXTERNALINTERFACES")
        modules = ET.SubElement(root, "MODULES")
        self._processing_system(modules)
        for block, _ in self.placed:
            self._block(modules, block)
        if self.interrupts:
            self._interrupt_controller(modules)
        return root

    def _processing_system(self, modules: ET.Element) -> None:
        system = self.system
        module = add_module(modules, system.instance, system.vlnv, IS_PL="FALSE")
        values = _clock_parameters(self.variant, self.board)
        # Of the ports, only what enables them: nothing else is known of the published builds.
        values.update([next(iter(system.settings.items()))])
        for name in self.groups:
            values.update([next(iter(system.memory_ports[name].settings.items()))])
        add_parameters(module, values)
        ports = ET.SubElement(module, "PORTS")
        if self.interrupts:
            add_port(ports, system.interrupt_pin, "I", f"{_INTC}_irq", (_INTC, "irq"), 1)
        add_buses(module, self.groups, [system.control_port])
        memory_map = ET.SubElement(module, "MEMORYMAP")
        size = self.variant.address_map.range_bytes
        slaves = [(f"{block.name}_0", base, block.slave) for block, base in self.placed]
        if self.interrupts:
            slaves.append((_INTC, self._intc_base(), AXI_INTC.slave))
        for instance, base, slave in slaves:
            add_memory_range(
                memory_map,
                base,
                base + size - 1,
                ADDRESSBLOCK="Reg",
                INSTANCE=instance,
                IS_INSTRUCTION="FALSE",
                MASTERBUSINTERFACE=system.control_port,
                MEMTYPE="REGISTER",
                SLAVEBUSINTERFACE=slave,
            )

    def _intc_base(self) -> int:
        return self.board.pl_window + self.variant.address_map.intc

    def _parameters(self, block: IpBlock) -> dict[str, object]:
        """What a block was built with, as far as software looks at it."""
        if block is not self.identity_block:
            return {}
        values = {**self.variant.to_dict(), "variant": self.variant.name}
        values["fingerprint"] = self.variant.config.fingerprint
        found = {key: values[name] for name, key in IDENTITY_PARAMETERS.items()}
        if block is self.variant.design.control:
            numbers = control_parameters(self.variant.config)
            found.update((name, f"0x{value:08X}") for name, value in numbers.items())
        return found

    def _block(self, modules: ET.Element, block: IpBlock) -> None:
        instance = f"{block.name}_0"
        module = add_module(modules, instance, block.vlnv, f"/{HIERARCHY}/{instance}")
        add_registers(module, block, self.variant.address_map.range_bytes)
        add_parameters(module, self._parameters(block))
        ports = ET.SubElement(module, "PORTS")
        if block.name in self.interrupts:
            signal = f"{instance}_{block.interrupt}"
            to = (_CONCAT, f"In{self.interrupts.index(block.name)}")
            add_port(ports, block.interrupt, "O", signal, to)
        masters = dict.fromkeys(master.name for master in block.masters)
        add_buses(module, [block.slave], masters)
        memory_map = ET.SubElement(module, "MEMORYMAP")
        leads_to = {entry: port for port, entries in self.groups.items() for entry in entries}
        for master in masters:
            port = leads_to[block.name, master]
            segment = self.system.memory_ports[port].segment
            add_memory_range(
                memory_map,
                self.board.dram_base,
                self.board.dram_base + self.board.dram_bytes - 1,
                ADDRESSBLOCK=segment.rpartition("/")[2],
                INSTANCE=self.system.instance,
                IS_INSTRUCTION="TRUE",
                MASTERBUSINTERFACE=master,
                MEMTYPE="MEMORY",
                SLAVEBUSINTERFACE=port,
            )

    def _interrupt_controller(self, modules: ET.Element) -> None:
        """The interrupt outputs, concatenated, into one AXI INTC on the first
        interrupt of the processing system.

        PYNQ 3 and later does not see an interrupt that is wired straight to IRQ_F2P.
        """
        count = len(self.interrupts)
        concat = add_module(modules, _CONCAT, "xilinx.com:ip:xlconcat:2.1")
        add_parameters(concat, {"NUM_PORTS": count})
        ports = ET.SubElement(concat, "PORTS")
        outputs = {block.name: block.interrupt for block, _ in self.placed}
        for position, name in enumerate(self.interrupts):
            instance = f"{name}_0"
            signal = f"{instance}_{outputs[name]}"
            add_port(ports, f"In{position}", "I", signal, (instance, outputs[name]))
        add_port(ports, "dout", "O", f"{_CONCAT}_dout", (_INTC, "intr"), count)
        add_buses(concat, (), ())
        intc = add_module(modules, _INTC, AXI_INTC.vlnv)
        add_registers(intc, AXI_INTC, self.variant.address_map.range_bytes)
        add_parameters(intc, {})
        ports = ET.SubElement(intc, "PORTS")
        add_port(ports, "intr", "I", f"{_CONCAT}_dout", (_CONCAT, "dout"), count)
        add_port(
            ports, "irq", "O", f"{_INTC}_irq", (self.system.instance, self.system.interrupt_pin)
        )
        add_buses(intc, [AXI_INTC.slave], ())


def hwh_text(variant: Variant, board: Board, *, interrupt: bool = False) -> str:
    """The `.hwh` file of `variant` on `board`.

    `interrupt` adds an AXI interrupt controller that the blocks' interrupt outputs drive to a
    design that has none, such as the published ones.

    Raises
    ------
    ConfigError
        The clock cannot be made from the board's PLL.
    """
    root = _Writer(variant, board, interrupt).tree()
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    banner = f"<!-- Generated by vta_pynq/hwh.py; SHA-256 of the rest starts with {digest}. -->"
    return f'<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n{banner}\n{body}\n'


def write_all(folder: Path) -> list[Path]:
    """Write the file of every variant below `folder`; the paths, in order."""
    written = []
    for variant in variants():
        path = folder / f"{variant.name}.hwh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(hwh_text(variant, get_board(variant.boards[0])), encoding="utf-8")
        written.append(path)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Write the `.hwh` files of all variants (below `overlays/` unless told otherwise)."""
    parser = argparse.ArgumentParser(prog="python -m vta_pynq.hwh", description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=overlay_folder())
    for path in write_all(parser.parse_args(arguments).folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
