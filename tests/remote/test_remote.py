"""A server on this machine and clients of it: programs, kernels, faults, other clients."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("pynq.remote.remote_device_pb2", reason="pynq 3.1 or later speaks remotely")
from examples.kernels.vector_add import build_vector_add
from tests.project.source_files import ROOT
from tests.runtime.programs import Dense, random_weights, vta_only
from tests.sim_device.rig import FINISH, stream
from vta_pynq import HwConfig, VtaOverlay
from vta_pynq.errors import DeviceError, DeviceTimeout, IdentityError
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.remote.client import RemoteDevice
from vta_pynq.remote.server import Server
from vta_pynq.sim.device import SimDevice

NAME = HwConfig().name
WAITS = stream([{**FINISH, "pop_prev": 1}])
RNG = np.random.default_rng(8)
DENSE = Dense(random_weights(RNG, 16, 32))
X = RNG.integers(-128, 128, DENSE.x_shape()).astype(np.int8)


@pytest.fixture
def server():
    with Server(SimDevice(tag="served"), port=0) as running:
        yield running


@pytest.fixture
def url(server):
    return f"grpc://127.0.0.1:{server.port}"


def settled(condition) -> bool:
    """Whether a condition comes true soon: the server learns of an end in its own time."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_remote_program_gives_the_reference(server, url):
    with VtaOverlay(NAME, device=url) as overlay, overlay.load(vta_only(DENSE)) as model:
        assert overlay.device.name == "Pynq-Z2" and overlay.config == HwConfig()
        for x in (X, X // 2):
            np.testing.assert_array_equal(model.run(x), DENSE.reference(x))
        assert server.buffers.count
    assert server.device.downloads == 1


def test_remote_device_word_makes_one_connection_and_closing_frees_the_memory(server, url):
    with VtaOverlay(NAME, device=url) as first, VtaOverlay(NAME, device=url) as second:
        assert first.device is second.device
        buffer = first.allocate((100,), "i4")
        assert server.buffers.count == 1 and buffer.shape == (100,)
    first.device.close()
    assert settled(lambda: server.buffers.count == 0)
    with VtaOverlay(NAME, device=url) as again:
        assert again.device is not first.device


def test_remote_configuration_that_nobody_built_runs_on_a_served_simulator(url):
    name = "2x8_i8w8a32_12_12_14_14"
    with VtaOverlay(name, device=url) as overlay:
        assert overlay.config.name == name
        with pytest.raises(IdentityError, match=re.escape(f"not {NAME}")):
            overlay.load(vta_only(DENSE))


def test_remote_kernel_agrees_with_numpy(url):
    x, y = (RNG.integers(-1000, 1000, (8, 1, 16)).astype(np.int32) for _ in range(2))
    with VtaOverlay(NAME, device=url) as overlay:
        found = overlay.run_kernel(build_vector_add(HwConfig(), 8), {"a": x, "b": y})
    (result,) = found.values()
    np.testing.assert_array_equal(result.reshape(x.shape), (x + y).astype(np.int8))


def test_remote_second_client_is_told_who_has_the_device(url):
    with VtaOverlay(NAME, device=url), pytest.raises(DeviceError, match=r"process \d+ at ipv4:"):
        RemoteDevice(url)


def test_remote_client_that_dies_leaves_the_device_free(server, url):
    code = (
        "import sys, os; from vta_pynq import VtaOverlay\n"
        f"o = VtaOverlay({NAME!r}, device={url!r}); b = o.allocate((64,)); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    assert settled(lambda: server.buffers.count == 0)
    RemoteDevice(url).close()


def test_remote_server_that_goes_away_is_a_clear_error(url, server):
    with VtaOverlay(NAME, device=url) as overlay:
        server.stop()
        with pytest.raises(
            DeviceError, match=rf"device {url}: .*check that 'vta serve' runs there"
        ):
            overlay.allocate((4,))
        assert not overlay.device.alive


def test_remote_server_that_is_not_there_is_a_clear_error():
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DeviceError, match="a server must answer within 5 s, and none does"):
            VtaOverlay(NAME, device=address)


def test_remote_stream_that_hangs_times_out_and_the_device_goes_on(url):
    with VtaOverlay(NAME, device=url) as overlay:
        buffer = overlay.allocate(WAITS.shape, "u8")
        buffer[:] = WAITS
        buffer.flush()
        with pytest.raises(DeviceTimeout, match="waits for token l2g.*the logic has been reset"):
            overlay.accelerator.run(buffer.device_address, len(WAITS), 0.3, stream=WAITS)
        with overlay.load(vta_only(DENSE)) as model:
            np.testing.assert_array_equal(model.run(X), DENSE.reference(X))


def test_remote_stock_client_of_pynq_drives_the_server(server):
    from pynq.pl_server.remote_device import RemoteDevice as StockDevice

    device = StockDevice(0, "127.0.0.1", server.port, tag="stock")
    assert (device.name, device.arch) == ("Pynq-Z2", "armv7l")
    window = server.board.pl_window + PUBLISHED.address_maps["4k"].offsets["fetch"]
    device.write_file("/lib/firmware/1x16_i8w8a32_15_15_18_17.bin", b"\xff" * 64)
    device.write_file("/sys/class/fpga_manager/fpga0/firmware", b"1x16_i8w8a32_15_15_18_17.bin")
    fetch = device.mmap(window, 0x1000)
    fetch.write(0x10, 1234)
    assert fetch.read(0x10) == 1234
    buffer = device.allocate((3000,), "u2")
    buffer[:] = np.arange(3000)
    buffer.flush()
    buffer[:] = 0
    buffer.invalidate()
    np.testing.assert_array_equal(buffer, np.arange(3000))


def test_remote_registers_outside_the_design_are_an_error(url):
    device = RemoteDevice(url)
    with pytest.raises(RuntimeError):
        device.mmap(0x40000000, 0x1000).read(0)
    with pytest.raises(RuntimeError, match=r"length must be in 1\.\."):
        device.mmap(0x43C00000, 1 << 30)
    device.close()


def test_server_on_an_address_in_use_is_refused(server):
    with pytest.raises(DeviceError, match=rf"address 127\.0\.0\.1:{server.port} must be free"):
        Server(SimDevice(tag="other"), port=server.port)


def test_serve_command_serves_until_interrupted():
    command = [sys.executable, "-m", "vta_pynq.cli", "serve", "--device", "sim", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        port = re.fullmatch(r"serving the simulated Pynq-Z2 on 127\.0\.0\.1:(\d+)\n", line)[1]
        with VtaOverlay(NAME, device=f"grpc://127.0.0.1:{port}") as overlay:
            with overlay.load(vta_only(DENSE)) as model:
                np.testing.assert_array_equal(model.run(X), DENSE.reference(X))
            overlay.device.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
