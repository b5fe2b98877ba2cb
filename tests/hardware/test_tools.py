"""Running scripts in tools that may fail or hang."""

from __future__ import annotations

import pytest

from vta_pynq.errors import BuildError
from vta_pynq.hardware.tools import find_tools, run_script


def run(tmp_path, text, timeout_s=30.0):
    script = tmp_path / "script.sh"
    script.write_text(text)
    run_script(("sh",), script, {"WORD": "given"}, tmp_path, tmp_path / "log", timeout_s)


def test_run_script_keeps_what_the_tool_prints(tmp_path):
    run(tmp_path, "echo out $WORD; echo err >&2")
    assert (tmp_path / "log").read_text() == "out given\nerr\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'VTA: pin x must exist'; echo more; exit 1", " (pin x must exist)"),
        ("echo 'ERROR: [HLS 200] bad'; echo more; exit 1", " (ERROR: [HLS 200] bad)"),
        ("echo last; exit 1", " (last)"),
        ("exit 1", ""),
    ],
)
def test_run_script_that_fails_says_why(text, reason, tmp_path):
    with pytest.raises(BuildError) as caught:
        run(tmp_path, text)
    assert str(caught.value) == (
        f"script.sh: must succeed, not end with exit code 1{reason}; read {tmp_path / 'log'}"
    )


def test_run_script_that_hangs_is_stopped_with_all_it_started(tmp_path):
    with pytest.raises(BuildError, match=r"script\.sh: must end within .* h, and was stopped"):
        run(tmp_path, "sleep 60 & wait", timeout_s=0.2)


@pytest.mark.parametrize(
    ("programs", "hls"),
    [
        (("vitis_hls", "vitis-run", "vivado"), ("vitis_hls", "-f")),
        (("vitis-run", "vivado"), ("vitis-run", "--mode", "hls", "--tcl")),
    ],
)
def test_find_tools_takes_the_form_that_a_release_has(programs, hls, tmp_path, monkeypatch):
    for name in programs:
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tools, missing = find_tools()
    assert (tools.hls, missing) == (hls, "")
    assert tools.vivado[0] == "vivado"
