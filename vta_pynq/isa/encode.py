"""Vectorised encoder and decoder of instructions and micro-ops: NumPy in, NumPy out.

Decoded instructions are records of `INSN_DTYPE` (every field of every format; those that an
instruction's format lacks are zero). Encoded ones are rows of two little-endian 64-bit words.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import EncodeError
from vta_pynq.isa.layout import Slot, format_layout, insn_mask, uop_layout
from vta_pynq.isa.table import (
    FORMATS,
    HEAD_FIELDS,
    INSN_BYTES,
    MEM_FORMAT,
    Field,
    Format,
    Opcode,
)

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
        ("use_bias", "u1"),
        ("use_mul", "u1"),
        ("shift", "u1"),
        ("clip_lo", "i1"),
        ("clip_hi", "u1"),
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
_CHUNK = 32768  # instructions at a time: their columns stay in cache
_KNOWN = np.isin(np.arange(256), [int(opcode) for opcode in Opcode])

Check = Literal["legal", "width"]


def as_words(
    data: bytes | bytearray | memoryview | npt.NDArray[np.generic],
) -> npt.NDArray[np.uint64]:
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


def _range_error(
    value: int, low: int, high: int, field: Field, config: HwConfig, where: str
) -> EncodeError:
    if field.buffer:
        reason, advice = f"{field.buffer} of {config.name}", "use a smaller tile"
    else:
        bits = field.width(config)
        reason, advice = f"{bits} bit{'s' * (bits != 1)}", "use several instructions"
    advice = f"; {advice}" if field.unit not in ("", "flag") else ""
    return EncodeError(
        f"{where}: {field.name} must be in {low}..{high} ({reason}), not {value}{advice}"
    )


def _first_outside(values: npt.NDArray[Any], low: int, high: int) -> int | None:
    """Position of the first value outside low..high. Asks only what the dtype leaves open."""
    limits = np.iinfo(values.dtype)
    over = high < limits.max and values.max() > high
    under = low > limits.min and values.min() < low
    if not (over or under):
        return None
    wide = values.astype(np.int64)
    return int(np.flatnonzero((wide < low) | (wide > high))[0])


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
    words = np.empty((len(records), 2), _WORDS)
    for start in range(0, len(records), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        _encode_chunk(records[chunk], words[chunk], config, check, start)
    return words


def _encode_chunk(
    records: npt.NDArray[np.void],
    words: npt.NDArray[np.uint64],
    config: HwConfig,
    check: Check,
    start: int,
) -> None:
    opcodes = records["opcode"].copy()
    done = 0
    for format_ in FORMATS:
        rows = _rows(opcodes, format_.opcodes)
        if rows.size:
            columns = _encode_format(records.take(rows), config, format_, check, rows, start)
            words[rows, 0], words[rows, 1] = columns
            done += rows.size
    if done != len(records):
        row = int(np.flatnonzero(~_KNOWN[opcodes])[0])
        raise EncodeError(
            f"insn {start + row}: opcode must be one of {', '.join(o.name for o in Opcode)}, "
            f"not {int(opcodes[row])}"
        )


def _rows(opcodes: npt.NDArray[np.uint8], wanted: tuple[Opcode, ...]) -> npt.NDArray[np.intp]:
    mask = opcodes == wanted[0]
    for opcode in wanted[1:]:
        mask |= opcodes == opcode
    return np.flatnonzero(mask)


def _encode_format(
    records: npt.NDArray[np.void],
    config: HwConfig,
    format_: Format,
    check: Check,
    rows: npt.NDArray[np.intp],
    start: int,
) -> npt.NDArray[np.uint64]:
    words = np.zeros((2, len(records)), np.uint64)
    for slot in format_layout(config, format_):
        field = slot.field
        values = records[field.name].copy()  # contiguous: each pass below is then vectorised
        low, high = (field.legal_range if check == "legal" else field.value_range)(config)
        bad = _first_outside(values, low, high)
        if bad is not None:
            name = Opcode(records["opcode"][bad]).name
            where = f"insn {start + int(rows[bad])} {name}"
            raise _range_error(int(values[bad]), low, high, field, config, where)
        if slot.width:
            bits = values.astype(np.uint64)
            if field.signed:
                bits &= np.uint64(slot.mask)
            bits <<= np.uint64(slot.shift)
            words[slot.word] |= bits
    if format_ is MEM_FORMAT:
        finish = records["opcode"] == Opcode.FINISH
        words[0][finish] &= np.uint64(insn_mask(config, Opcode.FINISH))
        words[1][finish] = 0
    return words


def decode(
    words: npt.NDArray[np.uint64] | bytes | bytearray | memoryview, config: HwConfig
) -> npt.NDArray[np.void]:
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
    for start in range(0, len(words), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        _decode_chunk(words[chunk].T.copy(), records[chunk], config)
    return records


def _decode_chunk(
    words: npt.NDArray[np.uint64], records: npt.NDArray[np.void], config: HwConfig
) -> None:
    for slot in format_layout(config, MEM_FORMAT)[:HEAD_FIELDS]:
        records[slot.field.name] = _extract(words, slot)
    opcodes = records["opcode"].copy()
    for format_ in FORMATS:
        rows = _rows(opcodes, tuple(o for o in format_.opcodes if o != Opcode.FINISH))
        if not rows.size:
            continue
        chosen = words[:, rows]
        for slot in format_layout(config, format_)[HEAD_FIELDS:]:
            if slot.width:
                records[slot.field.name][rows] = _extract(chosen, slot)


def _extract(
    words: npt.NDArray[np.uint64], slot: Slot
) -> npt.NDArray[np.uint64] | npt.NDArray[np.int64]:
    """A field's values; `words` has shape (2, n)."""
    bits: npt.NDArray[np.uint64] = words[slot.word] >> np.uint64(slot.shift)
    bits &= np.uint64(slot.mask)
    if not slot.field.signed:
        return bits
    sign = np.int64(1 << slot.width - 1)
    values: npt.NDArray[np.int64] = (bits.view(np.int64) ^ sign) - sign
    return values


def encode_uops(records: npt.NDArray[np.void], config: HwConfig) -> npt.NDArray[np.uint32]:
    """Encode micro-ops: array of `UOP_DTYPE`, shape (n,), to uint32, shape (n,).

    Raises
    ------
    EncodeError
        An index does not fit; the message names the micro-op.
    """
    words = np.zeros(len(records), np.dtype("<u4"))
    for slot in uop_layout(config):
        values = records[slot.field.name].copy()
        low, high = slot.field.value_range(config)
        bad = _first_outside(values, low, high) if values.size else None
        if bad is not None:
            raise _range_error(int(values[bad]), low, high, slot.field, config, f"uop {bad}")
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
