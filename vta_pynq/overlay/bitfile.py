"""The header of a `.bit` file, as UG470's tools write it: reading, and writing an empty one."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

from vta_pynq.errors import ConfigError

__all__ = ["BitHeader", "empty_bitfile", "read_bit_header"]

_MAGIC = bytes.fromhex("00090ff00ff00ff00ff0000001")
_TEXT_FIELDS = {ord("a"): "design", ord("b"): "part", ord("c"): "date", ord("d"): "time"}
_DATA_FIELD = ord("e")
_PADDING = b"\xff" * 64
_HEADER_LIMIT = 4096


@dataclasses.dataclass(frozen=True)
class BitHeader:
    """What the header says; `data_bytes` is the length of the configuration data."""

    design: str
    part: str
    date: str
    time: str
    data_bytes: int


def read_bit_header(path: Path) -> BitHeader:
    """Read the header of the bitstream at `path` and check the file's length against it.

    Raises
    ------
    ConfigError
        The file cannot be read, is no bitstream, or is cut short.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_LIMIT)
            size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"{path}: must be readable: {error.strerror}; check the path") from None
    texts: dict[str, str] = {}
    place = len(_MAGIC)
    try:
        if head[:place] != _MAGIC:
            raise ValueError("it does not start like one")
        while head[place] != _DATA_FIELD:
            (length,) = struct.unpack_from(">H", head, place + 1)
            text = head[place + 3 : place + 3 + length]
            texts[_TEXT_FIELDS[head[place]]] = text.rstrip(b"\0").decode("ascii")
            place += 3 + length
        (data_bytes,) = struct.unpack_from(">I", head, place + 1)
        header = BitHeader(data_bytes=data_bytes, **texts)
    except (ValueError, KeyError, IndexError, struct.error, TypeError) as error:
        raise ConfigError(f"{path}: must be a Xilinx bitstream: {error}") from None
    expected = place + 5 + data_bytes
    if size != expected:
        raise ConfigError(
            f"{path}: the bitstream must be {expected} bytes long, not {size}; fetch it again"
        )
    return header


def empty_bitfile(design: str, part: str) -> bytes:
    """A well-formed `.bit` file that configures nothing, for designs that are only simulated."""

    def field(tag: str, text: str) -> bytes:
        raw = text.encode("ascii") + b"\0"
        return tag.encode() + struct.pack(">H", len(raw)) + raw

    return b"".join(
        [
            _MAGIC,
            field("a", f"{design};UserID=0XFFFFFFFF;Version=simulated"),
            field("b", part),
            field("c", "1970/01/01"),
            field("d", "00:00:00"),
            b"e" + struct.pack(">I", len(_PADDING)) + _PADDING,
        ]
    )
