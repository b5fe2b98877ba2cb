"""Clients, servers and connections that go in the middle; the next client finds all in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("pynq.remote.remote_device_pb2", reason="pynq 3.1 or later speaks remotely")
from tests.project.source_files import ROOT
from tests.remote.faults import Proxy, ServerProcess, files_below, settled, small_disk
from tests.runtime.programs import Dense, random_weights, vta_only
from tests.sim_device.rig import FINISH, stream
from vta_pynq import HwConfig, VtaOverlay
from vta_pynq.errors import DeviceError, ServerUnavailable
from vta_pynq.remote import limits
from vta_pynq.remote.client import RemoteDevice
from vta_pynq.remote.files import BoardFiles
from vta_pynq.remote.server import Server
from vta_pynq.sim.device import SimDevice

NAME = HwConfig().name
WAITS = stream([{**FINISH, "pop_prev": 1}])
RNG = np.random.default_rng(21)
DENSE = Dense(random_weights(RNG, 16, 32))
X = RNG.integers(-128, 128, DENSE.x_shape()).astype(np.int8)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a client of HTTP/2 begins."""

HANGING = """
import sys
from vta_pynq import VtaOverlay
from tests.remote.test_faults import NAME, WAITS
overlay = VtaOverlay(NAME, device=sys.argv[1])
buffer = overlay.allocate(WAITS.shape, "u8")
buffer[:] = WAITS
buffer.flush()
print("running", flush=True)
overlay.accelerator.run(buffer.device_address, len(WAITS), 60.0, stream=WAITS)
"""


def works(url) -> None:
    """A client has the device, and the device computes what it should."""
    with VtaOverlay(NAME, device=url) as overlay:
        with overlay.load(vta_only(DENSE)) as model:
            np.testing.assert_array_equal(model.run(X), DENSE.reference(X))
        overlay.device.close()


def hang(overlay, failures):
    """Run a program that never ends, in a thread; what it raises goes to `failures`."""
    buffer = overlay.allocate(WAITS.shape, "u8")
    buffer[:] = WAITS
    buffer.flush()

    def run():
        try:
            overlay.accelerator.run(buffer.device_address, len(WAITS), 60.0, stream=WAITS)
        except DeviceError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def server():
    with Server(SimDevice(tag="served"), port=0) as running:
        yield running


@pytest.fixture
def url(server):
    return f"grpc://127.0.0.1:{server.port}"


def test_client_killed_in_a_run_leaves_a_device_that_works(server, url):
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout.readline() == "running\n"
        assert server.buffers.count == 1
        client.send_signal(signal.SIGKILL)
        client.wait(20)
    assert settled(lambda: server.buffers.count == 0)
    works(url)
    assert settled(lambda: server.buffers.count == 0)


def test_server_killed_in_a_run_is_told_and_its_successor_works():
    failures = []
    with ServerProcess() as first:
        overlay = VtaOverlay(NAME, device=first.url)
        thread = hang(overlay, failures)
        assert settled(thread.is_alive)
        os.kill(first.process.pid, signal.SIGKILL)
        thread.join(30)
        assert not thread.is_alive()
        port = first.port
    (error,) = failures
    assert isinstance(error, ServerUnavailable)
    assert "check that 'vta serve' runs there, and try again" in str(error)
    assert not overlay.device.alive
    with ServerProcess(port) as second:
        works(second.url)


def test_server_that_is_told_to_end_ends_in_order_while_a_client_has_it():
    with ServerProcess() as server:
        device = RemoteDevice(server.url)
        kept = device.allocate((64,))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        with pytest.raises(ServerUnavailable):
            kept.flush()
        device.close()


@pytest.mark.slow
def test_connection_that_is_cut_in_a_run_is_told_and_restored(server):
    failures = []
    with Proxy(server.port) as proxy:
        thread = hang(VtaOverlay(NAME, device=proxy.url), failures)
        proxy.cut()
        thread.join(30)
        assert isinstance(failures[0], ServerUnavailable)
        assert settled(lambda: server.buffers.count == 0)
        with pytest.raises(ServerUnavailable):
            RemoteDevice(proxy.url)
        proxy.restore()
        works(proxy.url)


@pytest.mark.slow
def test_connection_that_falls_silent_frees_the_device(monkeypatch):
    monkeypatch.setattr(limits, "KEEPALIVE_MS", 1000)
    with Server(SimDevice(tag="silent"), port=0) as server, Proxy(server.port) as proxy:
        device = RemoteDevice(proxy.url)
        kept = device.allocate((64,))
        proxy.swallow()
        assert server.buffers.count == 1
        assert settled(lambda: server.buffers.count == 0)
        works(f"grpc://127.0.0.1:{server.port}")
        proxy.restore()
        device.close()
        del kept


@pytest.mark.parametrize("count", [10, 100_000])
def test_upload_that_is_cut_in_the_middle_leaves_nothing(server, count):
    with Proxy(server.port) as proxy:
        device = RemoteDevice(proxy.url)
        buffer = device.allocate((1 << 20,), "u1")
        buffer[:] = 7
        proxy.after(count)
        with pytest.raises(ServerUnavailable):
            buffer.flush()
        with pytest.raises(ServerUnavailable):
            device.write_file("/lib/firmware/x.bin", bytes(1 << 20))
        device.close()
        assert settled(lambda: server.buffers.count == 0)
        proxy.restore()
        works(proxy.url)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="http1", marks=pytest.mark.slow),
        pytest.param(PREFACE + b"\0\0\x40\x04\0\0\0\0\0\0", id="half a frame"),
        pytest.param(PREFACE + bytes(range(256)) * 64, id="garbage", marks=pytest.mark.slow),
        pytest.param(bytes.fromhex("16030100a5"), id="half a TLS hello", marks=pytest.mark.slow),
        pytest.param(bytes(5000), id="zeros", marks=pytest.mark.slow),
    ],
)
def test_half_a_message_or_garbage_costs_its_connection_only(garbage):
    with ServerProcess() as server:
        works(server.url)
        assert settled(lambda: server.connections() <= 3)
        before = server.files(), server.threads()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(garbage)
        works(server.url)
        assert settled(lambda: server.files() <= before[0] + 1), (server.files(), before)
        assert server.threads() <= before[1] + 2


def test_disk_that_is_full_is_told_and_leaves_no_half_file(tmp_path):
    (tmp_path / "lib/firmware").mkdir(parents=True)
    files = BoardFiles(tmp_path)
    with small_disk(1000), pytest.raises(DeviceError) as refused:
        files.write("/lib/firmware/net.bin", bytes(4096))
    assert str(refused.value) == (
        "file /lib/firmware/net.bin: File too large; make room on the board's disk"
    )
    assert files_below(tmp_path) == []
    files.write("/lib/firmware/net.bin", bytes(4096))
    assert files_below(tmp_path) == ["net.bin"]


@pytest.mark.slow
def test_server_on_a_full_disk_says_so_and_goes_on():
    with ServerProcess() as server:
        server.limit_files(1000)
        with pytest.raises(DeviceError, match="File too large"):
            VtaOverlay(NAME, device=server.url)
        server.limit_files(1 << 30)
        works(server.url)
