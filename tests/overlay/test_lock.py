"""The lock on the logic, between processes."""

import os
import subprocess
import sys

import pytest

from tests.sim_device.rig import CONFIG_NAME, FINISH, run, stream
from vta_pynq.errors import DeviceError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.overlay.lock import LogicLock, default_lock_file
from vta_pynq.sim.device import SimDevice, activate

HOLDER = """
import sys
from pathlib import Path
from vta_pynq.overlay.lock import LogicLock
lock = LogicLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


class Holder:
    """Another process that holds the lock until it is told to go."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def is_free(path):
    """Whether another process gets the lock."""
    result = subprocess.run(
        [sys.executable, "-c", HOLDER, str(path)], input="", capture_output=True, text=True
    )
    return result.stdout == "held\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vta.lock"


def test_acquire_while_another_process_holds_it_says_who(path):
    with Holder(path) as holder:
        with pytest.raises(DeviceError) as caught:
            LogicLock.acquire(path)
        text = str(caught.value)
        assert text.startswith(
            f"lock {path}: the logic must be free, not held by process {holder.process.pid} ("
        )
        assert str(path) in text.partition("(")[2], "the command line"
        assert text.endswith("; wait for it or end it")
        assert " since 20" in text
    LogicLock.acquire(path).release()


def test_acquire_waits_as_long_as_it_may(path):
    with Holder(path) as holder:
        holder.process.stdin.write("go\n")
        holder.process.stdin.flush()
        LogicLock.acquire(path, timeout_s=60).release()


def test_lock_of_a_killed_process_is_free(path):
    with Holder(path) as holder:
        holder.process.kill()
        holder.process.wait(60)
        LogicLock.acquire(path, timeout_s=60).release()


def test_lock_is_shared_within_a_process_and_given_back_by_the_last_user(path):
    first, second = LogicLock.acquire(path), LogicLock.acquire(path)
    assert first is second
    first.release()
    assert path.read_text()
    second.release()
    assert path.read_text() == ""
    assert is_free(path)


def test_lock_file_may_be_used_by_other_users(path):
    LogicLock.acquire(path).release()
    assert path.stat().st_mode & 0o777 == 0o666


def test_acquire_where_nothing_can_be_written_says_so(tmp_path):
    missing = tmp_path / "no" / "folder" / "vta.lock"
    with pytest.raises(DeviceError, match="the file must be writable: No such file or directory"):
        LogicLock.acquire(missing)


def test_forked_child_does_not_take_the_parents_hold_away(path):
    lock = LogicLock.acquire(path)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            LogicLock.acquire(path)
        except DeviceError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not is_free(path)
    lock.release()
    assert is_free(path)


def test_default_lock_file_is_the_same_for_all_processes():
    code = "from vta_pynq.overlay.lock import default_lock_file as f; print(f())"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == str(default_lock_file())


def test_overlay_keeps_other_processes_away_until_it_is_closed(path):
    device = activate(SimDevice(tag="shared", lock_file=path))
    with VtaOverlay(CONFIG_NAME, device=device) as overlay:
        run(overlay, stream([FINISH]))
        assert not is_free(path)
    with Holder(path), pytest.raises(DeviceError, match="held by process"):
        VtaOverlay(CONFIG_NAME, device=device)
    assert device.downloads == 1, "the second one did not touch the logic"


def test_overlay_that_fails_to_load_gives_the_lock_back(path, tmp_path):
    device = activate(SimDevice(tag="shared", lock_file=path))
    bad = tmp_path / f"{CONFIG_NAME}.bit"
    bad.write_bytes(b"no bitstream")
    with pytest.raises(DeviceError):
        VtaOverlay(bad, device=device)
    assert is_free(path)


def test_simulated_device_is_private_and_takes_no_lock():
    assert SimDevice(tag="private").lock_file is None
