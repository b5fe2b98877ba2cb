"""What tools made, against the table."""

from __future__ import annotations

import pytest

from tests.overlays.builds import every_build
from tests.overlays.stand_in.component import write_component
from vta_pynq.errors import BuildError
from vta_pynq.hardware.build import plan_of
from vta_pynq.hardware.register_check import component_mismatches, hand_off_mismatches
from vta_pynq.hwh import hwh_text
from vta_pynq.isa.registers import VTA1
from vta_pynq.isa.table import Module

FETCH = VTA1.block(Module.FETCH)
TABLE = [(register.name, register.offset) for register in FETCH.registers]


def component(tmp_path, registers=TABLE, vlnv=FETCH.vlnv, slave=FETCH.slave):
    path = tmp_path / "component.xml"
    write_component(path, vlnv, slave, registers)
    return component_mismatches(path, FETCH)


def test_component_like_the_table_has_no_mismatch(tmp_path):
    assert component(tmp_path) == []
    assert component(tmp_path, [*TABLE, ("more", 0x200)]) == []


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            {"registers": [(n, 0x28 if n == "insns" else at) for n, at in TABLE]},
            ["fetch: register insns must be at 0x18, not at 0x28"],
        ),
        (
            {"registers": [("insn_count_r" if n == "insn_count" else n, at) for n, at in TABLE]},
            ["fetch: register insn_count must be at 0x10, not missing (0x10 holds insn_count_r)"],
        ),
        ({"vlnv": "x:hls:fetch:1.0"}, [f"fetch: IP must be {FETCH.vlnv}, not x:hls:fetch:1.0"]),
        ({"slave": "s_axi_ctrl"}, ["fetch: memory map s_axi_control must exist, not be missing"]),
    ],
)
def test_component_unlike_the_table_says_what_differs(options, lines, tmp_path):
    assert component(tmp_path, **options) == lines


@pytest.mark.parametrize("text", [None, "<a"])
def test_component_that_is_no_xml_is_refused(text, tmp_path):
    path = tmp_path / "component.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BuildError, match="must be XML that the tool wrote"):
        component_mismatches(path, FETCH)


@pytest.mark.parametrize(
    "plan",
    [plan for plan in every_build() if plan.ports == "hp"],
    ids=lambda plan: f"{plan.board.name}-{plan.variant.stem}",
)
def test_generated_hand_off_of_every_variant_agrees_with_its_plan(plan, tmp_path):
    path = tmp_path / "x.hwh"
    path.write_text(hwh_text(plan.variant, plan.board))
    assert hand_off_mismatches(path, plan) == []


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ('BASEVALUE="0x43C01000"', 'BASEVALUE="0x43C0A000"',
         "load: address must be 0x43c01000, not 0x43c0a000"),
        ('BASEVALUE="0x43C05000"', 'BASEVALUE="0x43C06000"',
         "intc: address must be 0x43c05000, not 0x43c06000"),
        ("vta_pynq:hls:vta_load:1.0", "vta_pynq:hls:vta_load:2.0",
         "load: IP must be vta_pynq:hls:vta_load:1.0, not vta_pynq:hls:vta_load:2.0"),
        ('NAME="RESET"', 'NAME="RST"',
         "control: register RESET must be at 0x20, not missing (0x20 holds RST)"),
        ('FULLNAME="/vta/store_0"', 'FULLNAME="/store_0"',
         "store: /vta/store_0 must exist, not be missing"),
        ('NAME="irq" SIGIS="INTERRUPT" SIGNAME="axi_intc_0_irq"',
         'NAME="irq" SIGIS="INTERRUPT" SIGNAME="other"',
         "interrupt: /axi_intc_0 irq must drive /processing_system7_0 IRQ_F2P, not "
         "'axi_intc_0_irq'"),
    ],
)  # fmt: skip
def test_hand_off_unlike_the_table_says_what_differs(before, after, line, tmp_path):
    plan = plan_of("pynq-z2/1x16_i8w8a32_15_15_18_17")
    text = hwh_text(plan.variant, plan.board)
    assert before in text
    path = tmp_path / "x.hwh"
    path.write_text(text.replace(before, after))
    assert line in hand_off_mismatches(path, plan)
