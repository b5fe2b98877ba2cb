"""`load_case`: what a case may leave open, and what it refuses."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vta_pynq.cli import main
from vta_pynq.conformance import load_case
from vta_pynq.errors import ProgramError
from vta_pynq.isa.encode import decode, encode
from vta_pynq.isa.table import MemType, Opcode

CASES = pathlib.Path(__file__).parents[1] / "conformance"
CASE = CASES / "isa_double_buffer"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of a case to change."""
    return pathlib.Path(shutil.copytree(CASE, tmp_path / CASE.name))


def change(folder: pathlib.Path, how: Change) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    how(meta)
    (folder / "meta.json").write_text(json.dumps(meta))


def insn_buffer(meta: dict[str, Any]) -> dict[str, Any]:
    return next(buffer for buffer in meta["buffers"] if buffer["type"] == "INSN")


def test_load_outputs_list_compares_each(folder: pathlib.Path) -> None:
    whole = (folder / "expected_out.bin").read_bytes()
    for name, part in (("low.bin", whole[:100]), ("high.bin", whole[100:])):
        (folder / name).write_bytes(part)

    def split(meta: dict[str, Any]) -> None:
        phys = int(meta.pop("output")["phys"], 0)
        meta["outputs"] = [
            {"phys": phys, "size": 100, "expected_file": "low.bin"},
            {"phys": hex(phys + 100), "size": len(whole) - 100, "expected_file": "high.bin"},
        ]

    change(folder, split)
    assert [o.expected.size for o in load_case(folder).outputs] == [100, len(whole) - 100]
    assert main(["replay", str(folder)]) == 0
    (folder / "high.bin").write_bytes(bytes(len(whole) - 100))
    assert main(["replay", str(folder)]) == 1


def test_load_left_over_tokens_start_the_run(folder: pathlib.Path) -> None:
    """A stream recorded in the middle of a run: its first pop is served by the run before."""
    stream = load_case(folder).stream
    records = decode(stream.words, stream.config)
    first = next(i for i, r in enumerate(records) if r["opcode"] == Opcode.LOAD and r["pop_next"])
    pushers = [i for i, r in enumerate(records[:first]) if r["push_prev"]]
    records["push_prev"][pushers[0]] = 0
    encode(records, stream.config).tofile(folder / "instructions.bin")
    assert main(["replay", str(folder)]) == 1
    change(folder, lambda meta: meta.update(tokens_in=[0, 1, 0, 0]))
    assert main(["replay", str(folder)]) == 0


def test_load_recorded_stream_with_unusual_encodings_passes(folder: pathlib.Path) -> None:
    """Dirty reserved bits, any bits in FINISH, a STORE of nothing of memory type 0, length."""
    rng = np.random.default_rng(seed := 7)
    print("seed", seed)
    stream = load_case(folder).stream
    records, words = decode(stream.words, stream.config), stream.words.copy()
    moves = np.isin(records["opcode"], [int(Opcode.LOAD), int(Opcode.STORE)])
    finish, loops = records["opcode"] == Opcode.FINISH, records["opcode"] == Opcode.GEMM
    noise = rng.integers(0, 1 << 64, words.shape, np.uint64, endpoint=False)
    words[moves, 0] |= (noise[moves, 0] | np.uint64(1 << 58)) & np.uint64(0x3F << 58)
    words[loops, 0] |= np.uint64(1 << 63)
    words[finish, 0] |= noise[finish, 0] & np.uint64(~0x7F & (1 << 64) - 1)
    words[finish, 1] |= noise[finish, 1]
    assert (words != stream.words).any(axis=1).all()
    nothing = encode(np.zeros(1, records.dtype), stream.config)
    nothing[0, 0] |= np.uint64(Opcode.STORE)
    assert decode(nothing, stream.config)["memory_type"][0] == MemType.UOP
    body = words[13:23]  # two tiles that leave every token count as they found it
    long = np.concatenate([nothing, words[:23], *[body] * 9000, words[23:]])
    assert len(long) > 80_000
    long.tofile(folder / "instructions.bin")

    def place(meta: dict[str, Any]) -> None:
        meta["insn"].update(phys="0x10000000", count=len(long))
        insn_buffer(meta).update(phys="0x10000000", size=long.nbytes)

    change(folder, place)
    assert main(["replay", str(folder)]) == 0
    assert main(["replay", str(folder), "--semantics", "hls"]) == 0


def test_load_buffer_left_to_the_instructions_holds_them(folder: pathlib.Path) -> None:
    change(folder, lambda meta: insn_buffer(meta).update(file=None))
    stream = load_case(folder).stream
    (segment,) = stream.segments_of("INSN")
    assert segment.data is not None and segment.data.tobytes() == stream.words.tobytes()
    assert main(["replay", str(folder)]) == 0


def test_load_null_tokens_are_none(folder: pathlib.Path) -> None:
    change(folder, lambda meta: meta.update(tokens_in=None))
    assert load_case(folder).stream.tokens_in == (0, 0, 0, 0)


REFUSED: dict[str, tuple[Change, str]] = {
    "outputs": (lambda m: m.update(outputs={}), "'outputs' in meta.json must be list, not {}"),
    "name": (lambda m: m.update(name="a\x1b"), "'name' in meta.json must be printable text, not"),
    "end": (
        lambda m: m["output"].update(phys=1 << 32),
        "output must end below 2^32, not at 0x100000600",
    ),
    "insn": (
        lambda m: m["insn"].update(phys=(1 << 32) - 16),
        "instructions must end below 2^32, not at 0x100000230",
    ),
    "path": (
        lambda m: m["insn"].update(file="../x"),
        "file must lie in the case's folder, not at '../x'",
    ),
    "nul": (lambda m: m["insn"].update(file="a\0"), "file must lie in the case's folder"),
    "folder": (lambda m: m["insn"].update(file=".."), "file .. must be a regular file"),
    "pipe": (lambda m: m["insn"].update(file="pipe"), "file pipe must be a regular file"),
    "tokens": (
        lambda m: m.update(tokens_in=[0, 0, 0]),
        "tokens_in must be 4 counts, not [0, 0, 0]",
    ),
    "count": (
        lambda m: m["insn"].update(count=37),
        "file instructions.bin must hold 37 instructions (592 bytes), not 576 bytes",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_load_wrong_metadata_is_refused(what: str, folder: pathlib.Path) -> None:
    how, message = REFUSED[what]
    os.mkfifo(folder / "pipe")
    change(folder, how)
    with pytest.raises(ProgramError, match=re.escape(f"case {folder}: {message}")):
        load_case(folder)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "\xff"])
def test_load_damaged_json_is_refused(text: str, folder: pathlib.Path) -> None:
    (folder / "meta.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ProgramError, match=re.escape(f"case {folder}: meta.json must ")):
        load_case(folder)
