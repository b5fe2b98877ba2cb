"""`vta doctor`: every check can fail, and says what to do then."""

from __future__ import annotations

import copy
import json
import types
from typing import Any

import numpy as np
import pytest

from vta_pynq.cli import main
from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.runtime import health, overlay_health
from vta_pynq.runtime.selftest import SELF_TESTS
from vta_pynq.sim.device import SimDevice, activate
from vta_pynq.sim.engines import DesignEngine
from vta_pynq.timing.profiles import get_profile

OWN = "vta1/1x16_i8w8a32_15_15_18_17"
CONFIG_NAME = "1x16_i8w8a32_15_15_18_17"
NAMES = [
    "Python", "numpy", "pynq", "extensions", "device", "memory", "overlay", "metadata", "identity",
    "clock", "registers", *(f"self-test {name}" for name in SELF_TESTS),
]  # fmt: skip
CONFIGS = (
    CONFIG_NAME,
    "2x16_i8w8a32_15_15_18_17",
    "4x8_i8w8a32_15_15_18_17",
    "1x32_i8w8a32_15_15_18_17",
    "1x16_i8w8a32_12_11_14_13",
)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of every self-test."""
    monkeypatch.setattr(overlay_health, "_SELF_TEST_S", 0.0)


def checks(overlay: str = CONFIG_NAME, device: Any = None) -> dict[str, health.Check]:
    device = device or activate(SimDevice(tag="doctor"))
    return {check.name: check for check in health.check_machine(device, overlay)}


def test_doctor_healthy_machine_says_so(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--device", "sim"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[9:27].strip() for line in lines[:-1]] == NAMES
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1] == "all is well"


def test_doctor_says_which_engine_simulates():
    device = activate(SimDevice(tag="doctor", engine=DesignEngine))
    assert "simulated by the HLS design" in checks("no-such-thing", device)["device"].found
    assert "HLS" not in checks("no-such-thing")["device"].found


def test_doctor_json_lists_every_check(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--device", "sim", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert [check["name"] for check in found["checks"]] == NAMES
    assert set(found["checks"][0]) == {"name", "state", "found", "advice"}


@pytest.mark.parametrize("name", CONFIGS)
def test_self_tests_pass_in_every_configuration(name: str):
    found = checks(name)
    assert [c for c in found.values() if c.state != "ok"] == []


@pytest.mark.parametrize("module", SELF_TESTS)
def test_self_tests_are_free_of_lint(module: str):
    from vta_pynq.lint import lint_stream

    config, profile = HwConfig.from_name(CONFIG_NAME), get_profile("hls-64bit")
    test = SELF_TESTS[module](config, profile, np.random.default_rng(1))
    for stream in test.kernel.streams():
        assert lint_stream(stream, profile).ok


@pytest.mark.parametrize("module", SELF_TESTS)
def test_self_test_one_wrong_bit_is_found(module: str):
    """A device that flips one bit of what it stores fails."""
    device = SimDevice(tag="flip")
    overlay = VtaOverlay(CONFIG_NAME, device=activate(device))
    config, profile = overlay.config, overlay.identity.profile
    test = SELF_TESTS[module](config, profile, np.random.default_rng(0))
    right = overlay.run_kernel(test.kernel, test.arrays)["y"]
    np.testing.assert_array_equal(right, test.expected.reshape(right.shape))

    def flipped(*arguments: Any) -> dict[str, np.ndarray]:
        wrong = right.copy()
        wrong.reshape(-1)[-1] ^= 1
        return {"y": wrong}

    overlay.run_kernel = flipped  # type: ignore[method-assign]
    check = overlay_health._self_test(overlay, module)
    assert check.state == "fail" and "1 of " in check.found and "round 0" in check.found
    assert "vta overlays verify" in check.advice


def test_doctor_engine_that_stops_fails_the_self_tests_only():
    device = activate(SimDevice(tag="broken"))
    found: dict[str, health.Check] = {}
    for check in health.check_machine(device, CONFIG_NAME):
        found[check.name] = check
        if check.name == "registers":

            def fail(*arguments: Any) -> None:
                raise SimError("insn 0: engine must run, not stop; mend it")

            device.accelerator.engine.run = fail  # type: ignore[union-attr,method-assign]
    assert found["registers"].state == "ok"
    first = found["self-test fetch"]
    assert first.state == "fail" and "engine must run" in first.found and first.advice == "mend it"


def test_doctor_shows_what_the_hardware_says_about_itself():
    published = checks()["identity"]
    assert published.found == "design 'published', which cannot tell: taken from its files"
    own = checks(OWN)
    assert [c for c in own.values() if c.state != "ok"] == []
    assert own["identity"].found == (
        "design 'vta1' 1.0, fingerprint 4cc6f32c6f17e929, can alu_mul, alu_requant, counters, "
        "identity, interrupt, load_acc8, soft_reset"
    )
    with VtaOverlay(OWN, device=activate(SimDevice(tag="doctor"))) as overlay:
        overlay.accelerator.control.get = lambda name: 3
        check = overlay_health._identity(overlay)
    assert check.state == "fail" and check.found.endswith(f"; {overlay.config.name} was expected")


def test_doctor_stuck_register_bit_is_found():
    device = activate(SimDevice(tag="stuck"))
    with VtaOverlay(CONFIG_NAME, device=device) as overlay:
        driver = overlay.accelerator.compute
        driver.get = lambda name: 0x10  # type: ignore[method-assign]
        check = overlay_health._registers(overlay)
    assert check.state == "fail" and "compute.uops 0x10 for 0xa5a5a5a0" in check.found


def test_doctor_fast_clock_is_a_failure_and_slow_one_a_warning():
    import pynq

    with VtaOverlay(CONFIG_NAME, device=activate(SimDevice(tag="clock"))) as overlay:
        for mhz, state in ((125, "fail"), (50, "warning"), (100, "ok")):
            pynq.Clocks.fclk0_mhz = mhz
            assert overlay_health._clock(overlay).state == state


def test_doctor_metadata_of_another_map_are_found():
    with VtaOverlay(CONFIG_NAME, device=activate(SimDevice(tag="map"))) as overlay:
        entries = {
            name: {
                "type": entry["type"],
                "phys_addr": entry.get("phys_addr"),
                "registers": copy.deepcopy(entry.get("registers")),
            }
            for name, entry in overlay.ip_dict.items()
        }
        entries["vta/load_0"]["phys_addr"] += 0x1000
        entries["vta/load_0"]["registers"]["inputs"]["address_offset"] = 0x14
        loaded: Any = types.SimpleNamespace(
            identity=overlay.identity, device=overlay.device, ip_dict=entries
        )
        assert overlay_health._metadata(overlay).state == "ok"
        check = overlay_health._metadata(loaded)
    assert check.state == "fail"
    assert "load.inputs at 0x14" in check.found and "not 0x43c01000" in check.found


def test_doctor_unknown_overlay_skips_what_needs_it():
    found = checks("no-such-thing")
    assert found["overlay"].state == "fail" and "no-such-thing" in found["overlay"].found
    assert found["overlay"].advice == "run 'vta overlays list'"
    assert {found[name].state for name in NAMES[7:]} == {"skipped"}


def test_doctor_no_device_skips_what_needs_it(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--device", "board"]) == 1
    out = capsys.readouterr().out
    assert "fail     device" in out and "-> run this on a board" in out
    assert out.count("skipped") == len(NAMES) - 5


@pytest.mark.parametrize(
    ("found", "state"),
    [("3.0.1", "ok"), ("4.0.0", "ok"), ("3.1.2.post1", "ok"), ("2.7.0", "fail"), ("5.0", "fail")],
)
def test_doctor_versions_are_judged(found: str, state: str):
    check = health._version("pynq", found, *health._PYNQ, "advice")
    assert check.state == state
    assert check.advice == ("" if state == "ok" else "advice")
