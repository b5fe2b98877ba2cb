"""Which device is taken."""

import subprocess
import sys

import pynq
import pytest

from tests.sim_device.rig import CONFIG_NAME
from vta_pynq.errors import ConfigError, DeviceError
from vta_pynq.overlay import VtaOverlay, devices
from vta_pynq.overlay.devices import DEVICE_VARIABLE, board_of, choose_device, is_simulated
from vta_pynq.sim.device import SimDevice, activate


class Board(pynq.Device):
    """A device that is not simulated."""

    name = "Pynq-Z1"

    def __init__(self):
        super().__init__("board")


@pytest.fixture(autouse=True)
def simulator(monkeypatch):
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    return activate(SimDevice(tag="test"))


@pytest.fixture
def board(monkeypatch, simulator):
    device = Board()
    monkeypatch.setattr(pynq.Device, "_devices", [simulator, device])
    return device


def test_choose_device_without_anything_takes_pynqs_active_device(simulator):
    assert choose_device() is simulator


def test_choose_device_takes_a_device_as_it_is(board):
    assert choose_device(board) is board


def test_choose_device_variable_decides(monkeypatch, board, simulator):
    monkeypatch.setenv(DEVICE_VARIABLE, "board")
    assert choose_device() is board
    assert choose_device("sim") is simulator, "an argument comes before the variable"
    monkeypatch.setenv(DEVICE_VARIABLE, "")
    assert choose_device() is simulator


def test_choose_device_sim_makes_the_simulator_active_beside_a_board(board):
    pynq.Device.active_device = board
    chosen = choose_device("sim")
    assert is_simulated(chosen) and pynq.Device.active_device is chosen


def test_choose_device_board_without_one_says_what_to_do():
    with pytest.raises(DeviceError) as caught:
        choose_device("board")
    assert str(caught.value) == (
        "device 'board': a PYNQ device must be present, not missing; run this on a board, as "
        "root, or choose VTA_DEVICE=sim"
    )


def test_choose_device_remote_without_pynqs_protocol_is_a_clear_error(monkeypatch):
    monkeypatch.setenv(DEVICE_VARIABLE, "grpc://10.0.0.2:7967")
    monkeypatch.setitem(sys.modules, "vta_pynq.remote.client", None)
    with pytest.raises(DeviceError) as caught:
        choose_device()
    assert str(caught.value).startswith(
        "device grpc://10.0.0.2:7967: pynq 3.1 or later and grpcio must be installed, not missing"
    )


def test_choose_device_csim_and_sim_differ_and_stay():
    design = choose_device("csim")
    assert is_simulated(design) and pynq.Device.active_device is design
    assert choose_device("csim") is design
    fast = choose_device("sim")
    assert fast is not design and choose_device("sim") is fast


def test_choose_device_unknown_word():
    with pytest.raises(ConfigError) as caught:
        choose_device("gpu")
    assert str(caught.value) == (
        "device: must be one of board, sim, csim, grpc://HOST[:PORT], not 'gpu'; leave it out to "
        "take what there is"
    )


def test_choose_device_that_is_no_device():
    with pytest.raises(ConfigError) as caught:
        choose_device(3)
    assert str(caught.value) == (
        "device: must be a pynq device or one of board, sim, csim, grpc://HOST[:PORT], not 3; "
        "leave it out to take what there is"
    )


def test_board_of_reads_the_devices_name(board):
    assert board_of(board).name == "Pynq-Z1"


def test_board_of_a_device_that_does_not_know_its_board_asks_the_image(
    board, monkeypatch, tmp_path
):
    board.name = "edge"  # what XRT answers
    monkeypatch.setattr(devices, "_BOARD_FILE", tmp_path / "pynq_board")
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    assert board_of(board).name == "Pynq-Z1"
    (tmp_path / "pynq_board").write_bytes(b"Pynq-Z2\0")
    assert board_of(board).name == "Pynq-Z2"


def test_board_of_an_unknown_board_says_what_to_do(board, monkeypatch, tmp_path):
    board.name = "edge"
    monkeypatch.setattr(devices, "_BOARD_FILE", tmp_path / "pynq_board")
    monkeypatch.setenv("BOARD", "Arty")
    with pytest.raises(ConfigError) as caught:
        board_of(board)
    assert str(caught.value) == (
        "device: board must be one of KV260, Pynq-Z1, Pynq-Z2, Ultra96-V2, ZCU104, not 'edge' or "
        "'Arty'; set BOARD to its name"
    )


def test_overlay_without_arguments_finds_the_simulator_in_a_fresh_process():
    code = (
        "from vta_pynq import VtaOverlay\n"
        f"overlay = VtaOverlay({CONFIG_NAME!r})\n"
        "print(type(overlay.device).__name__, overlay.device.name)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert result.stdout.strip() == "SimDevice Pynq-Z2"


def test_overlay_device_argument_as_a_word():
    with VtaOverlay(CONFIG_NAME, device="sim") as overlay:
        assert is_simulated(overlay.device)
