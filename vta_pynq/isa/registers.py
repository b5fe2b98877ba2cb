"""The register tables: every AXI-Lite register of every design, and where its blocks lie.

Drivers, the simulated device, the generator of `.hwh` files and the documentation take their
offsets, bits and addresses from here. Facts: docs/isa.md, "Registers and driver sequence"; the
control block is the `ap_ctrl_hs` one of the Vitis HLS guide (UG1399, "S_AXILITE Control
Register Map").
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vta_pynq.errors import ConfigError
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
from vta_pynq.isa.table import Module

__all__ = [
    "AXI_INTC",
    "CONTROL_BLOCK",
    "DESIGNS",
    "DONE_INTERRUPT",
    "PUBLISHED",
    "REGISTER_BYTES",
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

_RO = Access.READ_ONLY
_COR = SideEffect.CLEAR_ON_READ
_TOGGLE = SideEffect.TOGGLE_ON_WRITE

CONTROL_BLOCK = (
    Register(
        "CTRL",
        0x00,
        "block control and status",
        fields=(
            BitField(
                "AP_START", 0, "start; 1 until taken", side_effect=SideEffect.CLEAR_ON_HANDSHAKE
            ),
            BitField("AP_DONE", 1, "finished since the last read", 1, _RO, _COR),
            BitField("AP_IDLE", 2, "not running", 1, _RO),
            BitField("AP_READY", 3, "ready for the next start; a pulse of one cycle", 1, _RO),
            BitField("AUTO_RESTART", 7, "start again whenever ready"),
        ),
    ),
    Register(
        "GIER",
        0x04,
        "global interrupt enable",
        fields=(BitField("ENABLE", 0, "drive the interrupt output"),),
    ),
    Register(
        "IP_IER",
        0x08,
        "interrupt enable",
        fields=(
            BitField("CHAN0_INT_EN", 0, "interrupt on AP_DONE"),
            BitField("CHAN1_INT_EN", 1, "interrupt on AP_READY"),
        ),
    ),
    Register(
        "IP_ISR",
        0x0C,
        "interrupt status",
        fields=(
            BitField("CHAN0_INT_ST", 0, "AP_DONE happened", side_effect=_TOGGLE),
            BitField("CHAN1_INT_ST", 1, "AP_READY happened", side_effect=_TOGGLE),
        ),
    ),
)
"""The `ap_ctrl_hs` registers that every HLS block starts with."""

AXI_INTC = IpBlock(
    name="intc",
    vlnv="xilinx.com:ip:axi_intc:4.1",
    slave="s_axi",
    registers=(
        Register("ISR", 0x00, "interrupts that are pending"),
        Register("IPR", 0x04, "pending and enabled", Access.READ_ONLY),
        Register("IER", 0x08, "interrupts that are enabled"),
        Register("IAR", 0x0C, "acknowledge: 1 clears the bit in ISR", Access.WRITE_ONLY),
        Register("SIE", 0x10, "set bits of IER"),
        Register("CIE", 0x14, "clear bits of IER"),
        Register(
            "MER",
            0x1C,
            "master enable",
            fields=(
                BitField("ME", 0, "drive the output"),
                BitField("HIE", 1, "take hardware interrupts; cannot be cleared"),
            ),
        ),
    ),
    interrupt="irq",
)
"""The AXI interrupt controller in normal mode (PG099, "Register Space")."""

DONE_INTERRUPT = "CHAN0_INT_EN"
"""The IP_IER field that a driver sets to be interrupted when a block is done."""


def _value(
    name: str, offset: int, doc: str, unit: str, access: Access = Access.READ_WRITE
) -> Register:
    field = BitField(name, 0, doc, 8 * REGISTER_BYTES, access)
    return Register(name, offset, doc, access, (field,), unit)


def _base(name: str, offset: int, what: str) -> Register:
    return _value(name, offset, f"byte address that is added to {what} addresses", "bytes")


def _published_block(
    module: Module, registers: tuple[Register, ...], masters: tuple[Master, ...]
) -> IpBlock:
    return IpBlock(
        name=module.name.lower(),
        vlnv=f"xilinx.com:hls:{module.name.lower()}:1.0",
        slave="s_axi_CONTROL_BUS",
        registers=(*CONTROL_BLOCK, *registers),
        masters=masters,
    )


_PUBLISHED_BLOCKS = (
    _published_block(
        Module.FETCH,
        (
            _value("insn_count", 0x10, "instructions to fetch", "instructions"),
            _value("insns", 0x18, "byte address of the first instruction", "bytes"),
        ),
        (Master("m_axi_ins_port", "insns", "instructions"),),
    ),
    _published_block(
        Module.LOAD,
        (_base("inputs", 0x10, "INP"), _base("weights", 0x18, "WGT")),
        (
            Master("m_axi_data_port", "inputs", "inputs"),
            Master("m_axi_data_port", "weights", "weights, on the same port"),
        ),
    ),
    _published_block(
        Module.COMPUTE,
        (
            _value("done_i", 0x10, "fed into the block; has no effect", ""),
            _value("done_o", 0x18, "1 after FINISH; 0 once any other instruction starts", "", _RO),
            Register(
                "done_o_ctrl",
                0x1C,
                "control signal of done_o",
                _RO,
                (
                    BitField(
                        "done_o_ap_vld", 0, "done_o was written since the last read", 1, _RO, _COR
                    ),
                ),
            ),
            _base("uops", 0x20, "UOP"),
            _base("biases", 0x28, "ACC"),
        ),
        (
            Master("m_axi_uop_port", "uops", "micro-ops"),
            Master("m_axi_data_port", "biases", "accumulators"),
        ),
    ),
    _published_block(
        Module.STORE,
        (_base("outputs", 0x10, "OUT"),),
        (Master("m_axi_data_port", "outputs", "outputs"),),
    ),
)

_MAP_4K = AddressMap(
    name="4k",
    doc="bitstreams 0.0.1 and later: one page a block",
    offsets=MappingProxyType({"fetch": 0x0000, "load": 0x1000, "compute": 0x2000, "store": 0x3000}),
    range_bytes=0x1000,
)
_MAP_64K = AddressMap(
    name="64k",
    doc="bitstreams 0.0.0: 64 KiB a block, compute before load",
    offsets=MappingProxyType(
        {"fetch": 0x00000, "compute": 0x10000, "load": 0x20000, "store": 0x30000}
    ),
    range_bytes=0x10000,
)

PUBLISHED = Design(
    name="published",
    doc="The four HLS blocks of the published PYNQ bitstreams: polled, no interrupt, no reset.",
    blocks=_PUBLISHED_BLOCKS,
    address_maps=MappingProxyType({m.name: m for m in (_MAP_4K, _MAP_64K)}),
)

DESIGNS: Mapping[str, Design] = MappingProxyType({d.name: d for d in (PUBLISHED,)})
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
