"""The elements of a `.hwh` file, as pynq's parsers look for them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from vta_pynq.isa.registers import BitField, IpBlock, Register

__all__ = [
    "add_buses",
    "add_field",
    "add_memory_range",
    "add_module",
    "add_parameters",
    "add_port",
    "add_properties",
    "add_register",
    "add_registers",
]

_AXI = "xilinx.com:interface:aximm:1.0"


def add_parameters(parent: ET.Element, values: Mapping[str, object]) -> None:
    """Parameters of a module."""
    element = ET.SubElement(parent, "PARAMETERS")
    for name, value in values.items():
        ET.SubElement(element, "PARAMETER", NAME=name, VALUE=str(value))


def add_properties(parent: ET.Element, **values: object) -> None:
    """Properties of a register or field."""
    for name, value in values.items():
        ET.SubElement(parent, "PROPERTY", NAME=name, VALUE=str(value))


def add_field(parent: ET.Element, field: BitField) -> None:
    """One field of a register."""
    element = ET.SubElement(parent, "FIELD", NAME=field.name)
    add_properties(
        element,
        DESCRIPTION=field.doc,
        ADDRESS_OFFSET=field.bit,
        ACCESS=field.access.value,
        BIT_OFFSET=field.bit,
        BIT_WIDTH=field.width,
    )


def add_registers(parent: ET.Element, block: IpBlock, range_bytes: int) -> None:
    """The address block of a module's slave, with its registers."""
    address_blocks = ET.SubElement(parent, "ADDRESSBLOCKS")
    space = ET.SubElement(
        address_blocks,
        "ADDRESSBLOCK",
        ACCESS="read-write",
        INTERFACE=block.slave,
        NAME="Reg",
        RANGE=str(range_bytes),
        USAGE="register",
    )
    registers = ET.SubElement(space, "REGISTERS")
    for register in block.registers:
        add_register(registers, register)


def add_register(parent: ET.Element, register: Register) -> None:
    """One register with its fields."""
    element = ET.SubElement(parent, "REGISTER", NAME=register.name)
    add_properties(
        element,
        DESCRIPTION=register.doc,
        ADDRESS_OFFSET=f"0x{register.offset:X}",
        SIZE=register.bits,
        ACCESS=register.access.value,
        IS_ENABLED="true",
        RESET_VALUE="0x0",
    )
    if register.fields:
        fields = ET.SubElement(element, "FIELDS")
        for field in register.fields:
            add_field(fields, field)


def add_port(
    ports: ET.Element, name: str, direction: str, signal: str, to: tuple[str, str], width: int = 0
) -> None:
    """One interrupt port; `width` is given for vectors only."""
    vector = {"LEFT": str(width - 1), "RIGHT": "0"} if width else {}
    port = ET.SubElement(
        ports,
        "PORT",
        {"DIR": direction, **vector, "NAME": name, "SIGIS": "INTERRUPT", "SIGNAME": signal},
    )
    connections = ET.SubElement(port, "CONNECTIONS")
    ET.SubElement(connections, "CONNECTION", INSTANCE=to[0], PORT=to[1])


def add_module(
    modules: ET.Element, instance: str, vlnv: str, fullname: str = "", **extra: str
) -> ET.Element:
    """One block of the design."""
    return ET.SubElement(
        modules,
        "MODULE",
        {
            "FULLNAME": fullname or f"/{instance}",
            "HWVERSION": vlnv.split(":")[3],
            "INSTANCE": instance,
            "IPTYPE": "PERIPHERAL",
            "IS_ENABLE": "1",
            "MODTYPE": vlnv.split(":")[2],
            "VLNV": vlnv,
            **extra,
        },
    )


def add_buses(module: ET.Element, slaves: Iterable[str], masters: Iterable[str]) -> None:
    """The bus interfaces of a module."""
    element = ET.SubElement(module, "BUSINTERFACES")
    for kind, names in (("SLAVE", slaves), ("MASTER", masters)):
        for name in dict.fromkeys(names):
            ET.SubElement(element, "BUSINTERFACE", NAME=name, TYPE=kind, VLNV=_AXI)


def add_memory_range(memory_map: ET.Element, low: int, high: int, **names: str) -> None:
    """One range of a master's address map, from `low` to `high` inclusive."""
    ET.SubElement(
        memory_map,
        "MEMRANGE",
        {
            "BASENAME": "C_BASEADDR",
            "BASEVALUE": f"0x{low:08X}",
            "HIGHNAME": "C_HIGHADDR",
            "HIGHVALUE": f"0x{high:08X}",
            "IS_DATA": "TRUE",
            **names,
        },
    )
