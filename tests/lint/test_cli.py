"""`vta lint`: what it prints and its exit codes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.program.sample import encoded, fields, sample
from vta_pynq.cli import main

CASES = Path(__file__).parents[1] / "conformance"


def test_lint_command_clean_case_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CASES / "isa_double_buffer")
    assert main(["lint", path]) == 0
    assert capsys.readouterr().out == (
        f"{path}: 36 instructions on hls-64bit: 0 errors, 0 warnings, 0 infos\n"
    )


def test_lint_command_finding_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CASES / "isa_load_wgt_pad")
    assert main(["lint", path, "--profile", "hls-128bit"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "error    pad-ignored      insn 1 LOAD WGT: hls-128bit ignores the padding of weights; "
        "load zeros from DRAM instead",
        "error    sram-unwritten   insn 5 GEMM: reads 6 elements of WGT SRAM from 8 on that "
        "nothing in this submission wrote: they hold what an earlier one left; load or compute "
        "them first",
        f"{path}: 9 instructions on hls-128bit: 2 errors, 0 warnings, 0 infos",
    ]
    assert main(["lint", path, "--profile", "chisel-64bit"]) == 0


def test_lint_command_json_has_the_four_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(CASES / "isa_alu_shr_imm_16"), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert findings == [
        {
            "rule": "shift-amount",
            "severity": "error",
            "instruction": 2,
            "message": "insn 2 ALU: SHR immediate must be in -16..15 on hls-64bit, not 16; "
            "use several shifts",
        }
    ]


def test_lint_command_infos_only_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(CASES / "isa_zero_iter"), "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {f["severity"] for f in findings} == {"info"}


@pytest.mark.parametrize("arguments", [["absent.vta"], ["absent.vta", "--profile", "chisel"], []])
def test_lint_command_unreadable_exits_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["lint", *arguments]) == 2
    assert capsys.readouterr().err.startswith(("vta lint: ", "usage: "))


def test_lint_command_folder_without_case_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", str(tmp_path)]) == 2
    assert "meta.json must be readable JSON" in capsys.readouterr().err


def test_lint_command_program_is_checked_for_its_own_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.vta"
    sample(profile="chisel-64bit").save(path)
    assert main(["lint", str(path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("error    sram-unwritten   insn 2 STORE (")
    assert out[-1].startswith(f"{path}: 4 instructions on chisel-64bit: 2 errors, ")
    assert main(["lint", str(path), "--profile", "functional"]) == 1
    assert "4 instructions on functional: 1 error, " in capsys.readouterr().out


def test_lint_command_program_of_two_steps_names_the_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize, conv = fields()["steps"]
    more = dataclasses.replace(conv, name="more", begin=4, end=5)
    tensors = list(fields()["tensors"])
    tensors[1] = dataclasses.replace(tensors[1], lifetime=(0, 2))
    tensors[2] = dataclasses.replace(tensors[2], lifetime=(1, 2))
    words = np.concatenate([encoded(), encoded()[-1:]])  # one more FINISH
    path = tmp_path / "net.vta"
    sample(steps=(quantize, conv, more), tensors=tensors, words=words).save(path)
    assert main(["lint", str(path), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {f["rule"] for f in findings} == {"sram-unwritten", "finish-store", "finish-load"}
    assert all(f["message"].startswith("step conv: insn ") for f in findings)
