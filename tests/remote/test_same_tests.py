"""The tests of the runtime pass on a device behind a server: `pytest --device grpc://…`."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.project.source_files import ROOT
from tests.remote.faults import ServerProcess

pytest.importorskip("pynq.pl_server.remote_device", reason="PYNQ.remote needs pynq 3.1")

SAME = ("test_kernels", "test_model", "test_loader", "test_mixed", "test_failures")
LEAST = 60
"""Tests that ran; more are about the simulated device's insides and skip."""


@pytest.mark.timeout(180)
def test_runtime_tests_pass_on_a_remote_device():
    server = ServerProcess()
    try:
        done = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                "-m", "not slow and not board", "--device", server.url,
                *(f"tests/runtime/{name}.py" for name in SAME),
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
    finally:
        server.process.kill()
        server.process.wait(timeout=30)
        server.process.stdout.close()
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) >= LEAST, done.stdout[-300:]
