"""The bench of the control block, compiled once."""

from __future__ import annotations

import shutil

import pytest

from tests.hls.control_bench import compile_bench, run_bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    if not shutil.which("iverilog"):
        pytest.skip("simulates Verilog: install iverilog (Debian and Ubuntu: iverilog)")
    return compile_bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def passes(bench, tmp_path):
    """Runs commands, and asserts that every expectation in them is met."""

    def run(commands):
        verdict = run_bench(bench, commands, tmp_path)
        assert verdict.startswith("PASS "), verdict

    return run
