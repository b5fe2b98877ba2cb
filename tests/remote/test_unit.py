"""The systemd unit, judged by systemd where it is there."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from vta_pynq.cli import main
from vta_pynq.errors import DeviceError
from vta_pynq.remote.unit import unit_text


def lines_of(text, key):
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_unit_runs_this_python_with_the_arguments(tmp_path, capsys):
    keys = tmp_path / "my keys"
    words = ["--host", "0.0.0.0", "--port", "7000", "--device", "sim", "--keys", str(keys)]
    assert main(["serve", "--systemd", *words]) == 0
    (command,) = lines_of(capsys.readouterr().out, "ExecStart")
    assert command == (
        f"{sys.executable} -m vta_pynq.cli serve --device sim --host 0.0.0.0 --port 7000 "
        f'--keys "{keys}"'
    )


def test_unit_passes_the_board_on_and_escapes_specifiers():
    text = unit_text(["--keys", "/k/50%$x"], {"BOARD": "Pynq-Z2", "XILINX_XRT": "/usr", "X": "1"})
    assert lines_of(text, "Environment") == ["BOARD=Pynq-Z2", "XILINX_XRT=/usr"]
    assert lines_of(text, "ExecStart")[0].endswith("--keys /k/50%%$$x")


def test_unit_lets_the_board_s_devices_through():
    text = unit_text([])
    assert lines_of(text, "DeviceAllow") == ["/dev/mem rw", "char-drm rw", "char-uio rw"]
    assert "CAP_SYS_RAWIO" in lines_of(text, "CapabilityBoundingSet")[0]
    assert not lines_of(text, "PrivateDevices") and lines_of(text, "KillSignal") == ["SIGTERM"]


def test_unit_refuses_a_line_break():
    with pytest.raises(DeviceError, match=r"no control characters, not '/k\\nUser=x'"):
        unit_text(["--keys", "/k\nUser=x"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_satisfies_systemd(tmp_path):
    path = tmp_path / "vta-serve.service"
    path.write_text(unit_text(["--keys", "/a b/50%"], {"BOARD": "Pynq-Z2"}), encoding="utf-8")
    path.chmod(0o644)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "vta-serve" not in done.stderr, done.stderr
