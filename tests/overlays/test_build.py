"""From `make -C overlays` to `vta.json`, with the stand-in under the names of the tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.overlays.conftest import SCRIPTS, environment
from tests.overlays.stand_in.serve import run_script, tclsh
from tests.overlays.stand_in.vivado import Outcome, Vivado
from vta_pynq.hardware.build import main, plan_of
from vta_pynq.hardware.provenance import PROVENANCE_FILE, check_files, read_provenance
from vta_pynq.hwh import hwh_text
from vta_pynq.overlay.descriptions import read_variant

TARGET = "pynq-z2/1x16_i8w8a32_15_15_18_17"
STEM = "1x16_i8w8a32_15_15_18_17"
UTILIZATION = """\
| Site Type              |  Used | Fixed | Prohibited | Available | Util% |
| Slice LUTs             | 21234 |     0 |          0 |     53200 | 39.91 |
| Slice Registers        | 30000 |     0 |          0 |    106400 | 28.20 |
| Block RAM Tile         | 133.5 |     0 |          0 |       140 | 95.36 |
| DSPs                   |   188 |     0 |          0 |       220 | 85.45 |
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """`tools(names, **state)`: puts the stand-in on PATH, alone beside what a shell needs."""

    def install(*names: str, moved: str = "", **outcome: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in names:
            program = folder / name
            program.write_text(
                f"#!/bin/sh\ncd {ROOT} && exec {sys.executable} "
                f'-m tests.overlays.stand_in.tool {name} "$@"\n'
            )
            program.chmod(0o755)
        for name in ("sh", "git", "sed", "head"):
            (folder / name).symlink_to(shutil.which(name))
        plan = plan_of(TARGET)
        results = {
            "utilization": UTILIZATION, "hand_off": hwh_text(plan.variant, plan.board), **outcome,
        }  # fmt: skip
        state = {"config": plan.config.name, "tclsh": tclsh(), "moved": moved, "outcome": results}
        (tmp_path / "state.json").write_text(json.dumps(state))
        monkeypatch.setenv("VTA_STAND_IN", str(tmp_path / "state.json"))
        monkeypatch.setenv("PATH", str(folder))

    return install


def test_make_builds_and_tells_where_the_result_comes_from(tools, tmp_path):
    make = shutil.which("make") or pytest.skip("make is not installed")
    tools("vitis_hls", "vivado")
    result = tmp_path / "result"
    done = subprocess.run(
        [make, "-C", str(ROOT / "overlays"), TARGET, f"PYTHON={sys.executable}",
         f"ARGS=--into {result}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    content = read_provenance(result / PROVENANCE_FILE)
    plan = plan_of(TARGET)
    assert content["config"] == plan.config.name
    assert content["fingerprint"] == plan.config.fingerprint
    assert (content["board"], content["ports"], content["clock_mhz"]) == ("Pynq-Z2", "hp", 100.0)
    assert (content["wns_ns"], content["whs_ns"]) == (0.123, 0.045)
    assert content["utilisation"]["bram36"] == {"used": 133.5, "available": 140.0}
    assert content["tools"] == {"vivado": "2024.1", "vitis_hls": "2024.1"}
    assert sorted(content["sha256"]) == [f"{STEM}.bit", f"{STEM}.hwh"]
    assert check_files(result / PROVENANCE_FILE) == []
    assert read_variant(result / f"{STEM}.json") == plan.variant
    reports = {path.name for path in (result / "reports").iterdir()}
    assert {"timing.rpt", "utilization.rpt", "vta_fetch_csynth.rpt", "vivado.log"} <= reports
    # The result replaces an earlier one, and does not empty a folder that is none.
    (result / "work" / "plan.tcl").unlink()
    assert main([TARGET, "--into", str(result)]) == 2
    assert (result / f"{STEM}.bit").is_file()


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"wns": "-0.210"}, "slack of setup must be at least 0 ns, not -0.210"),
        ({"whs": "-0.001"}, "slack of hold must be at least 0 ns, not -0.001"),
        ({"wns": ""}, "WNS must be known, and is ''"),
        ({"fails": "impl_1"}, "run impl_1 must finish, and does not: place_design ERROR"),
    ],
)
def test_script_of_a_design_that_misses_its_timing_writes_reports_and_no_bitstream(
    outcome, message, tmp_path
):
    plan = plan_of(TARGET)
    vivado = Vivado(plan.config, tmp_path, Outcome(**outcome))
    values = environment(plan, tmp_path)
    code, printed = run_script(SCRIPTS / "build.tcl", vivado.answer, values, tmp_path)
    assert code == 1
    assert message in " ".join(printed.split())
    assert not list(tmp_path.rglob("*.bit"))
    assert (tmp_path / "reports/timing.rpt").is_file() is ("fails" not in outcome)


@pytest.mark.slow
def test_build_that_misses_its_timing_fails_and_keeps_its_reports(tools, tmp_path, capsys):
    tools("vitis-run", "vivado", wns="-0.210")
    result = tmp_path / "result"
    assert main([TARGET, "--into", str(result)]) == 1
    message = "timing: slack of setup must be at least 0 ns, not -0.210"
    assert message in " ".join(capsys.readouterr().err.split())
    assert (result / "reports/timing.rpt").is_file()
    assert not (result / PROVENANCE_FILE).exists()
    assert not list(result.glob("*.bit"))


def test_build_with_a_register_that_hls_moved_fails(tools, tmp_path, capsys):
    tools("vitis_hls", "vivado", moved="insns")
    assert main([TARGET, "--into", str(tmp_path / "result")]) == 1
    assert "fetch: register insns must be at 0x18, not at 0x20" in capsys.readouterr().err


@pytest.mark.slow
def test_build_with_another_address_than_the_table_fails(tools, tmp_path, capsys):
    plan = plan_of(TARGET)
    text = hwh_text(plan.variant, plan.board).replace('"0x43C02000"', '"0x43C07000"')
    tools("vitis_hls", "vivado", hand_off=text)
    assert main([TARGET, "--into", str(tmp_path / "result")]) == 1
    message = "compute: address must be 0x43c02000, not 0x43c07000"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ((), "Vitis HLS (vitis_hls or vitis-run) and Vivado (vivado)"),
        (("vivado",), "Vitis HLS (vitis_hls or vitis-run)"),
        (("vitis-run",), "Vivado (vivado)"),
    ],
)
def test_build_without_tools_says_what_is_missing(names, missing, tools, tmp_path, capsys):
    tools(*names)
    assert main([TARGET, "--into", str(tmp_path / "result")]) == 2
    assert capsys.readouterr().err == (
        f"build: tools: {missing} must be on PATH, not missing; install 2022.1 to 2024.2 and "
        "source its settings64.sh\n"
    )
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("arty/x", "board must be one of KV260, Pynq-Z1, Pynq-Z2, Ultra96-V2, ZCU104, not 'arty'"),
        ("kv260/9x9", "target: must be BOARD/VARIANT, with a variant of KV260 ("),
        ("pynq-z2", "target: must be BOARD/VARIANT, with a variant of Pynq-Z2 ("),
    ],
)
def test_build_of_an_unknown_target_lists_what_there_is(target, message, capsys):
    assert main([target]) == 2
    assert message in capsys.readouterr().err


def test_build_of_an_unknown_option_lists_those_of_the_board(capsys):
    assert main([TARGET, "--ports", "gp"]) == 2
    assert capsys.readouterr().err == (
        "build: board Pynq-Z2: ports must be one of hp, acp, not 'gp'\n"
    )


def test_build_prints_its_plan_without_tools(capsys, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert main([TARGET, "--plan"]) == 0
    assert "set plan [dict create" in capsys.readouterr().out
