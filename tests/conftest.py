"""Options and profiles of all tests; the markers are declared in pyproject.toml."""

from __future__ import annotations

import os
import pathlib

import hypothesis
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A deadline would be an assertion about wall-clock time. The blob replays a failure elsewhere.
hypothesis.settings.register_profile(
    "default",
    deadline=None,
    print_blob=True,
    derandomize=False,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        default=os.environ.get("VTA_TEST_DEVICE", "sim"),
        help="device of the tests that run programs: sim (default), csim, board, grpc://host:port",
    )


@pytest.hookimpl(tryfirst=True)  # before hypothesis reads the option
def pytest_configure(config: pytest.Config) -> None:
    # hypothesis draws its own seed where none is given, and would keep it to itself.
    if config.getoption("hypothesis_seed", default=None) is None:
        seed = os.environ.get("VTA_TEST_SEED") or int.from_bytes(os.urandom(4), "little")
        config.option.hypothesis_seed = str(seed)


def pytest_report_header(config: pytest.Config) -> str:
    return (
        f"device: {config.getoption('--device')}, "
        f"hypothesis: --hypothesis-seed={config.getoption('hypothesis_seed', default=None)}"
    )


@pytest.fixture(scope="session")
def repo_root() -> pathlib.Path:
    """Root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def device_name(request: pytest.FixtureRequest) -> str:
    """The device that `--device` names."""
    return str(request.config.getoption("--device"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--device") != "board":
        skip = pytest.mark.skip(reason="needs a board: pytest --device board")
        for item in items:
            if "board" in item.keywords:
                item.add_marker(skip)
