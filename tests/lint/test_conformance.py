"""Every conformance case is classified the way its record of real runs says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vta_pynq.conformance import load_case
from vta_pynq.lint import lint_stream

CASES = Path(__file__).parents[1] / "conformance"

RAN_ON = {
    "functional": "functional_simulator",
    "hls-64bit": "hls_rtl_zcu104",
    "hls-128bit": "hls_rtl_zcu104",
    "chisel-64bit": "chisel_rtl",
}
"""Whose record counts for a profile. The HLS C model has no pipeline, so its RTL counts."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Case and profile that are classified otherwise, and why. There are none."""


REQUANT = "isa_requant_"
"""Cases of the operation that no published design has; nothing is recorded of any."""


def _names(requant: bool = False) -> list[str]:
    names = sorted(p.parent.name for p in CASES.glob("isa_*/meta.json"))
    return [name for name in names if name.startswith(REQUANT) == requant]


def test_cases_are_there() -> None:
    assert len(_names()) >= 80
    assert len(_names(requant=True)) >= 15


@pytest.mark.parametrize("name", _names(requant=True))
def test_lint_stream_requant_case_is_clean_where_nothing_is_in_a_hurry(name: str) -> None:
    case = load_case(CASES / name)
    for profile in ("functional", "vta1"):
        assert lint_stream(case.stream, profile).findings == ()
    hurried = {f.rule for f in lint_stream(case.stream, "hls-64bit").errors}
    assert hurried == ({"acc-distance"} if "hazard" in case.meta["tags"] else set())


@pytest.mark.parametrize("profile", RAN_ON)
@pytest.mark.parametrize("name", _names())
def test_lint_stream_case_agrees_with_real_runs(name: str, profile: str) -> None:
    meta = json.loads((CASES / name / "meta.json").read_text())
    ran_well = meta["verified"][RAN_ON[profile]] == "ok"
    report = lint_stream(load_case(CASES / name).stream, profile)
    if (name, profile) in EXCEPTIONS:
        ran_well = not ran_well
    assert ran_well == (not report.errors), report.findings
    if ran_well:
        assert report.ok, report.findings  # no warnings either


HAZARDS = {
    "isa_gemm_raw_dist01": "acc-distance",
    "isa_alu_raw_src_prev2_dst": "acc-distance",
    "isa_alu_shr_imm_16": "shift-amount",
    "isa_alu_shr_reg_16_31": "shift-amount",
    "isa_gemm_reset_store": "store-source",
    "isa_store_acc_direct": "store-source",
    "isa_load_wgt_pad": "pad-ignored",
    "isa_load_x0_with_pad": "pad-empty",
    "isa_uop_load_2d": "uop-rows",
    "isa_alu_mul_imm": "unknown-insn",
    "isa_load_acc8": "unknown-insn",
}


@pytest.mark.parametrize("name", HAZARDS)
def test_lint_stream_case_names_the_reason(name: str) -> None:
    report = lint_stream(load_case(CASES / name).stream, "hls-64bit")
    assert HAZARDS[name] in {finding.rule for finding in report.errors}


CHISEL = {
    "isa_alu_imm_src_ne_dst": "imm-source",
    "isa_alu_raw_imm_same": "acc-distance",
    "isa_alu_shr_reg_neg": "shift-amount",
    "isa_uop_deep": "sram-range",
    "isa_zero_iter": "loop-empty",
}


@pytest.mark.parametrize("name", CHISEL)
def test_lint_stream_case_names_the_reason_on_chisel(name: str) -> None:
    report = lint_stream(load_case(CASES / name).stream, "chisel-64bit")
    assert {finding.rule for finding in report.errors} == {CHISEL[name]}
