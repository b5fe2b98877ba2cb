"""What a register table is made of: registers, their fields, blocks, address maps, designs.

The tables themselves are in `vta_pynq.isa.registers`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from vta_pynq.isa.table import Module

__all__ = [
    "REGISTER_BYTES",
    "Access",
    "AddressMap",
    "BitField",
    "Design",
    "IpBlock",
    "Master",
    "Register",
    "SideEffect",
]

REGISTER_BYTES = 4
"""Bytes of one register."""

_REGISTER_BITS = 8 * REGISTER_BYTES


class Access(str, enum.Enum):
    """What the bus may do with a register or field; the word that `.hwh` files use."""

    READ_WRITE = "read-write"
    READ_ONLY = "read-only"
    WRITE_ONLY = "write-only"


class SideEffect(enum.Enum):
    """What else an access does to a field."""

    NONE = enum.auto()
    CLEAR_ON_READ = enum.auto()
    CLEAR_ON_HANDSHAKE = enum.auto()
    """Set by a write of 1; the hardware clears it when it has taken the start."""
    TOGGLE_ON_WRITE = enum.auto()
    """A write of 1 inverts the bit, so writing back what was read clears it."""
    CLEAR_ON_WRITE = enum.auto()
    """Set by the hardware and kept; a write of 1 clears the bit, a write of 0 leaves it."""
    ACT_ON_WRITE = enum.auto()
    """A write of 1 does something at once; the bit reads 0."""


@dataclasses.dataclass(frozen=True)
class BitField:
    """`width` bits of a register from bit `bit` upwards."""

    name: str
    bit: int
    doc: str
    width: int = 1
    access: Access = Access.READ_WRITE
    side_effect: SideEffect = SideEffect.NONE

    @property
    def mask(self) -> int:
        """The field's bits, in their place."""
        return ((1 << self.width) - 1) << self.bit


@dataclasses.dataclass(frozen=True)
class Register:
    """One 32-bit register at byte `offset` of its block; `unit` is the unit of its value.

    `reset` is its value after a download, where the build does not decide it.
    """

    name: str
    offset: int
    doc: str
    access: Access = Access.READ_WRITE
    fields: tuple[BitField, ...] = ()
    unit: str = ""
    reset: int = 0

    @property
    def bits(self) -> int:
        """Bits of the register: 32 for all."""
        return _REGISTER_BITS

    def field(self, name: str) -> BitField:
        """The field of that name.

        Raises
        ------
        KeyError
            There is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name}.{name}")


@dataclasses.dataclass(frozen=True)
class Master:
    """An AXI master port of a block, and the register that is added to its addresses."""

    name: str
    base_register: str
    doc: str


@dataclasses.dataclass(frozen=True)
class IpBlock:
    """One IP: its name, the VLNV that drivers bind to, its registers and its AXI ports.

    `interrupt` is the name of its interrupt output, which a block design may leave unconnected.
    """

    name: str
    """The module's name in lower case, as address maps use it; blocks that are none of the four
    modules have names of their own."""
    vlnv: str
    slave: str
    registers: tuple[Register, ...]
    masters: tuple[Master, ...] = ()
    interrupt: str = "interrupt"

    def register(self, name: str) -> Register:
        """The register of that name.

        Raises
        ------
        KeyError
            There is none.
        """
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"{self.name}.{name}")


@dataclasses.dataclass(frozen=True)
class AddressMap:
    """Where the blocks of a design lie, as byte offsets into the PS's window to the logic.

    The window's own address belongs to the board (`overlays/boards/*.json`). Each block takes
    `range_bytes`. `intc` is where the interrupt controller lies in designs that have one.
    """

    name: str
    doc: str
    offsets: Mapping[str, int]
    range_bytes: int

    @property
    def intc(self) -> int:
        """Offset of the interrupt controller: one range after the last block."""
        return max(self.offsets.values()) + self.range_bytes


@dataclasses.dataclass(frozen=True)
class Design:
    """A hardware design as software sees it: its blocks and the address maps it was built with.

    `control` is the block that is none of the four modules: identity, reset, status, counters.
    `interrupts` names the blocks whose interrupt output reaches the interrupt controller.
    """

    name: str
    doc: str
    modules: tuple[IpBlock, ...]
    address_maps: Mapping[str, AddressMap]
    control: IpBlock | None = None
    interrupts: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[IpBlock, ...]:
        """Every block: those of the modules, then the control block where there is one."""
        return self.modules if self.control is None else (*self.modules, self.control)

    def block(self, module: Module) -> IpBlock:
        """The block of a module.

        Raises
        ------
        KeyError
            The design has no such block.
        """
        for block in self.modules:
            if block.name == module.name.lower():
                return block
        raise KeyError(f"{self.name}.{module.name}")

    def block_of_vlnv(self, vlnv: str) -> IpBlock | None:
        """The block that a VLNV names, whatever its version; None where there is none."""
        wanted = vlnv.rpartition(":")[0]
        for block in self.blocks:
            if block.vlnv.rpartition(":")[0] == wanted:
                return block
        return None
