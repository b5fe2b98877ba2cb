"""The plan: what scripts are told."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest

from tests.overlays.builds import OWN, own
from tests.overlays.stand_in.serve import tclsh
from vta_pynq.errors import ConfigError
from vta_pynq.hardware.plan import BuildPlan
from vta_pynq.isa.control_block import PORTS, control_parameters
from vta_pynq.overlay.boards import get_board
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.overlay.processing_system import processing_system
from vta_pynq.timing.profiles import get_profile


def test_plan_is_read_by_tcl_as_it_was_written(tmp_path):
    plan = own("KV260")
    plan.save(tmp_path / "plan.tcl")
    script = f"""
        source {{{tmp_path / "plan.tcl"}}}
        puts [dict get $plan part]
        puts [dict get $plan board_connections som240_1_connector]
        puts [dict get $plan control parameters FINGERPRINT_HI]
        puts [dict get $plan addresses intc]
        puts [llength [dict get $plan fifos]]
        foreach r [dict get $plan control registers] {{lappend names [dict get $r name]}}
        puts [lsearch $names CYCLES_HI]
    """
    done = subprocess.run([tclsh()], input=script, capture_output=True, text=True, check=True)
    fingerprint = control_parameters(plan.config)["FINGERPRINT_HI"]
    names = [register.name for register in plan.blocks[-1].registers]
    assert done.stdout.splitlines() == [
        "xck26-sfvc784-2LV-c",
        "xilinx.com:kv260_carrier:som240_1_connector",
        f"0x{fingerprint:08X}",
        "0xA0005000",
        "7",
        str(names.index("CYCLES_HI")),
    ]


def test_plan_puts_masters_that_share_a_port_in_the_cycle_model_on_one():
    groups = own().memory_groups()
    assert groups == {
        "S_AXI_HP0": [("fetch", "m_axi_insn_port"), ("compute", "m_axi_uop_port")],
        "S_AXI_HP1": [("load", "m_axi_wgt_port"), ("load", "m_axi_inp_port")],
        "S_AXI_HP2": [("compute", "m_axi_acc_port")],
        "S_AXI_HP3": [("store", "m_axi_out_port")],
    }
    (alone,) = own(ports="acp").memory_groups().values()
    assert {master for _, master in alone} == {f"m_axi_{port}" for port in PORTS}


@pytest.mark.parametrize("name", ["Pynq-Z2", "KV260"])
@pytest.mark.parametrize("ports", ["hp", "acp"])
def test_plan_enables_the_ports_that_it_uses_and_no_others(name, ports):
    values = own(name, ports).values()["processing_system"]
    system = processing_system(get_board(name))
    used = set(get_board(name).memory_ports[ports])
    for port in system.memory_ports.values():
        enabled = set(port.settings) <= set(values["settings"])
        assert enabled is (port.name in used)
        assert (port.clock_pin in values["clock_inputs"]) is (port.name in used)


def test_plan_leaves_part_of_the_period_to_routing():
    assert own(clock_mhz=100.0).values()["hls_period_ns"] == pytest.approx(7.0)
    assert own(clock_mhz=125.0).values()["hls_period_ns"] == pytest.approx(5.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": find_variant("pynq/0.0.2/1x16_i8w8a32_15_15_18_17")},
         "variant pynq/0.0.2/1x16_i8w8a32_15_15_18_17: design must be the project's own, not "
         "published; fetch published bitstreams with 'vta overlays fetch'"),
        ({"variant": dataclasses.replace(OWN, boards=("KV260",))},
         "variant test/1x16: board must be one of KV260, not Pynq-Z2"),
        ({"ports": "gp"}, "board Pynq-Z2: ports must be one of hp, acp, not 'gp'"),
        ({"variant": dataclasses.replace(OWN, profile=get_profile("functional"))},
         "profile functional: memory ports must be there for all masters of vta1, not missing for "
         "insns, inputs, weights, uops, biases, outputs"),
    ],
)  # fmt: skip
def test_plan_of_what_cannot_be_built_is_refused(change, message):
    parts = {"board": get_board("Pynq-Z2"), "variant": OWN, "ports": "hp", **change}
    with pytest.raises(ConfigError) as caught:
        BuildPlan(**parts)
    assert str(caught.value) == message
