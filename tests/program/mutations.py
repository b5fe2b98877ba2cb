"""Damage to program files: blind damage to bytes, and deliberate damage behind the checksums."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

MANIFEST = "manifest.json"

# fmt: off
_NUMBERS = (
    -1, 0, 1, 2, 3, 7, 15, 16, 255, 256, 4095, 4096, 1 << 16, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64, 10**30, -(1 << 63),
)
_TEXTS = (
    "", "x", "y", "a0", "activations", "weights", "C", "NC", "NCHW1n16c", "CC", "C0c", "int8",
    "float32", "const", "scratch", "input", "output", "vta", "cpu", "../../etc/passwd", "a\nb",
    "sections/x.bin", "\x1b[2J", "\ud800", "n" * 300, "1x16_i8w8a32_15_15_18_17",
)
_OTHERS = (
    None, True, False, 0.5, -0.0, 1e308, 5e-324, [], {}, [[]], [1, 2], {"a": [1]}, [None],
)
_RAW = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 30, "9" * 5000, "[" * 100_000,
    '{"a":' * 2000, '"\\ud800"', '{"name": 1, "name": 2}', "01", "1.0", "'x'", "nul", "",
)
# fmt: on


# ---- blind: bytes ------------------------------------------------------------------------


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    begin = rng.randrange(len(data))
    return begin, min(len(data), begin + rng.choice([1, 2, 4, 16, 64, rng.randrange(1, 600)]))


def _flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _tail_flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)  # the directory is where a reader is easiest to confuse
    changed[-rng.randrange(1, min(len(data), 400))] = rng.randrange(256)
    return bytes(changed)


def _truncate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.7 else data[rng.randrange(1, 99) :]


def _extend(rng: random.Random, data: bytes, other: bytes) -> bytes:
    noise = rng.randbytes(rng.randrange(1, 64))
    junk = rng.choice([b"\0", b"PK\x05\x06" + bytes(18), noise, other])
    return data + junk if rng.random() < 0.5 else junk + data


def _overwrite(rng: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(rng, data)
    fill = rng.choice([b"\0", b"\xff", None])
    size = end - begin
    return data[:begin] + (rng.randbytes(size) if fill is None else fill * size) + data[end:]


def _delete(rng: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(rng, data)
    return data[:begin] + data[end:]


def _repeat(rng: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(rng, data)
    return data[:end] + data[begin:end] + data[end:]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    cut = rng.randrange(len(data))
    return data[:cut] + other[min(cut, len(other)) :]


_BLIND = (_flip, _flip, _tail_flip, _truncate, _extend, _overwrite, _delete, _repeat, _splice)


def damage_bytes(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """`data` with blind damage of a random kind; `other` is another program file to splice in."""
    return rng.choice(_BLIND)(rng, data, other)


# ---- zip members -------------------------------------------------------------------------


def members_of(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a zip file's members, read by the standard library."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zip_of(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file of `members`, by the standard library, whatever their names."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # duplicate names are meant
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return output.getvalue()


def damage_members(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A zip file with members dropped, doubled, renamed, swapped, or taken from `other`."""
    members = members_of(data)
    index = rng.randrange(len(members))
    name, content = members[index]
    foreign = dict(members_of(other))
    kind = rng.randrange(6)
    if kind == 0:
        del members[index]
    elif kind == 1:
        members.append((rng.choice(["../x", "/x", "sections/extra.bin", "a\\b", "README"]), b"x"))
    elif kind == 2:
        members[index] = (name, foreign.get(name, b""))
    elif kind == 3:
        members[index] = (rng.choice(["sections/other.bin", name.upper(), MANIFEST]), content)
    elif kind == 4:
        target = rng.randrange(len(members))
        members[index] = (name, members[target][1])
    else:
        rng.shuffle(members)
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    return zip_of(members, method)


# ---- structure: behind the checksums -----------------------------------------------------


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON tree."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(pairs):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from _places(child)


def _new_value(rng: random.Random, old: Any, pool: list[Any]) -> Any:
    if isinstance(old, int) and not isinstance(old, bool) and rng.random() < 0.6:
        return old + rng.choice([-1, 1, 2, -2, 16, -16, 64, 256, 1 << 20])
    return copy.deepcopy(rng.choice([rng.choice(_NUMBERS), rng.choice(_TEXTS),
                                     rng.choice(_OTHERS), rng.choice(pool)]))  # fmt: skip


def _change_json(rng: random.Random, manifest: dict[str, Any]) -> None:
    places = list(_places(manifest))
    container, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.65:
        source, at = rng.choice(places)
        container[key] = _new_value(rng, container[key], [source[at]])
    elif kind < 0.75:
        del container[key]
    elif kind < 0.85 and isinstance(container, list):
        container.insert(key, copy.deepcopy(rng.choice(container)))
    elif isinstance(container, list):
        rng.shuffle(container)
    else:
        container[rng.choice(["name", "extra", "bytes", "kind", ""])] = rng.choice(_NUMBERS)


def _change_section(rng: random.Random, content: bytes) -> bytes:
    if not content:
        return bytes(16)
    kind: Callable[[random.Random, bytes, bytes], bytes]
    kind = rng.choice([_flip, _flip, _flip, _overwrite, _delete, _repeat])
    return kind(rng, content, content)


def damage_structure(rng: random.Random, data: bytes) -> bytes:
    """A well-formed zip file with a changed manifest or section and, mostly, right checksums."""
    members = dict(members_of(data))
    manifest = json.loads(members[MANIFEST])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if rng.random() < 0.3:
            name = rng.choice(sorted(set(members) - {MANIFEST}))
            members[name] = _change_section(rng, members[name])
            _mend(manifest, members)
        else:
            _change_json(rng, manifest)
    if rng.random() < 0.5:
        _mend(manifest, members)
    text = json.dumps(manifest)
    if rng.random() < 0.15:
        begin = rng.randrange(len(text))
        text = text[:begin] + rng.choice(_RAW) + text[begin + rng.randrange(3) :]
    members[MANIFEST] = text.encode("utf-8", "surrogatepass")
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
    return zip_of(list(members.items()), method)


def _mend(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
    """Make sizes and checksums in a manifest right again, as far as it still has them."""
    sections = manifest.get("sections")
    for entry in sections if isinstance(sections, list) else []:
        content = members.get(entry.get("name")) if _named(entry) else None
        if content is not None:
            entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    for table, elem in (("instructions", 16), ("relocations", 6)):
        values = manifest.get(table)
        if isinstance(values, dict) and isinstance(values.get("section"), str):
            values["count"] = len(members.get(values["section"], b"")) // elem


def _named(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("name"), str)
