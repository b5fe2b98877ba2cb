"""One instruction or micro-op as one line of assembler text, and back.

A line is a mnemonic and the fields that are not zero, in the order of the instruction table:
flags as bare words, numbers as `name=value`. docs/isa.md, "Assembler text", gives the grammar.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from vta_pynq.config import HwConfig
from vta_pynq.errors import AsmError
from vta_pynq.isa.layout import insn_mask
from vta_pynq.isa.table import (
    FORMAT_OF_OPCODE,
    FORMATS,
    HEAD_FIELDS,
    INSN_BYTES,
    UOP_FIELDS,
    AluOp,
    Field,
    MemType,
    Opcode,
)

__all__ = [
    "RESERVED",
    "format_insn",
    "mnemonic",
    "operand_fields",
    "parse_insn",
    "parse_number",
    "parse_uop",
    "suffix_field",
]

RESERVED = "reserved"
"""The attribute that carries bits outside every field: a 128-bit number."""

_NUMBER = re.compile(r"-?(0x[0-9a-fA-F]{1,32}|[0-9]{1,39})")
_SUFFIX: dict[Opcode, tuple[str, type[MemType] | type[AluOp]]] = {
    Opcode.LOAD: ("memory_type", MemType),
    Opcode.STORE: ("memory_type", MemType),
    Opcode.ALU: ("alu_opcode", AluOp),
}
_HEXADECIMAL = frozenset({"dram_base"})
_FLAGS = frozenset(f.name for g in FORMATS for f in g.fields if f.unit == "flag")


@functools.cache
def mnemonic(opcode: int, kind: int) -> str:
    """The mnemonic: the opcode's name, with the memory type or ALU operation after a dot."""
    name = Opcode(opcode).name
    if opcode not in _SUFFIX:
        return name
    enum_type = _SUFFIX[Opcode(opcode)][1]
    return f"{name}.{enum_type(kind).name if kind in list(enum_type) else kind}"


def suffix_field(opcode: int) -> str | None:
    """The field that the mnemonic's suffix stands for; None where it has no suffix."""
    return _SUFFIX[Opcode(opcode)][0] if opcode in _SUFFIX else None


@functools.cache
def operand_fields(opcode: int) -> tuple[Field, ...]:
    """The fields that follow the mnemonic, in order. FINISH means nothing beyond its head."""
    fields = FORMAT_OF_OPCODE[Opcode(opcode)].fields
    if opcode == Opcode.FINISH:
        fields = fields[:HEAD_FIELDS]
    skipped = ("opcode", suffix_field(opcode))
    return tuple(field for field in fields if field.name not in skipped)


def format_insn(
    opcode: int, values: Mapping[str, int], dram_base: str | None, reserved: int
) -> str:
    """The canonical line of one instruction.

    Parameters
    ----------
    opcode, values
        The decoded instruction; fields that are missing count as zero.
    dram_base
        What to print for a `dram_base` that is not zero; None prints the number.
    reserved
        The bits that no field explains.
    """
    kind = suffix_field(opcode)
    words = [mnemonic(opcode, values.get(kind, 0) if kind else 0)]
    for field in operand_fields(opcode):
        value = values.get(field.name, 0)
        if not value:
            continue
        if field.unit == "flag":
            words.append(field.name)
        elif field.name in _HEXADECIMAL:
            words.append(f"{field.name}={dram_base or hex(value)}")
        else:
            words.append(f"{field.name}={value}")
    if reserved:
        words.append(f"{RESERVED}={reserved:#x}")
    return " ".join(words)


def parse_number(text: str) -> int | None:
    """A decimal or 0x number; None where the text is not one."""
    return int(text, 0 if "0x" in text else 10) if _NUMBER.fullmatch(text) else None


@functools.cache
def _suffixes(opcode: Opcode) -> dict[str, int]:
    return {member.name: int(member) for member in _SUFFIX[opcode][1]}


@functools.cache
def _mnemonics() -> dict[str, Opcode]:
    return {opcode.name: opcode for opcode in Opcode}


def _parse_mnemonic(word: str, config: HwConfig) -> dict[str, int]:
    name, dot, suffix = word.partition(".")
    opcode = _mnemonics().get(name)
    if opcode is None:
        raise AsmError(f"mnemonic must be one of {', '.join(_mnemonics())}, not '{word}'")
    if opcode not in _SUFFIX:
        if dot:
            raise AsmError(f"mnemonic {name} must have no suffix, not '.{suffix}'")
        return {"opcode": opcode}
    field, known = _SUFFIX[opcode][0], _suffixes(opcode)
    if suffix in known:
        return {"opcode": opcode, field: known[suffix]}
    number = parse_number(suffix)
    (described,) = (f for f in FORMAT_OF_OPCODE[opcode].fields if f.name == field)
    if number is None or not 0 <= number <= described.value_range(config)[1]:
        raise AsmError(
            f"suffix of {name} must be one of {', '.join(known)} or a number in "
            f"0..{described.value_range(config)[1]}, not '{suffix}'"
        )
    return {"opcode": opcode, field: number}


@functools.cache
def _operands(config: HwConfig, opcode: Opcode) -> dict[str, tuple[int, int]]:
    """The operands of an opcode and what their bits can hold."""
    return {field.name: field.value_range(config) for field in operand_fields(opcode)}


def parse_insn(
    words: Sequence[str], config: HwConfig, address_of: Callable[[str, int, int], int]
) -> tuple[dict[str, int], int]:
    """Read the words of one instruction line.

    Parameters
    ----------
    words
        Mnemonic and operands.
    config
        Field widths.
    address_of
        Resolves `dram_base`: (symbol, offset in elements, memory type) to the field's value;
        raises AsmError.

    Returns
    -------
    values, reserved
        Field values, opcode included, and the bits of `reserved=`.

    Raises
    ------
    AsmError
        Something is not understood or out of range; the message has no line number yet.
    """
    values = _parse_mnemonic(words[0], config)
    opcode = Opcode(values["opcode"])
    fields = _operands(config, opcode)
    reserved = 0
    for word in words[1:]:
        name, equals, text = word.partition("=")
        if name == RESERVED:
            reserved = _in_range(name, text, (0, (1 << 8 * INSN_BYTES) - 1), words[0])
            used = reserved & insn_mask(config, opcode)
            if used:
                raise AsmError(f"{words[0]}: reserved must not touch fields (bits {used:#x})")
            continue
        bounds = fields.get(name)
        if bounds is None:
            raise AsmError(f"{words[0]}: operand must be one of {', '.join(fields)}, not '{name}'")
        if name in values:
            raise AsmError(f"{words[0]}: {name} must be given once")
        if not equals and name in _FLAGS:
            values[name] = 1
        elif name in _HEXADECIMAL and text and parse_number(text) is None:
            values[name] = _symbolic(text, words[0], values["memory_type"], address_of)
        else:
            values[name] = _in_range(name, text, bounds, words[0])
    return values, reserved


def _symbolic(
    text: str, where: str, memory_type: int, address_of: Callable[[str, int, int], int]
) -> int:
    symbol, plus, tail = text.rpartition("+")
    offset = parse_number(tail) if plus else None
    if offset is None:
        symbol, offset = text, 0
    try:
        return address_of(symbol, offset, memory_type)
    except AsmError as error:
        raise AsmError(f"{where}: {error}") from None


def _in_range(name: str, text: str, bounds: tuple[int, int], where: str) -> int:
    number = parse_number(text)
    if number is None or not bounds[0] <= number <= bounds[1]:
        upper = f"{bounds[1]:#x}" if bounds[1] >> 64 else str(bounds[1])
        raise AsmError(f"{where}: {name} must be a number in {bounds[0]}..{upper}, not '{text}'")
    return number


def parse_uop(words: Sequence[str], config: HwConfig) -> tuple[int, int, int]:
    """Read `dst src wgt`.

    Raises
    ------
    AsmError
        There are not three numbers, or one does not fit its field.
    """
    if len(words) != len(UOP_FIELDS):
        raise AsmError(
            f"micro-op must be {len(UOP_FIELDS)} numbers (dst src wgt), not {len(words)}"
        )
    dst, src, wgt = (
        _in_range(field.name, word, field.value_range(config), "micro-op")
        for field, word in zip(UOP_FIELDS, words, strict=True)
    )
    return dst, src, wgt
