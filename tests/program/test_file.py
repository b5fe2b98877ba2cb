"""Whole program files: round trips, reproducible bytes, atomic writing, the words of refusal."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.program.mutations import MANIFEST, members_of, zip_of
from tests.program.sample import sample
from tests.program.strategies import programs
from vta_pynq.errors import ProgramError
from vta_pynq.program import FORMAT_VERSION, Program


@given(programs())
def test_program_round_trips(program: Program) -> None:
    for compressed in (False, True):
        data = program.to_bytes(compressed)
        assert data == program.to_bytes(compressed)
        again = Program.load(data)
        assert again == program
        assert hash(again) == hash(program)
        assert again.content_hash == program.content_hash
        for field in ("model", "config", "profile", "steps", "arenas", "tensors", "inputs",
                      "outputs", "relocations", "labels", "layers", "metadata"):  # fmt: skip
            assert getattr(again, field) == getattr(program, field), field
        assert (again.words == program.words).all()
        assert again.to_bytes() == program.to_bytes()


def test_program_differs_with_any_content() -> None:
    program = sample()
    for changes in (
        {"model": "other"},
        {"metadata": {}},
        {"labels": ()},
        {"words": program.link({"weights": 0, "scratch": 0, "y": 0}) | 1 << 62},
    ):
        assert sample(**changes) != program
    assert sample() == program
    assert copy.deepcopy(program) == pickle.loads(pickle.dumps(program)) == program


def test_load_reads_path_bytes_and_file(tmp_path: Path) -> None:
    path = tmp_path / "net.vta"
    sample().save(path)
    data = path.read_bytes()
    with path.open("rb") as file:
        sources = [path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), file]
        loaded = [Program.load(source) for source in sources]
    assert all(program == sample() for program in loaded)
    assert [program.source for program in loaded] == [str(path)] * 2 + [""] * 4 + [str(path)]


def test_save_keeps_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "net.vta"
    sample().save(path)
    sample(model="other").save(path)
    assert Program.load(path).model == "other"
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.vta"]
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ProgramError, match=f"^program file {re.escape(str(folder))}: path must be"):
        sample().save(folder)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "net.vta"]
    with pytest.raises(ProgramError, match="path must be writable: No such file or directory"):
        sample().save(tmp_path / "missing" / "net.vta")


def test_load_of_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.vta"
    message = f"program file {path}: it must be readable: No such file or directory"
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        Program.load(path)
    with pytest.raises(ProgramError, match="it must be opened as binary, not give str"):
        Program.load(io.StringIO("x"))  # type: ignore[arg-type]


def test_manifest_is_readable_json_without_surprises() -> None:
    manifest = json.loads(dict(members_of(sample().to_bytes()))[MANIFEST])
    assert manifest["format"] == "vta-program"
    assert manifest["version"] == list(FORMAT_VERSION)
    assert [section["name"] for section in manifest["sections"]] == [
        "sections/instructions.bin",
        "sections/relocations.bin",
        "sections/arena_weights.bin",
    ]


def _edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    members = dict(members_of(sample().to_bytes()))
    manifest = json.loads(members[MANIFEST])
    edit(manifest)
    members[MANIFEST] = json.dumps(manifest).encode()
    return zip_of(list(members.items()))


def _put(*path: Any) -> Callable[[dict[str, Any]], object]:
    """Set the value at a path: keys and indices, then the value."""

    def edit(manifest: Any) -> None:
        *way, key, value = path
        for step in way:
            manifest = manifest[step]
        manifest[key] = value

    return edit


def _raw(old: str, new: str) -> bytes:
    members = dict(members_of(sample().to_bytes()))
    assert old.encode() in members[MANIFEST]
    members[MANIFEST] = members[MANIFEST].replace(old.encode(), new.encode(), 1)
    return zip_of(list(members.items()))


def _without(name: str) -> bytes:
    return zip_of([member for member in members_of(sample().to_bytes()) if member[0] != name])


FINGERPRINT = sample().config.fingerprint
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "foreign_zip": (
        lambda: zip_of([("sections/a.bin", b"")]),
        "member 'manifest.json' must be there; this is no program file",
    ),
    "format": (
        lambda: _edited(_put("format", "other")),
        "manifest.json: format must be 'vta-program', not 'other'",
    ),
    "major": (
        lambda: _edited(_put("version", [2, 0])),
        "manifest.json: version must be 1.x, not 2.0; use the package that wrote the file, or "
        "compile the model again",
    ),
    "version_type": (
        lambda: _edited(_put("version", 1)),
        "manifest.json: version: it must be a list, not 1",
    ),
    "missing_key": (
        lambda: _edited(lambda m: m.pop("steps")),
        "manifest.json: manifest must have 'steps'",
    ),
    "missing_section": (
        lambda: _without("sections/arena_weights.bin"),
        "manifest.json: sections must be the file's other members, not differ in "
        "'sections/arena_weights.bin'",
    ),
    "section_size": (
        lambda: _edited(_put("sections", 0, "bytes", 65)),
        "manifest.json: section 'sections/instructions.bin' must have 65 bytes, not 64",
    ),
    "section_twice": (
        lambda: _edited(lambda m: m["sections"].append(m["sections"][0])),
        "manifest.json: sections[3]: name must be new text, not 'sections/instructions.bin'",
    ),
    "sha_form": (
        lambda: _edited(_put("sections", 0, "sha256", "AB")),
        "manifest.json: sections[0]: sha256 must be 64 hexadecimal digits, not 'AB'",
    ),
    "sha": (
        lambda: _edited(_put("sections", 0, "sha256", "0" * 64)),
        f"section 'sections/instructions.bin': SHA-256 must be {'0' * 64}; file is damaged",
    ),
    "count": (
        lambda: _edited(_put("instructions", "count", 3)),
        "manifest.json: instructions: section must hold 3 entries of 16 bytes, not 64 bytes",
    ),
    "unused": (
        lambda: _edited(lambda m: m["arenas"][0].update(kind="scratch", section=None)),
        "manifest.json: section 'sections/arena_weights.bin' must be used by something",
    ),
    "shared": (
        lambda: _edited(_put("arenas", 0, "section", "sections/instructions.bin")),
        "manifest.json: arenas[0]: section must be 'sections/arena_weights.bin' and be there, "
        "not 'sections/instructions.bin'",
    ),
    "fingerprint": (
        lambda: _edited(_put("config", "fingerprint", "0" * 16)),
        f"manifest.json: config: fingerprint must be {FINGERPRINT} (it follows from the "
        f"parameters), not '{'0' * 16}'",
    ),
    "config": (
        lambda: _edited(_put("config", "parameters", "LOG_BLOCK", 99)),
        "manifest.json: config: configuration: LOG_BLOCK must be in 0..8 (the GEMM core takes 1 "
        "to 256 lanes), not 99",
    ),
    "tensor_bytes": (
        lambda: _edited(_put("tensors", 0, "bytes", 4)),
        "manifest.json: tensors[0]: bytes (of this shape, dtype and layout) must be an integer "
        "in 128..128, not 4",
    ),
    "scale": (
        lambda: _edited(_put("tensors", 1, "quantization", "scales", [-0.5])),
        "manifest.json: tensors[1]: scale must be positive, not -0.5",
    ),
    "step_kind": (
        lambda: _edited(_put("steps", 0, "kind", "gpu")),
        "manifest.json: steps[0]: kind must be vta or cpu, not 'gpu'",
    ),
    "whole": (
        lambda: _edited(_put("outputs", ["x"])),
        "program 'net': outputs[0] 'x' must lie in an arena of kind output, not in 'x'",
    ),
    "nan": (
        lambda: _raw('"scales": [0.5]', '"scales": [NaN]'),
        "manifest.json: a number must be finite, not NaN",
    ),
    "infinite": (
        lambda: _raw('"scales": [0.5]', '"scales": [1e999]'),
        "manifest.json: a number must be finite, not '1e999'",
    ),
    "long_integer": (
        lambda: _raw('"macs": 512', '"macs": ' + "9" * 5000),
        "manifest.json: an integer must have at most 20 digits, not 5000",
    ),
    "same_key": (
        lambda: _raw('"model": "net"', '"model": "net", "model": "net"'),
        "manifest.json: an object must have different names, not 'model' twice",
    ),
    "deep": (
        lambda: _raw('"axis": 1', '"axis": ' + "[" * 100_000 + "]" * 100_000),
        "manifest.json: values must not be nested so deeply",
    ),
    "deep_attribute": (
        lambda: _raw('"axis": 1', '"axis": ' + "[" * 9 + "]" * 9),
        "manifest.json: steps[0]: step 'in': attribute 'axis' must be nested at most 8 deep",
    ),
    "control": (
        lambda: _raw('"model": "net"', '"model": "\\u001b[2J"'),
        "program '\\x1b[2J': model must be printable text, not '\\x1b[2J'",
    ),
    "surrogate": (
        lambda: _raw('"compiler": "1.0"', '"compiler": "\\ud800"'),
        "metadata 'compiler' must be printable text, not '\\ud800'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_load_of_changed_file_is_refused(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(ProgramError, match=f"^{re.escape('program file: ' + message)}$"):
        Program.load(build())


def test_load_of_newer_minor_version_needs_known_names_only() -> None:
    newer = [FORMAT_VERSION[0], FORMAT_VERSION[1] + 1]
    loaded = Program.load(_edited(_put("version", newer)))
    assert list(loaded.version) == newer
    assert Program.load(loaded.to_bytes()) == loaded
    with pytest.raises(ProgramError, match=r"file is of a newer version, update this package$"):
        Program.load(_edited(lambda m: m.update(version=newer, novelty=1)))
    with pytest.raises(ProgramError, match=r"not 'novelty'$"):
        Program.load(_edited(_put("novelty", 1)))


@pytest.mark.parametrize("source", [None, 3, ["net.vta"]])
def test_load_of_what_is_no_file_is_refused(source: Any) -> None:
    with pytest.raises(ProgramError, match="it must be a path, bytes or an open file, not"):
        Program.load(source)
