"""`vta info`: text and JSON of a program, of a case, and of what is neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.program.sample import sample
from vta_pynq.cli import main

CASE = Path(__file__).parents[1] / "conformance" / "isa_store_2d"

TEXT = """\
program net (format 1.0)
configuration: 1x16_i8w8a32_15_15_18_17 (fingerprint {fingerprint})
compiled for: hls-64bit
content: {content}
size: 4 instructions (64 B), 3 relocations, 2 steps, 736 B in 4 arenas
compiler: 1.0
inputs:
  x  float32 1x16x1x2  NCHW
outputs:
  y  int8 1x10x1x2  NCHW1n16c  scale 0.5, zero point -3
steps:
  0  cpu  in    quantize                                x -> a
  1  vta  conv  insn 0..3 (2 LOAD, 1 STORE, 1 FINISH)  a -> y
memory plan (# = alive, one column is a step or several):
  weights: const, 512 B, aligned to 4096, contiguous
    0x100..0x1ff  256 B  |##|  w
  scratch: scratch, 64 B, aligned to 4096, contiguous
    0x0..0x1f  32 B  |##|  a
  x: input, 128 B, aligned to 64, CPU only
    0x0..0x7f  128 B  |##|  x
  y: output, 32 B, aligned to 4096, contiguous
    0x0..0x1f  32 B  |.#|  y
labels:
  insn 0..2  conv1
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    sample().save(tmp_path / "net.vta")
    return str(tmp_path / "net.vta")


def test_info_of_program_prints_everything(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", path]) == 0
    program = sample()
    expected = TEXT.format(fingerprint=program.config.fingerprint, content=program.content_hash)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        line.split() for line in expected.splitlines()
    ]


def test_info_json_of_program_has_the_facts(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", path, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "program"
    assert facts["content_hash"] == sample().content_hash
    assert facts["inputs"][0]["shape"] == [1, 16, 1, 2]
    assert facts["outputs"][0]["quantization"] == {
        "scales": [0.5], "zero_points": [-3], "axis": None
    }  # fmt: skip
    assert facts["steps"][1]["mix"] == {"LOAD": 2, "STORE": 1, "FINISH": 1}
    assert [arena["device"] for arena in facts["arenas"]] == [True, True, False, True]
    assert facts["labels"] == [[0, 3, "conv1"]]


def test_info_of_case_prints_segments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(CASE)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("case isa_store_2d\n")
    assert "0x00003000  4096 B  accumulator.bin" in text
    assert main(["info", str(CASE), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "case"
    assert facts["instructions"] == sum(facts["mix"].values())


def test_info_of_other_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.vta"
    path.write_bytes(b"no zip")
    assert main(["info", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"program file {path}: file must be a zip file" in " ".join(captured.err.split())
