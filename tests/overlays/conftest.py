"""Running the block-design script of a plan under the stand-in."""

from __future__ import annotations

import pathlib

import pytest

from tests.conftest import ROOT
from tests.overlays.stand_in.serve import run_script
from tests.overlays.stand_in.vivado import Vivado
from vta_pynq.hardware.plan import BuildPlan

SCRIPTS = ROOT / "hls" / "scripts"


def environment(plan: BuildPlan, folder: pathlib.Path) -> dict[str, str]:
    """What build.py gives to scripts."""
    plan.save(folder / "plan.tcl")
    return {
        "VTA_PLAN": str(folder / "plan.tcl"), "VTA_SCRIPTS": str(SCRIPTS),
        "VTA_HLS": str(ROOT / "hls"), "VTA_WORK": str(folder), "VTA_JOBS": "2",
    }  # fmt: skip


@pytest.fixture
def block_design(tmp_path):
    """`block_design(plan)`: exit code, what was printed, and the stand-in with the design."""

    def run(plan: BuildPlan, change=lambda text: text, scripts_text=None):
        text = (SCRIPTS / "block_design.tcl").read_text(encoding="utf-8")
        changed = change(text)
        (tmp_path / "block_design.tcl").write_text(changed, encoding="utf-8")
        script = tmp_path / "main.tcl"
        script.write_text(
            f"source {SCRIPTS}/plan.tcl\nsource {tmp_path}/block_design.tcl\n"
            "run_and_exit {create_block_design vta_design}\n"
        )
        vivado = Vivado(plan.config, tmp_path)
        code, printed = run_script(script, vivado.answer, environment(plan, tmp_path), tmp_path)
        return code, printed, vivado

    return run
