"""The strict zip reader: stock tools read what it reads, but it does not read all that they do."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest

from tests.program.mutations import members_of, zip_of
from vta_pynq.errors import ProgramError
from vta_pynq.program.archive import FREE_BYTES, MAX_RATIO, read_archive, write_archive

MEMBERS = [("manifest.json", b"{}"), ("sections/a.bin", bytes(1000)), ("sections/b.bin", b"")]
PLAIN = zip_of(MEMBERS)
DEFLATED = zip_of(MEMBERS, zipfile.ZIP_DEFLATED)


def _content(data: bytes) -> list[tuple[str, bytes]]:
    return [(name, bytes(member.read())) for name, member in read_archive(data).items()]


@pytest.mark.parametrize("compressed", [False, True])
def test_write_archive_is_reproducible_and_read_by_zipfile(compressed: bool) -> None:
    views = [(name, memoryview(content)) for name, content in MEMBERS]
    data = write_archive(views, compressed)
    assert data == write_archive(views, compressed)
    assert members_of(data) == MEMBERS
    assert _content(data) == MEMBERS
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_write_archive_stores_what_would_look_like_a_bomb() -> None:
    content = bytes(1 << 22)
    data = write_archive([("sections/a.bin", memoryview(content))], compressed=True)
    assert _content(data) == [("sections/a.bin", content)]


@pytest.mark.parametrize("data", [PLAIN, DEFLATED])
def test_read_archive_reads_what_zipfile_writes(data: bytes) -> None:
    assert _content(data) == MEMBERS


def _patched(local: int, central: int, form: str, value: int) -> bytes:
    """`PLAIN` with one field of the first member's two headers changed."""
    data = bytearray(PLAIN)
    struct.pack_into(form, data, local, value)
    struct.pack_into(form, data, PLAIN.index(b"PK\x01\x02") + central, value)
    return bytes(data)


def _comment() -> bytes:
    output = io.BytesIO(PLAIN)
    with zipfile.ZipFile(output, "a") as archive:
        archive.comment = b"hello"
    return output.getvalue()


def _streamed() -> bytes:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("manifest.json", b"{}")
    return bytes(pipe.data)


def _bomb(declared: int) -> bytes:
    """A member of 16 MiB of zeros that declares `declared` bytes in both headers."""
    data = bytearray(zip_of([("sections/a.bin", bytes(1 << 24))], zipfile.ZIP_DEFLATED))
    struct.pack_into("<I", data, 22, declared)
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, declared)
    return bytes(data)


def _packed_bytes(data: bytes) -> int:
    (count,) = struct.unpack_from("<I", data, 18)
    return int(count)


NO_ZIP = (
    "file must be a zip file that ends with its directory, not cut off or something else; "
    "'vta compile' writes program files"
)
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", NO_ZIP),
    "text": (lambda: b"x" * 100, NO_ZIP),
    "after": (lambda: PLAIN + b"\0", NO_ZIP),
    "before": (lambda: b"\0" + PLAIN, "directory must end where the end record begins (no zip64)"),
    "comment": (_comment, NO_ZIP),
    "twice": (
        lambda: zip_of([MEMBERS[0], MEMBERS[0]]),
        "member 'manifest.json' must come once, not twice",
    ),
    "outside": (
        lambda: zip_of([("../x", b"")]),
        "member name must be manifest.json or sections/NAME.bin (a-z, 0-9, _), not '../x'",
    ),
    "absolute": (
        lambda: zip_of([("/etc/passwd", b"")]),
        "member name must be manifest.json or sections/NAME.bin (a-z, 0-9, _), not '/etc/passwd'",
    ),
    "folder": (
        lambda: zip_of([("sections/", b"")]),
        "member name must be manifest.json or sections/NAME.bin (a-z, 0-9, _), not 'sections/'",
    ),
    "encrypted": (
        lambda: _patched(6, 8, "<H", 1),
        "member 'manifest.json': data must not be encrypted",
    ),
    "streamed": (_streamed, "member 'manifest.json': flags must be plain, not 0x0008"),
    "lzma": (
        lambda: zip_of(MEMBERS, zipfile.ZIP_LZMA),
        "member 'manifest.json': method must be stored or deflated, not 14",
    ),
    "bzip2": (
        lambda: zip_of(MEMBERS, zipfile.ZIP_BZIP2),
        "member 'manifest.json': method must be stored or deflated, not 12",
    ),
    "stored_size": (
        lambda: _patched(22, 24, "<I", 3),
        "member 'manifest.json': stored data must be 3 bytes, not 2",
    ),
    "disagreement": (
        lambda: PLAIN[:14] + b"\0\0\0\0" + PLAIN[18:],
        "member 'manifest.json': local header must agree with the directory",
    ),
    "overlap": (
        lambda: _patched(26, 42, "<I", 5),
        "member 'manifest.json': local header must be at byte 0, not 5",
    ),
    "checksum": (
        lambda: _patched(14, 16, "<I", 5),
        "member 'manifest.json': checksum (CRC-32) must match; the file is damaged",
    ),
    "bomb": (
        lambda: _bomb(1 << 24),
        f"member 'sections/a.bin': data must inflate at most {MAX_RATIO} times, not from "
        f"{_packed_bytes(_bomb(0))} to {1 << 24} bytes",
    ),
    "bomb_that_lies": (
        lambda: _bomb(1000),
        "member 'sections/a.bin': deflated data must hold exactly 1000 bytes",
    ),
    "many": (
        lambda: zip_of([(f"sections/a{i}.bin", b"") for i in range(1025)]),
        "members must be at most 1024, not 1025",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_read_archive_of_odd_file_is_refused(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        _content(build())


def test_read_archive_accepts_the_ratio_that_it_states() -> None:
    content = bytes(FREE_BYTES + MAX_RATIO)
    assert _content(zip_of([("sections/a.bin", content)], zipfile.ZIP_DEFLATED))[0][1] == content
    assert len(zlib.compress(content)) * MAX_RATIO > len(content) - FREE_BYTES
