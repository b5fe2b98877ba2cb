"""The files of a board that PYNQ.remote's protocol reads and writes: real ones, or made up.

Programming the logic is a write of a file in this protocol. Only what it needs is let through.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vta_pynq.errors import DeviceError
from vta_pynq.remote.protocol import HWH_FOLDER
from vta_pynq.whole_file import whole_file

__all__ = ["BoardFiles", "FileStore", "SimulatedFiles"]

_BOARD_NAME = "/proc/device-tree/chosen/pynq_board"
_VERSION = "/proc/version"
_STATE = "/sys/class/fpga_manager/fpga0/state"
_FLAGS = "/sys/class/fpga_manager/fpga0/flags"
_PROGRAM = "/sys/class/fpga_manager/fpga0/firmware"
_READ = frozenset({_BOARD_NAME, _VERSION, _STATE, _FLAGS, "/proc/device-tree/compatible"})
_FIRMWARE = re.compile(r"/lib/firmware/[A-Za-z0-9_.+-]{1,200}\.bin")
_MOST_SENT = 16
"""Bitstreams and descriptions that a simulated board keeps in memory."""
_HWH = re.compile(re.escape(HWH_FOLDER) + r"[A-Za-z0-9_.+-]{1,200}\.hwh")


class FileStore(Protocol):
    """Files by their absolute path on the board."""

    def exists(self, path: str) -> bool:
        """Whether the file is there and may be read."""

    def read(self, path: str) -> bytes:
        """The content.

        Raises
        ------
        DeviceError
            It is not there, or not to be read.
        """

    def check_write(self, path: str) -> None:
        """Refuse a path before its content comes.

        Raises
        ------
        DeviceError
            It must not be written.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write, or program the logic.

        Raises
        ------
        DeviceError
            It must not be written, or programming failed.
        """


def _refuse(path: str, what: str) -> DeviceError:
    return DeviceError(
        f"file {path!r}: must be one that programming the logic {what}, not another; use ssh for "
        "everything else"
    )


class BoardFiles:
    """The board's own files, as few as the protocol needs."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def _place(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def exists(self, path: str) -> bool:
        """Whether a client may know of the file and it is there."""
        # A bitstream that has the right name may be another one: let it be sent again.
        return path in _READ and self._place(path).exists()

    def read(self, path: str) -> bytes:
        """The content of a file that describes the board or the FPGA manager."""
        if path not in _READ:
            raise _refuse(path, "reads")
        try:
            return self._place(path).read_bytes()
        except OSError as error:
            raise DeviceError(f"file {path}: {error.strerror}") from None

    def check_write(self, path: str) -> None:
        """Let bitstreams and what tells the FPGA manager pass."""
        if path not in (_FLAGS, _PROGRAM) and not _FIRMWARE.fullmatch(path):
            raise _refuse(path, "writes")

    def write(self, path: str, data: bytes) -> None:
        """A bitstream into /lib/firmware, or its name to the FPGA manager, which loads it."""
        self.check_write(path)
        try:
            if path in (_FLAGS, _PROGRAM):
                self._place(path).write_bytes(data)
            else:  # half a bitstream must not be there to be loaded
                with whole_file(self._place(path)) as file:
                    file.write(data)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            advice = "make room on the board's disk" if full else "run 'vta serve' as root there"
            raise DeviceError(f"file {path}: {error.strerror}; {advice}") from None


class SimulatedFiles:
    """What a board with a given name and architecture would have, in memory."""

    def __init__(self, board: str, arch: str, program: Callable[[str, str | None], None]) -> None:
        self._program = program
        self._guard = threading.Lock()
        self._files = {
            _VERSION: f"Linux version 6 ({arch}, simulated)".encode(),
            _BOARD_NAME: board.encode() + b"\0",
            _STATE: b"operating\n",
            _FLAGS: b"0\n",
        }

    def exists(self, path: str) -> bool:
        """Whether it was there from the start or written since; bitstreams are sent each time."""
        return path in self._files and not _FIRMWARE.fullmatch(path)

    def read(self, path: str) -> bytes:
        """The content."""
        try:
            return self._files[path]
        except KeyError:
            raise DeviceError(f"file {path}: No such file or directory") from None

    def check_write(self, path: str) -> None:
        """Let pass what a board would, and a design's metadata."""
        known = _FIRMWARE.fullmatch(path) or _HWH.fullmatch(path) or path in (_FLAGS, _PROGRAM)
        if not known:
            raise _refuse(path, "writes")

    def write(self, path: str, data: bytes) -> None:
        """Keep it; what goes to the FPGA manager loads the design of that name."""
        self.check_write(path)
        with self._guard:
            self._files[path] = data
            sent = [
                name for name in self._files if _FIRMWARE.fullmatch(name) or _HWH.fullmatch(name)
            ]
            for oldest in sent[:-_MOST_SENT]:
                del self._files[oldest]
            if path != _PROGRAM:
                return
            stem = data.decode("ascii", "replace").strip().removesuffix(".bin")
            if f"/lib/firmware/{stem}.bin" not in self._files:
                raise DeviceError(f"fpga manager: /lib/firmware/{stem}.bin must have been written")
            hwh = self._files.get(f"{HWH_FOLDER}{stem}.hwh")
            self._program(stem, None if hwh is None else hwh.decode("utf-8"))
