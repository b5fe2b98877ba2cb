"""The program file as a whole: bytes to `Program` and back, and to disk at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vta_pynq.errors import ProgramError
from vta_pynq.program.archive import MAX_FILE_BYTES, read_archive, write_archive
from vta_pynq.program.jsontext import MAX_JSON_BYTES, read_json, write_json
from vta_pynq.program.manifest import Manifest, manifest_of, sections_of
from vta_pynq.program.model import FORMAT_VERSION, Program
from vta_pynq.program.rules import at, shown
from vta_pynq.whole_file import whole_file

if TYPE_CHECKING:
    from vta_pynq.program.model import ProgramSource

__all__ = ["content_hash", "load_program", "program_bytes", "save_program"]

_MANIFEST = "manifest.json"


def program_bytes(program: Program, compressed: bool) -> bytes:
    """The program file; see `Program.to_bytes`."""
    with at(f"program '{program.model}'"):
        manifest = write_json(manifest_of(program))
        members = [(_MANIFEST, memoryview(manifest)), *sections_of(program).items()]
        return write_archive(members, compressed)


def content_hash(program: Program) -> str:
    """SHA-256 of the manifest, which names that of every section."""
    return hashlib.sha256(write_json(manifest_of(program))).hexdigest()


def save_program(program: Program, path: str | os.PathLike[str], compressed: bool) -> None:
    """Write the program file at once; see `Program.save`."""
    data = program_bytes(program, compressed)
    target = Path(path)
    try:
        with whole_file(target) as file:
            file.write(data)
    except OSError as error:
        raise ProgramError(
            f"program file {target}: path must be writable: {error.strerror or error}"
        ) from None


def load_program(source: ProgramSource) -> Program:
    """Read a program file; see `Program.load`."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _program(bytes(source), "", "program file")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        with at(f"program file {path}"):
            data = _read(path)
        return _program(data, str(path), f"program file {path}")
    if not hasattr(source, "read"):
        raise ProgramError(
            f"program file: it must be a path, bytes or an open file, not {type(source).__name__}; "
            "pass one of these"
        )
    name = str(getattr(source, "name", ""))
    where = f"program file {name}".rstrip()
    with at(where):
        try:
            data = source.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ProgramError(f"it must be readable: {error.strerror or error}") from None
        if not isinstance(data, bytes):
            raise ProgramError(f"it must be opened as binary, not give {type(data).__name__}")
    return _program(data, name, where)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ProgramError(f"it must be readable: {reason}") from None


def _program(data: bytes, source: str, where: str) -> Program:
    with at(where):
        members = read_archive(data)
        if _MANIFEST not in members:
            raise ProgramError(f"member '{_MANIFEST}' must be there; this is no program file")
        packed = members.pop(_MANIFEST)
        if packed.bytes > MAX_JSON_BYTES:
            raise ProgramError(
                f"{_MANIFEST}: text must have at most {MAX_JSON_BYTES} bytes, not {packed.bytes}"
            )
        text = packed.read()
        with at(_MANIFEST):
            manifest = Manifest(read_json(text), FORMAT_VERSION)
            declared = manifest.sections()
            if set(declared) != set(members):
                odd = min(set(declared) ^ set(members))
                raise ProgramError(
                    f"sections must be the file's other members, not differ in {shown(odd)}"
                )
            for name, (size, _) in declared.items():
                if size != members[name].bytes:
                    raise ProgramError(
                        f"section '{name}' must have {size} bytes, not {members[name].bytes}"
                    )
        sections = {}
        for name, (_, digest) in declared.items():
            sections[name] = members[name].read()
            if hashlib.sha256(sections[name]).hexdigest() != digest:
                raise ProgramError(f"section '{name}': SHA-256 must be {digest}; file is damaged")
        with at(_MANIFEST):
            fields = manifest.fields(sections)
        return Program(**fields, source=source)
