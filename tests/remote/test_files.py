"""Files that a client may read and write on a board."""

from __future__ import annotations

import pytest

from vta_pynq.errors import DeviceError
from vta_pynq.remote.files import BoardFiles, SimulatedFiles

FIRMWARE = "/lib/firmware/net.bin"
MANAGER = "/sys/class/fpga_manager/fpga0"


@pytest.fixture
def board(tmp_path):
    for path in ("/proc/version", FIRMWARE, f"{MANAGER}/state", f"{MANAGER}/firmware"):
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path)
    return BoardFiles(tmp_path)


def test_board_files_give_what_describes_the_board(board):
    assert board.exists("/proc/version") and board.read("/proc/version") == b"/proc/version"
    assert not board.exists(f"{MANAGER}/flags")
    with pytest.raises(DeviceError, match=r"file .*/flags: No such file"):
        board.read(f"{MANAGER}/flags")


def test_board_files_take_bitstreams_and_the_managers_files(board, tmp_path):
    board.write(FIRMWARE, b"bits")
    board.write(f"{MANAGER}/firmware", b"net.bin")
    assert (tmp_path / FIRMWARE.lstrip("/")).read_bytes() == b"bits"
    assert not board.exists(FIRMWARE)  # always sent again


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", "/lib/firmware/../../etc/passwd.bin", "/lib/firmware/a/b.bin", "/proc/version"],
)
def test_board_files_refuse_to_write_anything_else(board, tmp_path, path):
    with pytest.raises(DeviceError, match="must be one that programming the logic writes"):
        board.write(path, b"x")


def test_board_files_refuse_to_read_anything_else(board):
    with pytest.raises(DeviceError, match="must be one that programming the logic reads"):
        board.read("/etc/shadow")
    assert not board.exists("/etc/passwd")


def test_simulated_files_program_the_design_that_was_sent():
    programmed = []
    files = SimulatedFiles("Pynq-Z2", "armv7l", lambda *words: programmed.append(words))
    with pytest.raises(DeviceError, match=r"/lib/firmware/net.bin must have been written"):
        files.write(f"{MANAGER}/firmware", b"net.bin")
    files.write(FIRMWARE, b"bits")
    files.write(f"{MANAGER}/firmware", b"net.bin")
    files.write("/run/vta_pynq/net.hwh", b"<xml/>")
    files.write(f"{MANAGER}/firmware", b"net.bin")
    assert programmed == [("net", None), ("net", "<xml/>")]
    assert files.read("/proc/device-tree/chosen/pynq_board") == b"Pynq-Z2\0"


def test_simulated_files_refuse_other_paths():
    files = SimulatedFiles("Pynq-Z2", "armv7l", lambda *_: None)
    with pytest.raises(DeviceError, match="must be one that programming the logic writes"):
        files.write("/etc/passwd", b"x")
    with pytest.raises(DeviceError, match="No such file"):
        files.read("/etc/passwd")
