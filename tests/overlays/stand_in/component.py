"""The `component.xml` of an IP, as far as builds read it (IP-XACT 1685-2009)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from tests.conftest import ROOT

_NAMESPACE = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
# UG1399, "S_AXILITE Control Register Map".
_AP_CTRL = (("CTRL", 0x00), ("GIER", 0x04), ("IP_IER", 0x08), ("IP_ISR", 0x0C))


def write_component(
    path: Path, vlnv: str, slave: str, registers: Iterable[tuple[str, int]]
) -> None:
    parts = zip(("vendor", "library", "name", "version"), vlnv.split(":"), strict=True)
    names = "".join(f"<spirit:{part}>{value}</spirit:{part}>" for part, value in parts)
    rows = "".join(
        f"<spirit:register><spirit:name>{escape(name)}</spirit:name>"
        f"<spirit:addressOffset>0x{offset:X}</spirit:addressOffset>"
        f"<spirit:size>32</spirit:size></spirit:register>"
        for name, offset in registers
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<spirit:component xmlns:spirit="{_NAMESPACE}">{names}<spirit:memoryMaps>'
        f"<spirit:memoryMap><spirit:name>{slave}</spirit:name><spirit:addressBlock>"
        f"<spirit:name>Reg</spirit:name>{rows}</spirit:addressBlock></spirit:memoryMap>"
        "</spirit:memoryMaps></spirit:component>"
    )


def hls_registers(module: str) -> list[tuple[str, int]]:
    """Registers that HLS makes of a module's pragmas: pinned offsets, and a valid signal behind
    each output."""
    source = (ROOT / f"hls/src/{module}.cpp").read_text(encoding="utf-8")
    header = (ROOT / "hls/generated/vta_registers.hpp").read_text(encoding="utf-8")
    places = dict(re.findall(rf"VTA_AT_{module}_(\w+) (0x[0-9a-f]+)", header))
    found = list(_AP_CTRL)
    for owner, name in re.findall(r"VTA_AXI_LITE\((\w+), (\w+)\)", source):
        assert owner == module
        place = int(places[name], 16)
        found.append((name, place))
        if re.search(rf"\*\s*{name}\b", source):
            found.append((f"{name}_ctrl", place + 4))
    return found
