"""`hls/scripts/package_control.tcl` and `hls_ip.tcl`, under the stand-in."""

from __future__ import annotations

import pytest

from tests.overlays.builds import own
from tests.overlays.conftest import SCRIPTS, environment
from tests.overlays.stand_in.component import hls_registers
from tests.overlays.stand_in.packager import Packager
from tests.overlays.stand_in.serve import run_script
from tests.overlays.stand_in.vitis_hls import VitisHls
from vta_pynq.hardware.register_check import component_mismatches
from vta_pynq.hls_macros import hls_macros
from vta_pynq.isa.control_block import CONTROL
from vta_pynq.isa.registers import VTA1


def test_package_control_describes_every_register_and_only_real_interfaces(tmp_path):
    plan = own()
    packager = Packager(plan.config, tmp_path)
    script = SCRIPTS / "package_control.tcl"
    code, printed = run_script(script, packager.answer, environment(plan, tmp_path), tmp_path)
    assert code == 0, printed
    assert packager.saved
    assert packager.buses == {
        "s_axi_control", "aclk", "aresetn", "fifo_resetn", "module_resetn", "irq",
    }  # fmt: skip
    assert packager.registers() == [(r.name, r.offset) for r in CONTROL.registers]
    assert component_mismatches(tmp_path / "ip/vta_control/component.xml", CONTROL) == []
    packaged = {path.name for path in (tmp_path / "ip/vta_control").glob("*.v*")}
    assert {"vta_control.v", "vta_control_regs.vh"} <= packaged
    level = packager.objects["bus:irq/SENSITIVITY"]["value"]
    assert level == "LEVEL_HIGH"


@pytest.mark.parametrize("block", VTA1.modules, ids=lambda b: b.name)
def test_hls_ip_passes_configuration_part_and_clock(block, tmp_path):
    plan = own("KV260", clock_mhz=187.5)
    hls = VitisHls(tmp_path)
    values = {**environment(plan, tmp_path), "VTA_MODULE": block.name}
    code, printed = run_script(SCRIPTS / "hls_ip.tcl", hls.answer, values, tmp_path)
    assert code == 0, printed
    assert hls.values["part"] == plan.board.part
    assert float(hls.values["period"]) == pytest.approx(0.7 * 1000 / 187.5)
    flags = hls.values["cflags"].split()
    assert flags == ["-std=c++14", *(f"-D{k}={v}" for k, v in hls_macros(plan.config).items())]
    component = tmp_path / f"hls/vta_{block.name}/solution/impl/ip/component.xml"
    assert component_mismatches(component, block) == []


def test_hls_ip_of_an_unknown_module_says_so(tmp_path):
    values = {**environment(own(), tmp_path), "VTA_MODULE": "decode"}
    code, printed = run_script(SCRIPTS / "hls_ip.tcl", VitisHls(tmp_path).answer, values, tmp_path)
    assert code == 1
    assert "VTA_MODULE must be a module of the plan, not decode" in printed


def test_pragmas_pin_every_register_of_the_table():
    for block in VTA1.modules:
        assert dict(hls_registers(block.name)) == {r.name: r.offset for r in block.registers}
