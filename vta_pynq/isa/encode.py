"""Vectorised encoder and decoder of instructions and micro-ops: NumPy in, NumPy out.

Decoded instructions are records of `INSN_DTYPE` (every field of every format; those that an
instruction's format lacks are zero). Encoded ones are rows of two little-endian 64-bit words.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import EncodeError
from vta_pynq.isa.layout import Slot, format_layout, uop_layout
from vta_pynq.isa.table import FORMATS, INSN_BYTES, MEM_FORMAT, Field, Format, Opcode

__all__ = [
    "INSN_DTYPE",
    "UOP_DTYPE",
    "as_words",
    "decode",
    "decode_uops",
    "encode",
    "encode_uops",
]

INSN_DTYPE = np.dtype(
    [
        ("opcode", "u1"),
        ("pop_prev", "u1"),
        ("pop_next", "u1"),
        ("push_prev", "u1"),
        ("push_next", "u1"),
        ("memory_type", "u1"),
        ("y_pad_0", "u1"),
        ("y_pad_1", "u1"),
        ("x_pad_0", "u1"),
        ("x_pad_1", "u1"),
        ("reset", "u1"),
        ("alu_opcode", "u1"),
        ("use_imm", "u1"),
        ("_reserved", "u1"),
        ("imm", "<i2"),
        ("sram_base", "<u2"),
        ("y_size", "<u2"),
        ("x_size", "<u2"),
        ("x_stride", "<u2"),
        ("uop_bgn", "<u2"),
        ("uop_end", "<u2"),
        ("iter_out", "<u2"),
        ("iter_in", "<u2"),
        ("dst_factor_out", "<u2"),
        ("dst_factor_in", "<u2"),
        ("src_factor_out", "<u2"),
        ("src_factor_in", "<u2"),
        ("wgt_factor_out", "<u2"),
        ("wgt_factor_in", "<u2"),
        ("dram_base", "<u4"),
    ]
)
"""One decoded instruction. Field names and meanings are those of `vta_pynq.isa.table`."""

UOP_DTYPE = np.dtype([("dst_idx", "<u2"), ("src_idx", "<u2"), ("wgt_idx", "<u2")])
"""One decoded micro-op."""

_WORDS = np.dtype("<u8")
_HEAD_FIELDS = 5  # opcode and the four dependency flags: all that FINISH means

Check = Literal["legal", "width"]


def as_words(data: bytes | bytearray | memoryview | npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """View raw instruction bytes as an (n, 2) array of words without copying.

    Raises
    ------
    EncodeError
        The length is not a multiple of 16 bytes.
    """
    array = np.ascontiguousarray(data) if isinstance(data, np.ndarray) else None
    raw = np.frombuffer(data if array is None else array.view(np.uint8).reshape(-1), np.uint8)
    if raw.size % INSN_BYTES:
        raise EncodeError(
            f"instructions: length must be a multiple of {INSN_BYTES} bytes, not {raw.size}"
        )
    return raw.view(_WORDS).reshape(-1, 2)


def _check_field(
    values: npt.NDArray[np.generic], field: Field, config: HwConfig, check: Check, where: str,
    rows: npt.NDArray[np.intp] | None,
) -> None:
    low, high = (field.legal_range if check == "legal" else field.value_range)(config)
    wide = values.astype(np.int64)
    bad = np.flatnonzero((wide < low) | (wide > high))
    if bad.size:
        row = int(bad[0] if rows is None else rows[bad[0]])
        raise EncodeError(
            f"{where.format(row)}: {field.name} must be in {low}..{high} "
            f"({config.name}), not {int(wide[bad[0]])}"
        )


def _selected(records: npt.NDArray[np.void], opcodes: tuple[Opcode, ...]) -> npt.NDArray[np.intp]:
    return np.flatnonzero(np.isin(records["opcode"], opcodes))


def encode(
    records: npt.NDArray[np.void], config: HwConfig, check: Check = "legal"
) -> npt.NDArray[np.uint64]:
    """Encode decoded instructions.

    Parameters
    ----------
    records
        Array of `INSN_DTYPE`, shape (n,).
    config
        The configuration whose field widths apply.
    check
        `"legal"` refuses values that mean nothing (such as a micro-op past the buffer);
        `"width"` refuses only values that the bits cannot hold.

    Returns
    -------
    words
        Array of little-endian uint64, shape (n, 2). Reserved bits are 0.

    Raises
    ------
    EncodeError
        A field is out of range, or an opcode is unknown; the message names the instruction.
    """
    words = np.zeros((len(records), 2), _WORDS)
    done = 0
    for format_ in FORMATS:
        rows = _selected(records, format_.opcodes)
        if rows.size:
            words[rows] = _encode_format(records[rows], config, format_, check, rows)
            done += rows.size
    if done != len(records):
        known = [int(o) for o in Opcode]
        row = int(np.flatnonzero(~np.isin(records["opcode"], known))[0])
        raise EncodeError(
            f"insn {row}: opcode must be one of {', '.join(o.name for o in Opcode)}, "
            f"not {int(records['opcode'][row])}"
        )
    return words


def _encode_format(
    records: npt.NDArray[np.void], config: HwConfig, format_: Format, check: Check,
    rows: npt.NDArray[np.intp],
) -> npt.NDArray[np.uint64]:
    columns = [np.zeros(len(records), np.uint64), np.zeros(len(records), np.uint64)]
    for slot in format_layout(config, format_):
        values = records[slot.field.name]
        where = f"insn {{}} {format_.name}"
        _check_field(values, slot.field, config, check, where, rows)
        if slot.width:
            bits = values.astype(np.uint64) & np.uint64(slot.mask)
            columns[slot.word] |= bits << np.uint64(slot.shift)
    if format_ is MEM_FORMAT:
        finish = records["opcode"] == Opcode.FINISH
        head = np.uint64((1 << sum(f.width(config) for f in format_.fields[:_HEAD_FIELDS])) - 1)
        columns[0][finish] &= head
        columns[1][finish] = 0
    return np.stack(columns, axis=1)


def _extract(words: npt.NDArray[np.uint64], slot: Slot) -> npt.NDArray[np.int64]:
    bits = (words[:, slot.word] >> np.uint64(slot.shift)) & np.uint64(slot.mask)
    values = bits.astype(np.int64)
    if slot.field.signed:
        sign = np.int64(1 << slot.width - 1)
        values = (values ^ sign) - sign
    return values


def decode(words: npt.NDArray[np.uint64], config: HwConfig) -> npt.NDArray[np.void]:
    """Decode instructions; reserved bits are ignored.

    An instruction with an opcode outside `Opcode` decodes to its head (opcode and dependency
    flags), everything else zero; so does FINISH.

    Parameters
    ----------
    words
        Array of uint64, shape (n, 2), or raw bytes.

    Returns
    -------
    records
        Array of `INSN_DTYPE`, shape (n,).
    """
    words = as_words(words)
    records = np.zeros(len(words), INSN_DTYPE)
    for slot in format_layout(config, MEM_FORMAT)[:_HEAD_FIELDS]:
        records[slot.field.name] = _extract(words, slot)
    for format_ in FORMATS:
        rows = _selected(records, tuple(o for o in format_.opcodes if o != Opcode.FINISH))
        if not rows.size:
            continue
        chosen = words[rows]
        for slot in format_layout(config, format_)[_HEAD_FIELDS:]:
            if slot.width:
                records[slot.field.name][rows] = _extract(chosen, slot)
    return records


def encode_uops(records: npt.NDArray[np.void], config: HwConfig) -> npt.NDArray[np.uint32]:
    """Encode micro-ops: array of `UOP_DTYPE`, shape (n,), to uint32, shape (n,).

    Raises
    ------
    EncodeError
        An index does not fit; the message names the micro-op.
    """
    words = np.zeros(len(records), np.dtype("<u4"))
    for slot in uop_layout(config):
        values = records[slot.field.name]
        _check_field(values, slot.field, config, "width", "uop {}", None)
        if slot.width:
            words |= values.astype(np.uint32) << np.uint32(slot.shift)
    return words


def decode_uops(words: npt.NDArray[np.uint32], config: HwConfig) -> npt.NDArray[np.void]:
    """Decode micro-ops: uint32, shape (n,), to `UOP_DTYPE`, shape (n,)."""
    words = np.asarray(words, np.dtype("<u4")).reshape(-1)
    records = np.zeros(len(words), UOP_DTYPE)
    for slot in uop_layout(config):
        if slot.width:
            records[slot.field.name] = (words >> np.uint32(slot.shift)) & np.uint32(slot.mask)
    return records
