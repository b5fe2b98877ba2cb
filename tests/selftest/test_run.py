"""The self-test on whole devices, and its verdict on devices with faults."""

from __future__ import annotations

import json

import numpy as np
import pynq
import pytest

from tests.selftest.faulty_device import (
    broken_rule,
    device_with,
    fast_clock,
    hanging,
    stuck_bit,
    wrong_decoder,
)
from vta_pynq.cli import main
from vta_pynq.cli.selftest import _STAGES
from vta_pynq.config import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.isa.table import MemType
from vta_pynq.overlay.descriptions import variants
from vta_pynq.selftest.run import self_test
from vta_pynq.selftest.stages import STAGES
from vta_pynq.sim.device import DEFAULT_BOARD, SimDevice, activate
from vta_pynq.sim.replay import replay_case

PUBLISHED = "pynq/0.0.2/1x16_i8w8a32_15_15_18_17"
OWN = "vta1/1x16_i8w8a32_15_15_18_17"
ON_BOARD = [variant.name for variant in variants() if DEFAULT_BOARD in variant.boards]


def test_command_knows_the_stages():
    assert tuple(STAGES) == _STAGES


@pytest.fixture(autouse=True)
def whole_device_afterwards():
    """Others take the active simulated device."""
    yield
    activate(SimDevice())


def findings(report, stage):
    return next(s for s in report.stages if s.name == stage).findings


@pytest.mark.parametrize("name", ON_BOARD)
def test_self_test_of_a_whole_device_finds_nothing(name):
    seed = int(np.random.default_rng().integers(1 << 31))
    report = self_test(name, activate(SimDevice("whole")), programs=8, seed=seed)
    assert report.ok, f"seed {seed}: {report}"
    assert report.verdict.cause == "none"
    tests = {stage.name: stage.tests for stage in report.stages}
    assert tests["registers"] == 4 and tests["memories"] == 5 and tests["random"] == 8
    if "1x16_i8w8a32_15_15_18_17" in name:
        assert tests["rules"] == (104 if name.startswith("vta1") else 65)
    assert tests["counters"] == int(name.startswith("vta1"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [PUBLISHED, OWN])
def test_self_test_with_a_thousand_programs_finds_nothing(name):
    report = self_test(name, activate(SimDevice("whole")), programs=1000, seed=0)
    assert report.ok, str(report)


@pytest.mark.slow
@pytest.mark.csim
def test_self_test_of_the_hls_design_finds_nothing():
    report = self_test(OWN, "csim", programs=20, seed=0)
    assert report.ok, str(report)


def test_interpreting_device_without_a_fault_passes():
    report = self_test(PUBLISHED, device_with(), programs=1)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("kind", "element", "value", "bit", "where"),
    [
        (MemType.INP, 1500, 3, 6, "INP element 1500, byte 3 is"),
        pytest.param(
            MemType.WGT, 700, 5 * 16 + 9, 2, "WGT element 700, byte 89 is", marks=pytest.mark.slow
        ),
        (MemType.ACC, 2047, 15, 27, "ACC element 2047, byte 63 is"),
        pytest.param(MemType.OUT, 17, 4, 0, "OUT element 17, byte 4 is", marks=pytest.mark.slow),
        (MemType.UOP, 5000, 0, 13, "UOP element 5000, byte"),
    ],
)
def test_stuck_bit_is_found_and_blamed_on_the_logic(kind, element, value, bit, where):
    report = self_test(
        PUBLISHED, device_with(stuck_bit(kind, element, value, bit)), only=["memories"]
    )
    assert not report.ok
    assert report.verdict.cause == "logic"
    assert kind.name in report.verdict.advice
    found = {finding.test: finding for finding in findings(report, "memories")}
    assert where in found[kind.name].what
    assert found[kind.name].repeatable


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MemType.INP, MemType.WGT])
def test_stuck_address_line_is_found(kind):
    report = self_test(PUBLISHED, device_with(wrong_decoder(kind, 4)), only=["memories"])
    assert kind.name in {finding.test for finding in findings(report, "memories")}
    assert report.verdict.cause == "logic"


def test_broken_rule_is_named():
    report = self_test(PUBLISHED, device_with(broken_rule), only=["rules"])
    named = {finding.test for finding in findings(report, "rules")}
    assert {"alu_max_imm_0", "alu_max_imm_1", "alu_max_imm_100"} <= named
    assert not any(name.startswith(("alu_min", "alu_add", "gemm_raw")) for name in named)
    assert report.verdict.cause == "logic"
    assert "alu_max_imm" in report.verdict.advice
    assert "are the same each time" in " ".join(report.verdict.reasons)


def test_flips_that_end_at_half_the_clock_are_blamed_on_the_clock():
    device = device_with(fast_clock(60, seed=1))
    report = self_test(PUBLISHED, device, only=["random"], programs=20)
    assert report.verdict.cause == "clock", report.verdict
    assert any("come and go" in reason for reason in report.verdict.reasons)
    assert any("pass at half the clock" in reason for reason in report.verdict.reasons)
    assert float(pynq.Clocks.fclk0_mhz) == 100  # what the overlay set


def test_hang_ends_the_stage_and_leaves_the_device_usable():
    report = self_test(
        PUBLISHED, device_with(hangs=hanging), only=["rules", "random"], programs=1, timeout_s=0.2
    )
    rules = next(stage for stage in report.stages if stage.name == "rules")
    assert [finding.kind for finding in rules.findings] == ["hang"] * 3
    assert rules.cut == "3 programs hung"
    assert next(stage for stage in report.stages if stage.name == "random").tests == 1
    assert report.verdict.cause == "logic"


def test_other_bitstream_than_its_files_say_is_blamed_on_the_logic():
    other = HwConfig.from_name("1x16_i8w8a32_14_14_17_16")
    report = self_test(OWN, activate(SimDevice("other", built=other)), programs=1)
    assert report.verdict.cause == "logic"
    assert "the hardware must have been built for" in report.verdict.reasons[0]


def test_failed_programs_are_kept_and_can_be_replayed(tmp_path):
    folder = tmp_path / "kept"
    report = self_test(PUBLISHED, device_with(broken_rule), only=["rules"], keep=folder)
    assert len(report.saved) == sum(len(stage.findings) for stage in report.stages)
    for path in report.saved:
        replay = replay_case(load_case(path), semantics="hls")
        assert replay.ok, replay.problem  # the engine is right where the device was not


# ---- command -----------------------------------------------------------------------------


def test_command_prints_stages_and_seed(capsys):
    assert main(["selftest", "--programs", "3", "--device", "sim", "--seed", "11"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 11, 3 random programs\n")
    for word in ("registers", "rules", "memories", "counters", "random", "all is well"):
        assert word in out


def test_command_as_json(capsys):
    assert main(["selftest", "--quick", "--device", "sim", "--json", "--overlay", OWN]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is True and content["verdict"]["cause"] == "none"
    assert [stage["name"] for stage in content["stages"]][-1] == "random"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--programs", "0"], "must be a number in 1..1000000, not '0'"),
        (["--seed", "-1"], "--seed: must be at least 0, not -1"),
        (["--overlay", "nothing"], "nothing"),
        (["--timeout", "-3"], "timeout_s must be a finite number of seconds, at least 0, not -3.0"),
    ],
)
def test_command_with_bad_words_says_so(words, message, capsys):
    assert main(["selftest", "--device", "sim", *words]) == 2
    assert message in capsys.readouterr().err


def test_command_refuses_a_folder_that_exists(tmp_path, capsys):
    assert main(["selftest", "--device", "sim", "--keep", str(tmp_path)]) == 2
    assert f"--keep: folder must not exist yet, and {tmp_path} does" in capsys.readouterr().err
