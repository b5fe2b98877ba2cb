"""The container: a plain zip file, written reproducibly and read with suspicion.

Stock tools read it. This reader accepts less than they do, on purpose: members follow one
another without gap or overlap from the first byte, the directory follows them and ends the file,
both headers of a member agree, and nothing is encrypted, split, linked or commented. So there is
one way to understand an accepted file. Source of the format: PKWARE APPNOTE 6.3, sections 4.3-4.5.
"""

from __future__ import annotations

import dataclasses
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable

from vta_pynq.errors import ProgramError
from vta_pynq.program.rules import at, shown

__all__ = ["MAX_FILE_BYTES", "MAX_RATIO", "Member", "read_archive", "write_archive"]

MAX_FILE_BYTES = 1 << 30
"""Bytes of a file, and of all its members together once inflated."""
MAX_MEMBERS = 1024
MAX_RATIO = 256
"""A member may inflate to this many times its size, plus `FREE_BYTES`."""
FREE_BYTES = 1 << 16

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
# Deflate level hints (bits 1, 2) and UTF-8 names (bit 11) mean nothing to a reader of ASCII names.
_HARMLESS_FLAGS = 0x0806
_ENCRYPTED_FLAG = 0x0001
_MEMBER_NAME = re.compile(rb"manifest\.json|sections/[a-z0-9_]{1,64}\.bin")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format can express
_UNIX, _FILE_MODE = 3, 0o100644


@dataclasses.dataclass(frozen=True)
class Member:
    """One member of an archive, still packed."""

    name: str
    bytes: int
    crc: int
    method: int
    packed: memoryview

    def read(self) -> memoryview:
        """The content, its length and CRC-32 checked; a view of the file where it is stored.

        Raises
        ------
        ProgramError
            The data is damaged or longer than the directory says.
        """
        with at(f"member '{self.name}'"):
            data = self.packed if self.method == zipfile.ZIP_STORED else self._inflated()
            if zlib.crc32(data) != self.crc:
                raise ProgramError("checksum (CRC-32) must match; the file is damaged")
            return data

    def _inflated(self) -> memoryview:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            # One byte more than allowed: enough to notice, whatever the stream holds.
            data = inflater.decompress(self.packed, self.bytes + 1)
        except zlib.error as error:
            raise ProgramError(f"deflated data must be readable: {error}") from None
        if len(data) != self.bytes or not inflater.eof or inflater.unused_data:
            raise ProgramError(f"deflated data must hold exactly {self.bytes} bytes")
        return memoryview(data)


def read_archive(data: bytes) -> dict[str, Member]:
    """The members of a zip file, by name; nothing is inflated yet.

    Raises
    ------
    ProgramError
        The file is not a zip file of the strict kind described above.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ProgramError(f"file must have at most {MAX_FILE_BYTES} bytes, not {len(data)}")
    view = memoryview(data)
    count, start, end = _directory(view)
    members: dict[str, Member] = {}
    position = local = 0
    for _ in range(count):
        entry, position = _entry(view, start + position, end)
        position -= start
        member, local = _member(view, entry, local, start)
        if member.name in members:
            raise ProgramError(f"member '{member.name}' must come once, not twice")
        members[member.name] = member
    if start + position != end:
        raise ProgramError("directory must hold its members and nothing else")
    if local != start:
        raise ProgramError(f"directory must follow the last member at {local}, not at {start}")
    total = sum(member.bytes for member in members.values())
    if total > MAX_FILE_BYTES:
        raise ProgramError(f"members must hold at most {MAX_FILE_BYTES} bytes, not {total}")
    return members


def _directory(view: memoryview) -> tuple[int, int, int]:
    """Number of members, begin and end of the directory."""
    end = len(view) - _END.size
    if end < 0 or bytes(view[end : end + 4]) != _END_MAGIC:
        raise ProgramError(
            "file must be a zip file that ends with its directory, not cut off or something else; "
            "'vta compile' writes program files"
        )
    _, disk, first, here, count, size, start, comment = _END.unpack_from(view, end)
    if disk or first or here != count or comment:
        raise ProgramError("zip file must be in one part and without a comment")
    if count > MAX_MEMBERS:
        raise ProgramError(f"members must be at most {MAX_MEMBERS}, not {count}")
    if start + size != end:
        raise ProgramError("directory must end where the end record begins (no zip64)")
    return count, start, end


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What the directory says about a member."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    local: int


def _entry(view: memoryview, position: int, end: int) -> tuple[_Entry, int]:
    if position + _CENTRAL.size > end or bytes(view[position : position + 4]) != _CENTRAL_MAGIC:
        raise ProgramError(f"directory entry must begin at byte {position}")
    fields = _CENTRAL.unpack_from(view, position)
    _, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, _, local = fields
    name_bytes, extra_bytes, comment_bytes = lengths
    begin = position + _CENTRAL.size
    following = begin + name_bytes + extra_bytes
    if following > end or comment_bytes or disk:
        raise ProgramError(f"directory entry at byte {position} must be whole and plain")
    name = bytes(view[begin : begin + name_bytes])
    if _MEMBER_NAME.fullmatch(name) is None:
        raise ProgramError(
            "member name must be manifest.json or sections/NAME.bin (a-z, 0-9, _), "
            f"not {shown(name.decode('latin-1'))}"
        )
    return _Entry(name, flags, method, crc, packed, size, local), following


def _member(view: memoryview, entry: _Entry, expected: int, limit: int) -> tuple[Member, int]:
    """The member that must begin at byte `expected`, and where it ends."""
    name = entry.raw_name.decode("ascii")
    with at(f"member '{name}'"):
        if entry.flags & _ENCRYPTED_FLAG:
            raise ProgramError("data must not be encrypted")
        if entry.flags & ~_HARMLESS_FLAGS:
            raise ProgramError(f"flags must be plain, not {entry.flags:#06x}")
        if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ProgramError(f"method must be stored or deflated, not {entry.method}")
        if entry.method == zipfile.ZIP_STORED and entry.packed != entry.size:
            raise ProgramError(f"stored data must be {entry.size} bytes, not {entry.packed}")
        if entry.size > MAX_RATIO * entry.packed + FREE_BYTES:
            raise ProgramError(
                f"data must inflate at most {MAX_RATIO} times, not from {entry.packed} to "
                f"{entry.size} bytes"
            )
        if entry.local != expected or expected + _LOCAL.size > limit:
            raise ProgramError(f"local header must be at byte {expected}, not {entry.local}")
        fields = _LOCAL.unpack_from(view, expected)
        magic, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = fields
        begin = expected + _LOCAL.size
        data = begin + name_bytes + extra_bytes
        same = (entry.flags, entry.method, entry.crc, entry.packed, entry.size)
        if (
            magic != _LOCAL_MAGIC
            or (flags, method, crc, packed, size) != same
            or bytes(view[begin : begin + name_bytes]) != entry.raw_name
        ):
            raise ProgramError("local header must agree with the directory")
        if data + packed > limit:
            raise ProgramError(f"data must end before the directory at byte {limit}")
        return Member(name, size, crc, method, view[data : data + packed]), data + packed


def write_archive(members: Iterable[tuple[str, memoryview]], compressed: bool) -> bytes:
    """A zip file of `members` in the given order; equal members give equal bytes.

    With `compressed`, members are deflated where that gains something and stays within what the
    reader accepts.

    Raises
    ------
    ProgramError
        The members are larger than the reader accepts.
    """
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        total = 0
        for name, data in members:
            total += len(data)
            if total > MAX_FILE_BYTES:
                raise ProgramError(f"members must hold at most {MAX_FILE_BYTES} bytes together")
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = _UNIX, _FILE_MODE << 16
            method = _method(data) if compressed else zipfile.ZIP_STORED
            archive.writestr(info, bytes(data), method)
    return output.getvalue()


def _method(data: memoryview) -> int:
    deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = len(deflater.compress(data)) + len(deflater.flush())
    fits = len(data) <= MAX_RATIO * packed + FREE_BYTES
    return zipfile.ZIP_DEFLATED if fits and packed < len(data) else zipfile.ZIP_STORED
