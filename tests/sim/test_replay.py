"""`vta replay`: outcomes, exit codes and JSON."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest

from vta_pynq.cli import main
from vta_pynq.conformance import load_case

CASES = pathlib.Path(__file__).parents[1] / "conformance"
CASE = CASES / "isa_gemm_loops"


@pytest.fixture
def broken(tmp_path: pathlib.Path) -> pathlib.Path:
    """A case whose expected output differs from the truth in byte 5."""
    folder = tmp_path / CASE.name
    shutil.copytree(CASE, folder)
    expected = bytearray((folder / "expected_out.bin").read_bytes())
    expected[5] ^= 0xFF
    (folder / "expected_out.bin").write_bytes(expected)
    return folder


def test_replay_all_cases_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(CASES)]) == 0
    count = len(list(CASES.glob("*/meta.json")))
    assert capsys.readouterr().out.splitlines()[-1] == f"{count} of {count} cases pass"


def test_replay_json_has_time_and_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(CASE), "--json", "--cycles", "hls-128bit", "--repeat", "3"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["cases"]
    assert set(entry) == {"name", "ok", "seconds", "cycles", "instructions"}
    assert entry["name"] == CASE.name and entry["ok"] is True
    assert entry["seconds"] > 0 and entry["cycles"] > 0 and entry["instructions"] == 9


def test_replay_cycles_before_a_case_takes_the_default_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["replay", "--json", "--cycles", str(CASE)]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["cases"]
    assert entry["cycles"] > 0


def test_replay_mismatch_exits_1_and_says_where(
    broken: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(broken)]) == 1
    out = capsys.readouterr().out
    (output,) = load_case(broken).outputs
    assert out.startswith("FAIL  isa_gemm_loops: 9 insns, ")
    assert (
        f"1 of {output.expected.size} bytes at {output.phys:#x} differ, the first at "
        f"{output.phys + 5:#x}: {output.expected[5]:#04x} expected, "
        f"{output.expected[5] ^ 0xFF:#04x} found"
    ) in out


def test_replay_output_that_no_buffer_covers_is_there(broken: pathlib.Path) -> None:
    shutil.copy(CASE / "expected_out.bin", broken / "expected_out.bin")
    meta = json.loads((broken / "meta.json").read_text())
    meta["buffers"] = [b for b in meta["buffers"] if b["type"] != "OUT"]
    (broken / "meta.json").write_text(json.dumps(meta))
    assert main(["replay", str(broken)]) == 0


def test_replay_dram_without_a_file_reads_as_zero(tmp_path: pathlib.Path) -> None:
    """A case's DRAM is zero where no file covers it (docs/conformance.md)."""
    folder = tmp_path / "case"
    shutil.copytree(CASES / "isa_load_acc_pad_nopad", folder)
    meta = json.loads((folder / "meta.json").read_text())
    meta["buffers"] = [b for b in meta["buffers"] if b["type"] != "ACC"]
    (folder / "meta.json").write_text(json.dumps(meta))
    assert main(["replay", str(folder)]) == 1  # the accumulators were not zero
    size = (folder / "expected_out.bin").stat().st_size
    (folder / "expected_out.bin").write_bytes(bytes(size))
    assert main(["replay", str(folder)]) == 0


def test_replay_divergent_semantics_fails_under_hls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(CASES / "isa_store_acc_direct")]) == 0
    assert main(["replay", str(CASES / "isa_store_acc_direct"), "--semantics", "hls"]) == 1


def test_replay_faulty_stream_is_a_failure(
    broken: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (broken / "instructions.bin").write_bytes(bytes(9 * 16))
    assert main(["replay", str(broken), "--json"]) == 1
    printed = capsys.readouterr()
    (entry,) = json.loads(printed.out)["cases"]
    assert entry == {
        "name": CASE.name,
        "ok": False,
        "seconds": None,
        "cycles": None,
        "instructions": 9,
    }
    assert printed.err == (
        "FAIL  isa_gemm_loops: 9 insns, "
        "stream: last instruction must be FINISH, and there is none; append it\n"
    )


@pytest.mark.parametrize("profile", ["hls-128bit", "chisel-64bit"])
def test_replay_measured_profile_gives_the_recorded_counts(
    profile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = {"hls-128bit": "hls_rtl_L10", "chisel-64bit": "chisel_rtl_L10"}[profile]
    assert main(["replay", str(CASES), "--json", "--cycles", profile]) == 0
    found = {e["name"]: e["cycles"] for e in json.loads(capsys.readouterr().out)["cases"]}
    metas = {name: load_case(CASES / name).meta for name in found}
    recorded = {name: m["cycles"][key] or None for name, m in metas.items() if "cycles" in m}
    assert len(recorded) >= 80
    assert {name: found[name] for name in recorded} == recorded
    assert main(["replay", str(CASE), "--cycles", profile]) == 0
    assert f"{recorded[CASE.name]} cycles (RTL {recorded[CASE.name]})" in capsys.readouterr().out


def test_replay_latency_moves_the_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for latency in ("10", "32"):
        arguments = ["--json", "--cycles", "hls-64bit", "--latency", latency]
        assert main(["replay", str(CASE), *arguments]) == 0
        counts.append(json.loads(capsys.readouterr().out)["cases"][0]["cycles"])
    assert counts[0] < counts[1]
    assert main(["replay", str(CASE), "--json", "--cycles"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"][0]["cycles"] == counts[1]


def test_replay_design_that_hangs_has_no_cycles_and_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = str(CASES / "isa_load_acc8")
    assert main(["replay", case, "--json", "--cycles", "chisel-64bit"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cases"][0]["cycles"] is None
    assert "memory type must be one that chisel-64bit knows" in printed.err


@pytest.mark.parametrize(
    "what",
    ["file", "missing", "profile", "untimed", "latency", "lonely", "path", "repeat", "nothing"],
)
def test_replay_wrong_use_exits_2(
    what: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if what == "path":
        monkeypatch.setenv("VTA_SIM_PATH", "abacus")
    program = tmp_path / "net.vta"
    program.write_bytes(b"PK")
    arguments = {
        "file": [str(program)],
        "missing": [str(tmp_path / "absent")],
        "profile": [str(CASE), "--cycles", "warp-9"],
        "untimed": [str(CASE), "--cycles", "functional"],
        "latency": [str(CASE), "--cycles", "hls-64bit", "--latency", "-1"],
        "lonely": [str(CASE), "--latency", "10"],
        "path": [str(CASE)],
        "repeat": [str(CASE), "--repeat", "often"],
        "nothing": [],
    }[what]
    wanted = {
        "file": f"{program}: case must be a folder with meta.json, not a file; run program files "
        "with 'vta run'",
        "missing": f"{tmp_path / 'absent'}: case must be a folder with meta.json, and there is "
        "none",
        "profile": "profile must be one of",
        "untimed": "cycle model: profile must have cycle parameters, not 'functional'",
        "latency": "cycle model: memory latency must be in 0..1048576 cycles, not -1",
        "lonely": "replay: --latency must come with --cycles",
        "path": "engine: VTA_SIM_PATH must be one of",
        "repeat": "argument --repeat: must be a number in 1..1000000, not 'often'",
        "nothing": "vta replay: at least one CASE must be given",
    }[what]
    assert main(["replay", *arguments]) == 2
    assert wanted in " ".join(capsys.readouterr().err.split())
