"""The catalogue of published bitstreams: where they are, what they must hash to, installing them.

Nothing is installed that has another SHA-256 than the catalogue says: a download is kept in memory
until that is known, so one that is killed leaves nothing on the disk. An installed file appears
under its name at once or not at all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from vta_pynq.errors import ConfigError
from vta_pynq.hwh import hwh_text
from vta_pynq.overlay.descriptions import Variant, find_variant, get_board, overlay_folder
from vta_pynq.whole_file import whole_file

__all__ = ["Catalogue", "Entry", "check_file", "fetch", "file_sha256", "read_catalogue"]

_FILE = "catalogue.json"
_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0
_SCHEMES = ("http", "https", "file")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One published bitstream; `path` is relative to the catalogue's URL pattern and mirrors."""

    variant: Variant
    path: str
    sha256: str
    size: int


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Every published bitstream, with the project that publishes them and its licence."""

    project: str
    license: str
    url: str
    entries: tuple[Entry, ...]

    def find(self, name: str) -> Entry:
        """The entry whose variant `name` means: its name, its last part or its configuration.

        Raises
        ------
        ConfigError
            There is none.
        """
        known = [entry.variant for entry in self.entries]
        variant = find_variant(name)
        for entry in reversed(self.entries):
            if name in (entry.variant.name, entry.variant.stem, entry.variant.config.name):
                return entry
        listed = ", ".join(v.name for v in known)
        what = "is known but not published" if variant is not None else "is not known"
        raise ConfigError(f"overlay {name!r}: must be one of {listed}; it {what}")


@functools.cache
def read_catalogue() -> Catalogue:
    """The catalogue in `overlays/`.

    Raises
    ------
    ConfigError
        It is damaged, or lists a bitstream that no variant file describes.
    """
    path = overlay_folder() / _FILE
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_read_entry(item) for item in values["bitstreams"])
        return Catalogue(values["project"], values["license"], values["url"], entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: must be a whole catalogue: {error!r}") from None


def _read_entry(item: Any) -> Entry:
    variant = find_variant(str(item["variant"]))
    if variant is None:
        raise ConfigError(f"{_FILE}: variant must be described, not {item['variant']!r}")
    return Entry(variant, str(item["path"]), str(item["sha256"]), int(item["bytes"]))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
                digest.update(chunk)
    except OSError as error:
        raise ConfigError(f"{path}: must be readable: {error.strerror}") from None
    return digest.hexdigest()


def check_file(entry: Entry, path: Path) -> None:
    """Check that the file at `path` is the published one.

    Raises
    ------
    ConfigError
        It cannot be read, or is another file.
    """
    actual = file_sha256(path)
    if actual != entry.sha256:
        raise ConfigError(
            f"{path}: SHA-256 must be {entry.sha256}, not {actual}; "
            f"run 'vta overlays fetch {entry.variant.name}' again"
        )


def source_of(catalogue: Catalogue, entry: Entry, mirror: str | None) -> str:
    """The URL or path to fetch from: the catalogue's, or `mirror`'s.

    A mirror is a folder or URL below which the catalogue's paths lie; one with `{path}` in it is
    taken as a pattern.
    """
    pattern = catalogue.url if mirror is None else mirror
    if "{path}" not in pattern:
        pattern = pattern.rstrip("/") + "/{path}"
    return pattern.replace("{path}", entry.path)


def fetch(
    entry: Entry,
    folder: Path,
    mirror: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Install a bitstream and its `.hwh` file below `folder`; the path of the bitstream.

    A file that is already there and right is left alone. `progress` is called with the bytes so
    far and in all.

    Raises
    ------
    ConfigError
        The source cannot be reached or does not have it, the bytes are not the published ones,
        or `folder` cannot be written; what was there before is as it was.
    """
    target = folder / f"{entry.variant.name}.bit"
    hwh = hwh_text(entry.variant, get_board(entry.variant.boards[0])).encode()
    if not (target.is_file() and file_sha256(target) == entry.sha256):
        source = source_of(read_catalogue(), entry, mirror)
        _install(target, _download(entry, source, progress))
    _install(target.with_suffix(".hwh"), hwh)
    return target


def _download(entry: Entry, source: str, progress: Callable[[int, int], None] | None) -> bytes:
    """The bytes of `source`; raises if they are not the published file."""
    chunks: list[bytes] = []
    done = 0
    with _open(source) as stream:
        while done <= entry.size and (chunk := _read(stream, source)):
            done += len(chunk)
            chunks.append(chunk)
            if progress is not None:
                progress(min(done, entry.size), entry.size)
    if done != entry.size:
        more = "at least " if done > entry.size else ""
        raise ConfigError(
            f"{source}: must be {entry.size} bytes long, not {more}{done}; try another mirror"
        )
    data = b"".join(chunks)
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.sha256:
        raise ConfigError(
            f"{source}: SHA-256 must be {entry.sha256}, not {digest}; try another mirror"
        )
    return data


def _open(source: str) -> BinaryIO:
    scheme = urllib.parse.urlsplit(source).scheme
    try:
        if not scheme or len(scheme) == 1:
            return open(source, "rb")
        if scheme not in _SCHEMES:
            raise ConfigError(
                f"{source}: scheme must be one of {', '.join(_SCHEMES)}, not {scheme!r}; "
                "use another --mirror"
            )
        stream: BinaryIO = urllib.request.urlopen(source, timeout=_TIMEOUT_S)
        return stream
    except urllib.error.HTTPError as error:
        reason = f"the server answers {error.code} {error.reason}"
    except (urllib.error.URLError, TimeoutError) as error:
        reason = f"it cannot be reached ({getattr(error, 'reason', error)})"
    except OSError as error:
        reason = str(error.strerror or error)
    raise ConfigError(f"{source}: must be available: {reason}; use --mirror FOLDER|URL")


def _read(stream: BinaryIO, source: str) -> bytes:
    try:
        return stream.read(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(f"{source}: must arrive whole: {error!r}; try again") from None


def _install(target: Path, data: bytes) -> None:
    """Write `target` under another name, and rename it when all of it is on the disk."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as file:
            file.write(data)
    except OSError as error:
        raise ConfigError(
            f"{target}: must be writable: {error.strerror}; choose a folder with --into"
        ) from None
