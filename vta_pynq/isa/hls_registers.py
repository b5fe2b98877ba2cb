"""Registers that are not a design's own: of every HLS block, and of the interrupt controller.

Facts: the `ap_ctrl_hs` control block is that of the Vitis HLS guide (UG1399, "S_AXILITE Control
Register Map").
"""

from __future__ import annotations

from vta_pynq.isa.register_types import (
    REGISTER_BYTES,
    Access,
    BitField,
    IpBlock,
    Register,
    SideEffect,
)

__all__ = ["AP_CTRL_HS", "AXI_INTC", "DONE_INTERRUPT", "base", "output", "value"]

_RO = Access.READ_ONLY
_COR = SideEffect.CLEAR_ON_READ
_TOGGLE = SideEffect.TOGGLE_ON_WRITE

AP_CTRL_HS = (
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


def value(
    name: str, offset: int, doc: str, unit: str, access: Access = Access.READ_WRITE
) -> Register:
    """A register that holds one value in all of its bits."""
    field = BitField(name, 0, doc, 8 * REGISTER_BYTES, access)
    return Register(name, offset, doc, access, (field,), unit)


def base(name: str, offset: int, what: str) -> Register:
    """The register of a base pointer."""
    return value(name, offset, f"byte address that is added to {what} addresses", "bytes")


def output(name: str, offset: int, doc: str, unit: str, bits: int) -> tuple[Register, Register]:
    """An output of `bits` bits, and the register that HLS adds behind it for its valid signal."""
    valid = f"{name}_ap_vld"
    field = BitField(name, 0, doc, bits, _RO)
    return (
        Register(name, offset, doc, _RO, (field,), unit),
        Register(
            f"{name}_ctrl",
            offset + REGISTER_BYTES,
            f"control signal of {name}",
            _RO,
            (BitField(valid, 0, f"{name} was written since the last read", 1, _RO, _COR),),
        ),
    )
