"""Options and profiles of all tests; the markers are declared in pyproject.toml."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The device package is tested in environments without the compiler too, as on a board.
if importlib.util.find_spec("onnx") is None:
    collect_ignore = [
        "bench", "cli/test_overlays_recommend.py", "cpu_ops/test_onnxruntime.py", "docs",
        "examples", "hardware/test_ranking.py", "host_compiler", "notebooks",
        "profile/test_host_tools.py", "project/test_tune_shipped.py",
        "sim/test_csim_agreement.py",
    ]  # fmt: skip

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
    parser.addoption(
        "--overlay",
        default=os.environ.get("VTA_TEST_OVERLAY", "1x16_i8w8a32_15_15_18_17"),
        help="overlay that these tests load: a name of 'vta overlays list', or a .bit file",
    )


@pytest.hookimpl(tryfirst=True)  # before hypothesis reads the option
def pytest_configure(config: pytest.Config) -> None:
    # hypothesis draws its own seed where none is given, and would keep it to itself.
    if config.getoption("hypothesis_seed", default=None) is None:
        seed = os.environ.get("VTA_TEST_SEED") or int.from_bytes(os.urandom(4), "little")
        config.option.hypothesis_seed = str(seed)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse a device that is not there, once, instead of failing in every test."""
    name = session.config.getoption("--device")
    if name != "sim":
        from vta_pynq.errors import VtaError
        from vta_pynq.overlay.devices import choose_device

        try:
            choose_device(name)
        except VtaError as error:
            raise pytest.UsageError(f"--device: {error}") from None


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


@pytest.fixture(scope="module")
def overlay(request: pytest.FixtureRequest, device_name: str) -> Iterator[VtaOverlay]:
    """The overlay of `--overlay` on the device of `--device`, loaded anew for each module."""
    from vta_pynq.overlay.vta_overlay import VtaOverlay

    if device_name == "sim":
        from vta_pynq.sim.device import SimDevice, activate

        device: Any = activate(SimDevice(tag=request.module.__name__))
    else:
        from vta_pynq.overlay.devices import choose_device

        device = choose_device(device_name)
    with VtaOverlay(request.config.getoption("--overlay"), device=device) as found:
        yield found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    device = config.getoption("--device")
    compiles = shutil.which(os.environ.get("CXX") or "g++") is not None
    for item in items:
        if "csim" in item.keywords and not compiles:
            reason = "compiles the HLS C++: install a C++ compiler (Debian and Ubuntu: g++)"
            item.add_marker(pytest.mark.skip(reason=reason))
        if "board" in item.keywords and device != "board":
            item.add_marker(pytest.mark.skip(reason="needs a board: pytest --device board"))
        if "simulator" in item.keywords and device != "sim":
            reason = "looks inside the simulated device: pytest --device sim"
            item.add_marker(pytest.mark.skip(reason=reason))
