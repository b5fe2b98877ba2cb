"""The lock that keeps a second process from reprogramming the logic under a running one.

PYNQ 3 and later takes none. The lock is advisory (`flock`), so it ends with its process however
that ends; the file says who holds it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from vta_pynq.errors import DeviceError

__all__ = ["LogicLock", "default_lock_file"]

_HELD: dict[Path, LogicLock] = {}
_GUARD = threading.Lock()
_POLL_S = 0.05


def default_lock_file() -> Path:
    """Where the processes of this machine meet: in /run/lock, or the temporary folder."""
    for folder in (Path("/run/lock"), Path(tempfile.gettempdir())):
        if folder.is_dir() and os.access(folder, os.W_OK):
            return folder / "vta_pynq.lock"
    return Path(tempfile.gettempdir()) / "vta_pynq.lock"


class LogicLock:
    """Held by a process, not by an overlay: all overlays of one process share it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._users = 0
        self._pid = os.getpid()

    @classmethod
    def acquire(cls, path: Path, timeout_s: float = 0.0) -> LogicLock:
        """Take the lock at `path`, or join this process's hold on it.

        Raises
        ------
        DeviceError
            Another process holds it after `timeout_s`; the message says which, what it runs
            and since when.
        """
        with _GUARD:
            held = _HELD.get(path)
            if held is None or held._pid != os.getpid():
                held = cls(path, _lock_file(path, timeout_s))
                _HELD[path] = held
            held._users += 1
            return held

    def release(self) -> None:
        """Leave the hold; the last one to leave gives the lock back."""
        with _GUARD:
            self._users -= 1
            if self._users > 0 or self._pid != os.getpid():
                return
            _HELD.pop(self.path, None)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)


def _lock_file(path: Path, timeout_s: float) -> int:
    """Open and lock the file; the descriptor."""
    try:
        try:
            # Without O_CREAT: the kernel refuses it for other users' files in sticky folders.
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            os.fchmod(descriptor, 0o666)  # the umask must not lock other users out
    except OSError as error:
        raise DeviceError(
            f"lock {path}: the file must be writable: {error.strerror}; run as the user who "
            "created it, or as root"
        ) from None
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            holder = _describe(descriptor)
            os.close(descriptor)
            raise DeviceError(
                f"lock {path}: the logic must be free, not held by {holder}; wait for it or end it"
            ) from None
        _write_holder(descriptor)
        return descriptor


def _write_holder(descriptor: int) -> None:
    entry = {
        "pid": os.getpid(),
        "command": " ".join([sys.executable, *sys.argv]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(entry).encode(), 0)


def _describe(descriptor: int) -> str:
    """Who holds the lock, as the file says."""
    try:
        entry: Any = json.loads(os.pread(descriptor, 1 << 16, 0))
        return f"process {entry['pid']} ({entry['command']}) since {entry['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not signed the file yet"


def _forget_in_child() -> None:
    """A forked child shares the open file; closing its copy leaves the parent's hold alone."""
    for lock in _HELD.values():
        os.close(lock._descriptor)
    _HELD.clear()


os.register_at_fork(after_in_child=_forget_in_child)
