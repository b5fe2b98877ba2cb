"""Registers as the tools made them, against the register table.

HLS is told the offsets of our registers, the packager is given those of the control block, and
Vivado the addresses; drivers rely on all of them. What comes out is read back here: the
`component.xml` of each IP (IP-XACT), and the `.hwh` file of the design. Each function returns what
differs, one line each.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

from vta_pynq.errors import BuildError
from vta_pynq.hardware.plan import BuildPlan
from vta_pynq.hwh import HIERARCHY
from vta_pynq.isa.register_types import IpBlock
from vta_pynq.isa.registers import AXI_INTC

__all__ = ["component_mismatches", "hand_off_mismatches"]


def _read(path: Path) -> ET.Element:
    try:
        return ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise BuildError(
            f"{path}: must be XML that the tool wrote: {error}; look at the tool's log"
        ) from None


def _local(element: ET.Element) -> str:
    """An element's name without its namespace, which differs between releases."""
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (found for found in element.iter() if _local(found) == name)


def _text(element: ET.Element, name: str) -> str:
    """Text of the child of that name; empty where there is none."""
    return next(((child.text or "").strip() for child in element if _local(child) == name), "")


def _compare(block: IpBlock, found: Mapping[str, int]) -> list[str]:
    names = {offset: name for name, offset in found.items()}
    lines = []
    for register in block.registers:
        offset = found.get(register.name)
        if offset == register.offset:
            continue
        there = names.get(register.offset)
        taken = f" (0x{register.offset:02x} holds {there})" if there else ""
        shown = "missing" if offset is None else f"at 0x{offset:02x}"
        lines.append(
            f"{block.name}: register {register.name} must be at 0x{register.offset:02x}, "
            f"not {shown}{taken}"
        )
    return lines


def component_mismatches(path: Path, block: IpBlock) -> list[str]:
    """What differs between an IP's `component.xml` and the table of its block.

    Raises
    ------
    BuildError
        The file is not there or no XML.
    """
    root = _read(path)
    vlnv = ":".join(_text(root, part) for part in ("vendor", "library", "name", "version"))
    lines = []
    if vlnv != block.vlnv:
        lines.append(f"{block.name}: IP must be {block.vlnv}, not {vlnv}")
    maps = [m for m in _all(root, "memoryMap") if _text(m, "name") == block.slave]
    if not maps:
        return [*lines, f"{block.name}: memory map {block.slave} must exist, not be missing"]
    found = {
        _text(register, "name"): int(_text(register, "addressOffset"), 0)
        for register in _all(maps[0], "register")
    }
    return [*lines, *_compare(block, found)]


def hand_off_mismatches(path: Path, plan: BuildPlan) -> list[str]:
    """What differs between a `.hwh` file and the plan: blocks, addresses, registers, interrupt.

    Raises
    ------
    BuildError
        The file is not there or no XML.
    """
    root = _read(path)
    modules = {module.get("FULLNAME", ""): module for module in root.iter("MODULE")}
    ranges = _ranges(root)
    addresses = plan.addresses()
    lines = []
    for block in (*plan.blocks, AXI_INTC):
        outside = block is AXI_INTC
        name = "/axi_intc_0" if outside else f"/{HIERARCHY}/{block.name}_0"
        module = modules.get(name)
        if module is None:
            lines.append(f"{block.name}: {name} must exist, not be missing")
            continue
        if module.get("VLNV") != block.vlnv:
            lines.append(f"{block.name}: IP must be {block.vlnv}, not {module.get('VLNV')}")
        wanted = addresses[block.name]
        base = ranges.get((module.get("INSTANCE", ""), block.slave))
        if base != wanted:
            shown = "missing" if base is None else f"0x{base:08x}"
            lines.append(f"{block.name}: address must be 0x{wanted:08x}, not {shown}")
        # The vendor's own registers are the vendor's business.
        lines += [] if outside else _compare(block, _hand_off_registers(module))
    return [*lines, *_interrupts(plan, modules)]


def _ranges(root: ET.Element) -> dict[tuple[str, str], int]:
    """Base address of each slave: by instance and by interface."""
    return {
        (r.get("INSTANCE", ""), r.get("SLAVEBUSINTERFACE", "")): int(r.get("BASEVALUE", "0"), 0)
        for r in root.iter("MEMRANGE")
        if r.get("MEMTYPE", "").upper() == "REGISTER"
    }


def _hand_off_registers(module: ET.Element) -> dict[str, int]:
    found = {}
    for register in module.iter("REGISTER"):
        for item in register.findall("PROPERTY"):
            if item.get("NAME") == "ADDRESS_OFFSET":
                found[register.get("NAME", "")] = int(item.get("VALUE", "0"), 0)
    return found


def _signals(module: ET.Element, port: str) -> str:
    """The signal at a port; empty where the port or its signal is missing."""
    return next((p.get("SIGNAME", "") for p in module.iter("PORT") if p.get("NAME") == port), "")


def _interrupts(plan: BuildPlan, modules: Mapping[str, ET.Element]) -> list[str]:
    """Each interrupt leads to the controller, and the controller to the processing system."""
    system = plan.processing_system()
    steps = [(f"/{system.instance}", system.interrupt_pin, "/axi_intc_0", AXI_INTC.interrupt)]
    steps.append(("/axi_intc_0", "intr", "/xlconcat_0", "dout"))
    design = plan.variant.design
    for number, block in enumerate(b for b in design.blocks if b.name in design.interrupts):
        source = f"/{HIERARCHY}/{block.name}_0"
        steps.append(("/xlconcat_0", f"In{number}", source, block.interrupt))
    lines = []
    for sink, pin, source, output in steps:
        if sink not in modules or source not in modules:
            lines.append(f"interrupt: {sink} and {source} must exist, not be missing")
            continue
        signal = _signals(modules[sink], pin)
        if not signal or signal != _signals(modules[source], output):
            lines.append(f"interrupt: {source} {output} must drive {sink} {pin}, not {signal!r}")
    return lines
