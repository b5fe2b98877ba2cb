"""The written cases of REQUANT are what their generator writes, and each notices what it is for."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from tests.cases import requant_cases
from vta_pynq.conformance import load_case
from vta_pynq.isa.encode import decode, encode
from vta_pynq.isa.table import Opcode
from vta_pynq.selftest.interpreter import run_stream

RULES = {rule.name: rule for rule in requant_cases.RULES}


@pytest.mark.parametrize("name", RULES)
def test_write_gives_the_files_in_the_repository(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = requant_cases.FOLDER / f"isa_requant_{name}"
    monkeypatch.setattr(requant_cases, "FOLDER", tmp_path)
    fresh = requant_cases.write(RULES[name])
    files = sorted(path.name for path in committed.iterdir())
    assert sorted(path.name for path in fresh.iterdir()) == files
    for file in files:
        assert (fresh / file).read_bytes() == (committed / file).read_bytes(), file


CHANGES = [
    ("basic", {"shift": 6}), ("shift0", {"shift": 1}), ("shift31", {"shift": 30}),
    ("clip", {"clip_hi": 126}), ("clip", {"clip_lo": 0}), ("bias", {"use_bias": 0}),
    ("wrap_bias", {"use_bias": 0}), ("mul", {"use_bias": 0}), ("mul", {"use_mul": 0}),
    ("mul_only", {"use_bias": 1}), ("mul_negative", {"shift": 17}), ("mul_wide", {"shift": 29}),
    ("loops", {"src_factor_out": 1}), ("loops", {"dst_factor_out": 5}),
    ("src_factor_in", {"src_factor_in": 0}), ("src_is_dst", {"use_bias": 0, "use_mul": 0}),
    ("mul_last", {"use_bias": 0}), ("batch", {"use_mul": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=str)
def test_case_notices_another_field(name: str, change: dict[str, int]) -> None:
    case = load_case(requant_cases.FOLDER / f"isa_requant_{name}")
    records = decode(case.stream.words, case.stream.config)
    rows = np.flatnonzero(records["opcode"] == Opcode.REQUANT)
    for field, value in change.items():
        assert (records[field][rows] != value).any()
        records[field][rows] = value
    words = encode(records, case.stream.config)
    changed = dataclasses.replace(case.stream, words=words)
    (output,) = case.outputs
    found = run_stream(changed).dram.read(output.phys, output.expected.size)
    assert not np.array_equal(found, output.expected)
