"""The register tables: every AXI-Lite register of every design, and where its blocks lie.

Drivers, the simulated device, the generator of `.hwh` files, the HLS design and the documentation
take their offsets, bits and addresses from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vta_pynq.errors import ConfigError
from vta_pynq.isa.hls_registers import AP_CTRL_HS, AXI_INTC, DONE_INTERRUPT
from vta_pynq.isa.published_design import PUBLISHED
from vta_pynq.isa.register_types import (
    REGISTER_BYTES,
    Access,
    AddressMap,
    BitField,
    Design,
    IpBlock,
    Master,
    Register,
    SideEffect,
)
from vta_pynq.isa.vta1_design import VTA1

__all__ = [
    "AP_CTRL_HS",
    "AXI_INTC",
    "DESIGNS",
    "DONE_INTERRUPT",
    "PUBLISHED",
    "REGISTER_BYTES",
    "VTA1",
    "Access",
    "AddressMap",
    "BitField",
    "Design",
    "IpBlock",
    "Master",
    "Register",
    "SideEffect",
    "get_design",
]

DESIGNS: Mapping[str, Design] = MappingProxyType({d.name: d for d in (PUBLISHED, VTA1)})
"""Every design by name."""


def get_design(name: str) -> Design:
    """The design of that name.

    Raises
    ------
    ConfigError
        There is no such design.
    """
    try:
        return DESIGNS[name]
    except (KeyError, TypeError):
        raise ConfigError(f"design must be one of {', '.join(DESIGNS)}, not {name!r}") from None
