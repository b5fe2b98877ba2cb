"""Where each field of the instruction table lies in a given configuration."""

from __future__ import annotations

import dataclasses
import functools

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import (
    FORMAT_OF_OPCODE,
    HEAD_FIELDS,
    UOP_FIELDS,
    WORD_BITS,
    Field,
    Format,
    Opcode,
)

__all__ = ["Slot", "format_layout", "insn_mask", "uop_layout"]


@dataclasses.dataclass(frozen=True)
class Slot:
    """A placed field: `width` bits from bit `shift` of 64-bit word `word`."""

    field: Field
    word: int
    shift: int
    width: int

    @property
    def low_bit(self) -> int:
        """Position of the least significant bit in the whole instruction."""
        return self.word * WORD_BITS + self.shift

    @property
    def mask(self) -> int:
        """The field's bits, at bit 0."""
        return (1 << self.width) - 1


@functools.cache
def format_layout(config: HwConfig, format_: Format) -> tuple[Slot, ...]:
    """Place a format's fields as a C compiler packs bit-fields into two 64-bit units."""
    slots = []
    word = shift = 0
    for field in format_.fields:
        width = field.width(config)
        if shift + width > WORD_BITS:
            word, shift = word + 1, 0
        slots.append(Slot(field, word, shift, width))
        shift += width
    assert word < 2, f"{format_.name} does not fit two words in {config.name}"
    return tuple(slots)


@functools.cache
def insn_mask(config: HwConfig, opcode: Opcode) -> int:
    """The bits of the 128-bit instruction that mean something; the others are reserved."""
    slots = format_layout(config, FORMAT_OF_OPCODE[opcode])
    if opcode == Opcode.FINISH:
        slots = slots[:HEAD_FIELDS]
    return sum(slot.mask << slot.low_bit for slot in slots)


@functools.cache
def uop_layout(config: HwConfig) -> tuple[Slot, ...]:
    """Place a micro-op's fields in its 32-bit word."""
    slots = []
    shift = 0
    for field in UOP_FIELDS:
        width = field.width(config)
        slots.append(Slot(field, 0, shift, width))
        shift += width
    return tuple(slots)
