"""Reader and writer of conformance cases: folders with `meta.json` and little-endian DRAM images.

The format is described in docs/conformance.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, ProgramError
from vta_pynq.isa.encode import as_words
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, TOKENS
from vta_pynq.stream import InstructionStream, Segment

__all__ = ["Case", "ExpectedOutput", "is_case", "load_case", "save_case"]

_META = "meta.json"
_INSN_FILE = "instructions.bin"


@dataclasses.dataclass(frozen=True)
class ExpectedOutput:
    """Bytes that DRAM must hold from byte address `phys` after the run."""

    phys: int
    expected: npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Case:
    """One conformance case; its instructions lie at byte address `insn_phys`."""

    stream: InstructionStream
    insn_phys: int
    outputs: tuple[ExpectedOutput, ...]
    meta: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The case's name."""
        return self.stream.name


def is_case(path: str | Path) -> bool:
    """Whether `path` is a folder that holds a case."""
    return (Path(path) / _META).is_file()


def load_case(path: str | Path) -> Case:
    """Read the case in folder `path`.

    Raises
    ------
    ProgramError
        A file is missing, damaged or does not agree with `meta.json`.
    """
    folder = Path(path)
    reader = _Reader(folder)
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProgramError(f"case {folder}: {_META} must be readable JSON: {error}") from None
    if not isinstance(meta, dict):
        raise ProgramError(f"case {folder}: {_META} must hold an object")
    try:
        config = HwConfig.from_dict(reader.get(meta, "vta_config", dict))
    except ConfigError as error:
        raise ProgramError(f"case {folder}: {error}") from None
    words, insn = reader.instructions(reader.get(meta, "insn", dict))
    segments = [reader.segment(entry) for entry in reader.get(meta, "buffers", list)]
    _place(insn, segments)
    tokens = [0] * len(TOKENS) if meta.get("tokens_in") is None else meta["tokens_in"]
    if (
        not isinstance(tokens, list)
        or len(tokens) != len(TOKENS)
        or any(isinstance(t, bool) or not isinstance(t, int) or t < 0 for t in tokens)
    ):
        raise ProgramError(f"case {folder}: tokens_in must be {len(TOKENS)} counts, not {tokens!r}")
    if "outputs" in meta:
        wanted = reader.get(meta, "outputs", list)
    else:
        wanted = [reader.get(meta, "output", dict)]
    stream = InstructionStream(
        name=reader.text(meta, "name", folder.resolve().name),
        config=config,
        words=words,
        segments=tuple(segments),
        tokens_in=cast("tuple[int, int, int, int]", tuple(tokens)),
    )
    outputs = tuple(reader.output(entry) for entry in wanted)
    return Case(stream, insn.phys, outputs, meta)


def save_case(
    path: Path, stream: InstructionStream, outputs: Sequence[ExpectedOutput] = ()
) -> None:
    """Write a case into a new folder, whole or not at all.

    Raises
    ------
    ProgramError
        There is something at `path`.
    """
    if path.exists():
        raise ProgramError(
            f"{path}: output folder must not exist yet; remove it or name another one"
        )
    if not path.parent.is_dir():
        raise ProgramError(f"{path}: folder {path.parent} must exist; create it first")
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        meta = json.dumps(_write_files(scratch, stream, outputs), indent=1)
        (scratch / _META).write_text(meta + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        scratch.rename(path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _write_files(
    folder: Path, stream: InstructionStream, outputs: Sequence[ExpectedOutput]
) -> dict[str, Any]:
    """The memory images; what `meta.json` must say of them."""
    (folder / _INSN_FILE).write_bytes(stream.words.tobytes())
    buffers, wanted = [], []
    for number, segment in enumerate(stream.segments):
        file = None if segment.data is None else f"segment_{number}.bin"
        if file is not None and segment.data is not None:
            (folder / file).write_bytes(segment.data.tobytes())
        buffers.append(
            {
                "type": segment.kind,
                "name": segment.name,
                "file": file,
                "phys": segment.phys,
                "size": segment.size,
            }
        )
    for number, output in enumerate(outputs):
        file = f"expected_{number}.bin"
        (folder / file).write_bytes(output.expected.tobytes())
        wanted.append({"phys": output.phys, "size": output.expected.size, "expected_file": file})
    place = next(stream.segments_of("INSN"), None)
    return {
        "name": stream.name,
        "vta_config": stream.config.to_dict(),
        "buffers": buffers,
        "insn": {
            "file": _INSN_FILE,
            "phys": place.phys if place is not None else 0,
            "count": len(stream),
        },
        "outputs": wanted,
        "tokens_in": list(stream.tokens_in),
    }


def _place(insn: Segment, segments: list[Segment]) -> None:
    """Put the instructions among the buffers, in the place of a buffer that is left to them."""
    same = [s for s in segments if s.kind == insn.kind and s.phys == insn.phys]
    if not same:
        segments.append(insn)
    elif same[0].data is None:
        size = max(same[0].size, insn.size)
        segments[segments.index(same[0])] = dataclasses.replace(same[0], data=insn.data, size=size)


class _Reader:
    """Checks what a case's `meta.json` says against its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fail(self, what: str) -> ProgramError:
        return ProgramError(f"case {self.folder}: {what}")

    def get(self, table: Any, key: str, kind: type) -> Any:
        value = table.get(key) if isinstance(table, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.fail(f"'{key}' in {_META} must be {kind.__name__}, not {value!r}")
        return value

    def text(self, table: Any, key: str, default: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value.isprintable():
            raise self.fail(f"'{key}' in {_META} must be printable text, not {value!r}")
        return value

    def number(self, table: Any, key: str) -> int:
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = int(value, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= DRAM_BYTES:
            raise self.fail(f"'{key}' in {_META} must be a number in 0..2^32, not {value!r}")
        return value

    def read(self, name: str) -> npt.NDArray[np.uint8]:
        if Path(name).name != name or "\0" in name:
            raise self.fail(f"file must lie in the case's folder, not at {name!r}")
        path = self.folder / name
        if path.exists() and not path.is_file():  # a pipe would block
            raise self.fail(f"file {name} must be a regular file")
        try:
            return np.fromfile(path, np.uint8)
        except OSError as error:
            raise self.fail(f"file {name} must be readable: {error.strerror}") from None

    def segment(self, entry: Any) -> Segment:
        kind = self.get(entry, "type", str)
        phys, size = self.number(entry, "phys"), self.number(entry, "size")
        if phys + size > DRAM_BYTES:
            raise self.fail(f"buffer {kind} must end below 2^32, not at {phys + size:#x}")
        name = entry.get("file")
        data = None if name is None else self.read(self.get(entry, "file", str))
        if data is not None and data.size > size:
            raise self.fail(f"file {name} must hold at most {size} bytes, not {data.size}")
        return Segment(self.text(entry, "name", name or kind.lower()), kind, phys, size, data)

    def instructions(self, entry: Any) -> tuple[npt.NDArray[np.uint64], Segment]:
        name, count = self.get(entry, "file", str), self.number(entry, "count")
        data = self.read(name)
        if data.size < count * INSN_BYTES:
            raise self.fail(
                f"file {name} must hold {count} instructions ({count * INSN_BYTES} bytes), "
                f"not {data.size} bytes"
            )
        phys = self.number(entry, "phys")
        if phys + data.size > DRAM_BYTES:
            raise self.fail(f"instructions must end below 2^32, not at {phys + data.size:#x}")
        words = as_words(data[: count * INSN_BYTES])
        return words, Segment(name, "INSN", phys, max(data.size, 1), data)

    def output(self, entry: Any) -> ExpectedOutput:
        phys, size = self.number(entry, "phys"), self.number(entry, "size")
        name = self.get(entry, "expected_file", str)
        data = self.read(name)
        if data.size < size:
            raise self.fail(f"file {name} must hold {size} bytes, not {data.size}")
        if phys + size > DRAM_BYTES:
            raise self.fail(f"output must end below 2^32, not at {phys + size:#x}")
        return ExpectedOutput(phys, data[:size])
