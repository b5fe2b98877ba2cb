"""The manifest: what of a program is JSON. From the model and back; sections come separately."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, ProgramError
from vta_pynq.isa.table import INSN_BYTES
from vta_pynq.program.memory import Arena, Quantization, Tensor
from vta_pynq.program.rules import at, integer, items, pattern, shown
from vta_pynq.program.steps import (
    RELOCATION_DTYPE,
    CpuStep,
    LayerReport,
    Relocations,
    Step,
    VtaStep,
)
from vta_pynq.stream import StreamLabel

if TYPE_CHECKING:
    from vta_pynq.program.model import Program

__all__ = ["FORMAT", "Manifest", "manifest_of", "sections_of"]

FORMAT = "vta-program"
_INSTRUCTIONS = "sections/instructions.bin"
_RELOCATIONS = "sections/relocations.bin"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEYS = (
    "format", "version", "model", "config", "profile", "metadata", "sections", "instructions",
    "relocations", "arenas", "tensors", "inputs", "outputs", "steps", "layers", "labels",
)  # fmt: skip
_MAX_ENTRIES = 1 << 18


def _arena_section(name: str) -> str:
    return f"sections/arena_{name}.bin"


def sections_of(program: Program) -> dict[str, memoryview]:
    """The raw sections of a program, by member name, in the order of the file."""
    sections = {
        _INSTRUCTIONS: memoryview(program.words.tobytes()),
        _RELOCATIONS: memoryview(program.relocations.records().tobytes()),
    }
    for arena in program.arenas:
        if arena.data is not None:
            sections[_arena_section(arena.name)] = arena.data.data
    return sections


# ---- model to JSON -----------------------------------------------------------------------


def manifest_of(program: Program) -> dict[str, Any]:
    """The manifest of a program as JSON values, in the order of the file."""
    known = {_arena_section(arena.name): arena.sha256 for arena in program.arenas}
    sections = [
        {
            "name": name,
            "bytes": len(data),
            "sha256": known.get(name) or hashlib.sha256(data).hexdigest(),
        }
        for name, data in sections_of(program).items()
    ]
    config = program.config
    return {
        "format": FORMAT,
        "version": list(program.version),
        "model": program.model,
        "config": {
            "name": config.name,
            "fingerprint": config.fingerprint,
            "parameters": config.to_dict(),
        },
        "profile": program.profile,
        "metadata": dict(program.metadata),
        "sections": sections,
        "instructions": {"section": _INSTRUCTIONS, "count": len(program.words)},
        "relocations": {"section": _RELOCATIONS, "count": len(program.relocations)},
        "arenas": [_arena_json(arena) for arena in program.arenas],
        "tensors": [_tensor_json(tensor) for tensor in program.tensors],
        "inputs": list(program.inputs),
        "outputs": list(program.outputs),
        "steps": [_step_json(step) for step in program.steps],
        "layers": [_fields(layer) for layer in program.layers],
        "labels": [[label.begin, label.end, label.name] for label in program.labels],
    }


def _fields(part: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, not descending into them."""
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def _arena_json(arena: Arena) -> dict[str, Any]:
    values = _fields(arena)
    values["kind"] = str(arena.kind)
    values["section"] = None if values.pop("data") is None else _arena_section(arena.name)
    return values


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    values = _fields(tensor)
    values["bytes"] = tensor.bytes
    if tensor.quantization is not None:
        values["quantization"] = _fields(tensor.quantization)
    return values


def _step_json(step: Step) -> dict[str, Any]:
    return {"kind": "vta" if isinstance(step, VtaStep) else "cpu", **_fields(step)}


# ---- JSON to model -----------------------------------------------------------------------


class Manifest:
    """A manifest that was read; `fields` builds the program's parts from it.

    `supported` is the newest version that this reader knows. A file of a newer minor version is
    read as long as it uses nothing new: minor versions only add names.
    """

    def __init__(self, values: dict[str, Any], supported: tuple[int, int]) -> None:
        if values.get("format") != FORMAT:
            raise ProgramError(f"format must be {FORMAT!r}, not {shown(values.get('format'))}")
        with at("version"):
            numbers = items(values.get("version"), "it", 2)
            if len(numbers) != 2:
                raise ProgramError("it must be two numbers, major and minor")
            major, minor = (integer(n, "number", 0, 1 << 16) for n in numbers)
        if major != supported[0]:
            raise ProgramError(
                f"version must be {supported[0]}.x, not {major}.{minor}; use the package that "
                "wrote the file, or compile the model again"
            )
        self.version = (major, minor)
        self._newer = self.version > supported
        self._values = self._record(values, "manifest", _KEYS)

    def _record(self, value: Any, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """An object that has exactly these names."""
        if not isinstance(value, dict):
            raise ProgramError(f"{what} must be an object, not {shown(value)}")
        unknown = sorted(set(value) - set(keys))
        if unknown:
            hint = "; the file is of a newer version, update this package" if self._newer else ""
            raise ProgramError(
                f"{what} must have names out of {', '.join(keys)}, not {shown(unknown[0])}{hint}"
            )
        missing = [key for key in keys if key not in value]
        if missing:
            raise ProgramError(f"{what} must have '{missing[0]}'")
        return value

    def _list(self, name: str) -> tuple[Any, ...]:
        return items(self._values[name], name, _MAX_ENTRIES)

    def sections(self) -> dict[str, tuple[int, str]]:
        """Bytes and SHA-256 of every section, by member name."""
        found: dict[str, tuple[int, str]] = {}
        for index, entry in enumerate(self._list("sections")):
            with at(f"sections[{index}]"):
                values = self._record(entry, "entry", ("name", "bytes", "sha256"))
                name = values["name"]
                if not isinstance(name, str) or name in found:
                    raise ProgramError(f"name must be new text, not {shown(name)}")
                size = integer(values["bytes"], "bytes", 0, 1 << 32)
                form = "64 hexadecimal digits"
                found[name] = (size, pattern(values["sha256"], "sha256", _SHA256, form))
        return found

    def fields(self, sections: Mapping[str, memoryview]) -> dict[str, Any]:
        """The arguments of `Program`; `sections` are checked against `sections()` already."""
        values = self._values
        used: set[str] = set()
        words = np.frombuffer(self._table("instructions", INSN_BYTES, sections, used), "<u8")
        raw = self._table("relocations", RELOCATION_DTYPE.itemsize, sections, used)
        arenas = [
            self._arena(entry, index, sections, used)
            for index, entry in enumerate(self._list("arenas"))
        ]
        unused = sorted(set(sections) - used)
        if unused:
            raise ProgramError(f"section {shown(unused[0])} must be used by something")
        return {
            "version": self.version,
            "model": values["model"],
            "config": self._config(values["config"]),
            "profile": values["profile"],
            "metadata": values["metadata"],
            "words": words.reshape(-1, 2),
            "relocations": Relocations.from_records(np.frombuffer(raw, RELOCATION_DTYPE)),
            "arenas": arenas,
            "tensors": [self._tensor(e, i) for i, e in enumerate(self._list("tensors"))],
            "inputs": self._list("inputs"),
            "outputs": self._list("outputs"),
            "steps": [self._step(e, i) for i, e in enumerate(self._list("steps"))],
            "layers": [self._layer(e, i) for i, e in enumerate(self._list("layers"))],
            "labels": [self._label(e, i) for i, e in enumerate(self._list("labels"))],
        }

    def _table(
        self, name: str, elem: int, sections: Mapping[str, memoryview], used: set[str]
    ) -> memoryview:
        values = self._record(self._values[name], name, ("section", "count"))
        expected = {"instructions": _INSTRUCTIONS, "relocations": _RELOCATIONS}[name]
        data = self._section(values["section"], expected, sections, used)
        count = integer(values["count"], f"{name}: count", 0, 1 << 32)
        if count * elem != len(data):
            raise ProgramError(
                f"{name}: section must hold {count} entries of {elem} bytes, not {len(data)} bytes"
            )
        return data

    def _section(
        self, name: Any, expected: str, sections: Mapping[str, memoryview], used: set[str]
    ) -> memoryview:
        if name != expected or expected not in sections:
            raise ProgramError(f"section must be '{expected}' and be there, not {shown(name)}")
        used.add(expected)
        return sections[expected]

    def _config(self, value: Any) -> HwConfig:
        values = self._record(value, "config", ("name", "fingerprint", "parameters"))
        parameters = values["parameters"]
        try:
            config = HwConfig.from_dict(parameters)
        except ConfigError as error:
            raise ProgramError(f"config: {error!s:.300}") from None
        for key, expected in (("name", config.name), ("fingerprint", config.fingerprint)):
            if values[key] != expected:
                raise ProgramError(
                    f"config: {key} must be {expected} (it follows from the parameters), "
                    f"not {shown(values[key])}"
                )
        if parameters != config.to_dict():
            raise ProgramError("config: parameters must be complete, sorted, and only these")
        return config

    def _arena(
        self, entry: Any, index: int, sections: Mapping[str, memoryview], used: set[str]
    ) -> Arena:
        with at(f"arenas[{index}]"):
            keys = ("name", "kind", "bytes", "alignment", "section")
            values = self._record(entry, "entry", keys)
            data = None
            if values["section"] is not None:
                expected = _arena_section(str(values["name"]))
                raw = self._section(values["section"], expected, sections, used)
                data = np.frombuffer(raw, np.uint8)
            return Arena(values["name"], values["kind"], values["bytes"], values["alignment"], data)

    def _tensor(self, entry: Any, index: int) -> Tensor:
        with at(f"tensors[{index}]"):
            keys = tuple(field.name for field in dataclasses.fields(Tensor))
            values = dict(self._record(entry, "entry", (*keys, "bytes")))
            size = values.pop("bytes")
            if values["quantization"] is not None:
                keys = tuple(field.name for field in dataclasses.fields(Quantization))
                record = self._record(values["quantization"], "quantization", keys)
                values["quantization"] = Quantization(**record)
            tensor = Tensor(**values)
            integer(size, "bytes (of this shape, dtype and layout)", tensor.bytes, tensor.bytes)
            return tensor

    def _step(self, entry: Any, index: int) -> Step:
        with at(f"steps[{index}]"):
            kind = entry.get("kind") if isinstance(entry, dict) else None
            if not isinstance(kind, str) or kind not in ("vta", "cpu"):
                raise ProgramError(f"kind must be vta or cpu, not {shown(kind)}")
            part: type[VtaStep] | type[CpuStep] = VtaStep if kind == "vta" else CpuStep
            keys = tuple(field.name for field in dataclasses.fields(part))
            values = dict(self._record(entry, "entry", ("kind", *keys)))
            del values["kind"]
            return part(**values)

    def _layer(self, entry: Any, index: int) -> LayerReport:
        with at(f"layers[{index}]"):
            keys = tuple(field.name for field in dataclasses.fields(LayerReport))
            return LayerReport(**self._record(entry, "entry", keys))

    def _label(self, entry: Any, index: int) -> StreamLabel:
        with at(f"labels[{index}]"):
            values = items(entry, "entry", 3)
            if len(values) != 3:
                raise ProgramError("entry must be begin, end and name")
            return StreamLabel(*values)
