"""`vta bench` and `scripts/board_report.py` on the simulated device, with the package alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.project.source_files import ROOT
from vta_pynq.cli import main
from vta_pynq.cli.bench import delivered_programs
from vta_pynq.config import HwConfig
from vta_pynq.profile.device_figures import device_rows
from vta_pynq.sim.device import SimDevice, activate

PROGRAM = ROOT / "notebooks" / "programs" / "digits_residual.vta"
BLOCKED = "import sys; sys.modules.update(onnx=None, onnxruntime=None, host_compiler=None)\n"
GROUPS = ["bus", "run", "modules", "digits_residual"]


def test_device_rows_have_every_group_and_the_models_figure():
    device = activate(SimDevice("bench"))
    rows = list(device_rows(HwConfig().name, device, [PROGRAM], repeat=3))
    assert list(dict.fromkeys(group for group, _ in rows)) == GROUPS
    found = {row.metric: row for _, row in rows}
    assert all(row.value > 0 for row in found.values())
    assert found["GEMM"].note.startswith("cycle model 25.6 GMAC/s, time ")
    # Weights take two cycles a beat of 8 bytes on the published design (docs/timing.md).
    assert found["LOAD WGT"].note.startswith("cycle model 399.7 MB/s")
    assert found["accelerator 1"].note.startswith("cycle model 0.1325 ms")


def test_device_rows_of_the_own_design_take_its_clock():
    device = activate(SimDevice("bench"))
    rows = list(device_rows("vta1/1x16_i8w8a32_15_15_18_17", device, repeat=3))
    notes = {row.metric: row.note for _, row in rows}
    assert notes["GEMM"].startswith("cycle model 25.6 GMAC/s")
    assert notes["LOAD WGT"].startswith("cycle model 798")


def test_delivered_programs_are_those_of_the_profile():
    names = [path.stem for path in delivered_programs(HwConfig(), "hls-64bit")]
    assert names == ["digits_depthwise", "digits_residual", "resnet18"]
    assert delivered_programs(HwConfig(), "vta1") == []


def test_command_compares_with_an_earlier_run(tmp_path, capsys):
    words = ["bench", str(PROGRAM), "--device", "sim", "--repeat", "3"]
    assert main([*words, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert "simulated" in run["machine"]["device"]
    for row in run["rows"]:
        row["value"] *= 1000 if row["unit"].endswith("/s") else 1e-3
    old = tmp_path / "old.json"
    old.write_text(json.dumps(run))
    assert main([*words, "--compare", str(old)]) == 1
    assert "slower: bus, register read" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"rows": 3}'])
def test_command_refuses_what_it_did_not_write(text, tmp_path, capsys):
    old = tmp_path / "old.json"
    old.write_text(text)
    assert main(["bench", "--device", "sim", "--compare", str(old)]) == 2
    assert f"{old}: file must be what --json printed, and is not" in capsys.readouterr().err


def test_board_report_needs_nothing_but_the_package(tmp_path):
    script = ROOT / "scripts" / "board_report.py"
    code = (
        f"{BLOCKED}import runpy; sys.argv = [{str(script)!r}, {str(PROGRAM)!r}, '--device', 'sim', "
        f"'--repeat', '3', '-o', 'mine']\nrunpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote mine.md\nwrote mine.json\n"
    page = (tmp_path / "mine.md").read_text()
    assert "| modules | GEMM |" in page and "(simulated: times are the simulator's own)" in page
    assert json.loads((tmp_path / "mine.json").read_text())["rows"]


def test_board_report_without_a_board_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "board_report.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "board_report: device 'board': a PYNQ device must be present" in done.stderr
    assert not list(tmp_path.iterdir())
