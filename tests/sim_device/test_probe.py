"""Where pynq finds the simulated device by itself, and where it must be asked for."""

import os
import subprocess
import sys

import pytest

from vta_pynq.sim import _compat
from vta_pynq.sim.device import SimDevice

PROBE = """
import warnings
warnings.simplefilter("ignore")
import pynq
from vta_pynq.sim.device import SimDevice{extra}
print([type(d).__name__ for d in pynq.Device.devices])
"""


@pytest.mark.parametrize(
    ("environment", "extra", "expected"),
    [
        ({}, "", "['SimDevice']"),
        ({"PYNQ_REMOTE_DEVICES": ""}, "", "['SimDevice']"),
    ],
)
def test_probe_finds_the_simulator_where_there_is_nothing_else(environment, extra, expected):
    assert _probe(environment, extra) == expected


def test_probe_does_not_offer_the_simulator_beside_a_real_device(monkeypatch):
    monkeypatch.setattr(_compat, "real_device_exists", lambda environment: True)
    assert SimDevice._probe_() == []


def test_real_device_exists_sees_boards_and_remote_boards(monkeypatch):
    assert not _compat.real_device_exists({})
    assert _compat.real_device_exists({"PYNQ_REMOTE_DEVICES": "10.0.0.2"})
    monkeypatch.setattr(_compat.Path, "exists", lambda path: "fpga_manager" in str(path))
    assert _compat.real_device_exists({})


def test_activate_after_pynq_has_looked_for_devices():
    text = "\npynq.Device.devices.clear()\nfrom vta_pynq.sim.device import activate\nactivate()"
    assert _probe({}, text) == "['SimDevice']"


def _probe(environment, extra):
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(extra=extra)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout.strip()
