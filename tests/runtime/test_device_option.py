"""`pytest --device`: which tests run where, and what happens without the device."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests import conftest

ROOT = Path(__file__).parents[2]


class Item:
    """What the collection hook sees of a test."""

    def __init__(self, *keywords: str) -> None:
        self.keywords = keywords
        self.reasons: list[str] = []

    def add_marker(self, mark: Any) -> None:
        self.reasons.append(mark.kwargs["reason"])


@pytest.mark.parametrize(
    ("device", "skipped"),
    [("sim", ["board"]), ("board", ["simulator"]), ("grpc://host:7", ["board", "simulator"])],
)
def test_device_tests_that_need_another_one_skip_with_the_reason(device: str, skipped: list[str]):
    items = {name: Item(name) for name in ("any", "board", "simulator")}
    config: Any = types.SimpleNamespace(getoption=lambda name: device)
    conftest.pytest_collection_modifyitems(config, list(items.values()))  # type: ignore[arg-type]
    assert [name for name, item in items.items() if item.reasons] == skipped
    for name in skipped:
        assert "pytest --device" in items[name].reasons[0]


@pytest.mark.parametrize(
    ("device", "text"),
    [("mars", "must be one of"), ("board", "a PYNQ device must be present, not missing")],
)
def test_device_that_is_not_there_ends_pytest_at_once(device: str, text: str):
    if Path("/sys/class/fpga_manager/fpga0").exists() and device == "board":
        pytest.skip("this is a board")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--device", device, "tests/runtime/test_fair.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--device: device{' ' if device == 'board' else ': '}" in done.stderr
    assert text in done.stderr and "passed" not in done.stdout
