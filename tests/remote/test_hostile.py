"""Clients that want more than they should have, never end, never read; and a thousand at once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

pytest.importorskip("pynq.remote.remote_device_pb2", reason="pynq 3.1 or later speaks remotely")
from pynq.remote import buffer_pb2, buffer_pb2_grpc, remote_device_pb2, remote_device_pb2_grpc

from tests.project.source_files import ROOT
from tests.remote.faults import ServerProcess, settled
from tests.remote.test_faults import works
from vta_pynq.errors import DeviceError, ServerUnavailable
from vta_pynq.remote import services
from vta_pynq.remote.client import RemoteDevice
from vta_pynq.remote.protocol import HOLD, SERVICE, SESSION_KEY
from vta_pynq.remote.server import Server
from vta_pynq.sim.device import SimDevice

PIECE = bytes(1 << 20)


@pytest.fixture
def server():
    with Server(SimDevice(tag="served"), port=0, stream_s=1.0) as running:
        yield running


@pytest.fixture
def url(server):
    return f"grpc://127.0.0.1:{server.port}"


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as raw:
        yield raw


def write_file(channel, path, pieces):
    stub = remote_device_pb2_grpc.RemoteDeviceStub(channel)
    request = remote_device_pb2.WriteFileRequest
    return stub.writefile((request(file_path=path, data=data) for data in pieces), timeout=60)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/lib/firmware/../../etc/cron.d/x.bin", "/run/vta_pynq/../x.hwh", "", "a\0b"],
)
def test_upload_to_another_path_is_refused_before_its_content(channel, url, path):
    sent = []

    def pieces():
        for _ in range(60):
            sent.append(1)
            yield PIECE

    with pytest.raises(grpc.RpcError, match="must be one that programming the logic writes"):
        write_file(channel, path, pieces())
    assert len(sent) < 60
    works(url)


def test_upload_that_is_too_large_is_refused(channel, url):
    with pytest.raises(grpc.RpcError, match="must be one file of at most 64 MiB"):
        write_file(channel, "/lib/firmware/x.bin", (PIECE for _ in range(1000)))
    works(url)


def test_upload_that_changes_its_path_is_refused(channel):
    stub = remote_device_pb2_grpc.RemoteDeviceStub(channel)
    requests = [
        remote_device_pb2.WriteFileRequest(file_path=f"/lib/firmware/{name}.bin", data=b"x")
        for name in ("a", "b")
    ]
    with pytest.raises(grpc.RpcError, match="must be one file"):
        stub.writefile(iter(requests), timeout=20)


def test_message_that_is_too_large_or_no_message_is_refused(channel, url):
    describe = channel.unary_unary(f"/{SERVICE}/Describe")
    with pytest.raises(grpc.RpcError) as refused:
        describe(bytes(5 << 20), timeout=20)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    allocate = channel.unary_unary("/" + buffer_pb2.DESCRIPTOR.services_by_name[
        "RemoteBuffer"].full_name + "/allocate")  # fmt: skip
    with pytest.raises(grpc.RpcError):
        allocate(b"\xff" * 100, timeout=20)
    works(url)


def test_streams_that_never_end_do_not_keep_others_out(server, channel, url):
    over = threading.Event()

    def nothing():
        over.wait(60)
        yield from ()

    stub = remote_device_pb2_grpc.RemoteDeviceStub(channel)
    calls = [stub.writefile.future(nothing()) for _ in range(40)]  # without a deadline
    try:
        for call in calls:
            assert settled(call.done)
            assert call.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)
        works(url)
    finally:
        over.set()


@pytest.mark.slow
def test_client_that_does_not_read_is_let_go(server, channel, url):
    buffers = buffer_pb2_grpc.RemoteBufferStub(channel)
    size = 64 << 20
    name = buffers.allocate(buffer_pb2.AllocateRequest(size=size, dtype="u1")).buffer_id
    readers = [buffers.read(buffer_pb2.BufferReadRequest(buffer_id=name)) for _ in range(16)]
    for reader in readers:
        assert len(next(reader).data) == 2 << 20
    with pytest.raises(grpc.RpcError):  # cancelled long before its end
        while not threading.Event().wait(0.4):
            next(readers[0])
    works(url)
    assert server.buffers.count == 0  # what clients without a session leave goes with the next
    del readers


def test_memory_that_is_all_taken_is_an_error_and_comes_back(server, url, monkeypatch):
    monkeypatch.setattr(services, "_MOST_OBJECTS", 50)
    device = RemoteDevice(url)
    kept = []
    with pytest.raises(RuntimeError, match="client: must have at most 50 buffers"):
        for _ in range(51):
            kept.append(device.allocate((16,), "u1"))
    assert server.buffers.count == 50
    with pytest.raises(RuntimeError, match="must have at most 1 GiB, not 2147483648 bytes"):
        device.allocate((1 << 31,), "u1")
    device.close()
    assert settled(lambda: server.buffers.count == 0)
    works(url)


def test_other_client_s_buffers_cannot_be_touched(server, channel, url):
    device = RemoteDevice(url)
    buffer = device.allocate((16,), "u1")
    buffer[:] = 5
    buffer.flush()
    stub = buffer_pb2_grpc.RemoteBufferStub(channel)
    name = buffer.buffer_id
    write = buffer_pb2.BufferWriteRequest(buffer_id=name, data=bytes(16))
    for call in (
        lambda: stub.freebuffer(buffer_pb2.FreeBufferRequest(buffer_id=name), timeout=20),
        lambda: list(stub.read(buffer_pb2.BufferReadRequest(buffer_id=name), timeout=20)),
        lambda: stub.write(iter([write]), timeout=20),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    buffer[:] = 0
    buffer.invalidate()
    np.testing.assert_array_equal(buffer, 5)
    device.close()


def test_holding_again_and_again_takes_one_thread(server, channel, url):
    word = ((SESSION_KEY, "greedy"),)
    hold = channel.unary_stream(f"/{SERVICE}/{HOLD}")
    first = hold(b"greedy", metadata=word)
    assert next(first) == b""
    for _ in range(20):
        with pytest.raises(grpc.RpcError, match="must hold it once, not again"):
            next(hold(b"greedy", metadata=word, timeout=20))
    with pytest.raises(ServerUnavailable, match=r"greedy at .*; try again when it is free"):
        RemoteDevice(url)
    first.cancel()

    def free():
        with contextlib.suppress(DeviceError):
            RemoteDevice(url).close()
            return True
        return False

    assert settled(free)


@pytest.mark.slow
def test_a_thousand_clients_are_answered_and_one_has_the_device():
    with ServerProcess() as server:
        works(server.url)
        assert settled(lambda: server.connections() <= 3)
        before = server.files(), server.threads()
        command = [sys.executable, "-m", "tests.remote.many_clients", str(server.port), "250"]
        crowds = [
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        try:
            for crowd in crowds:
                assert crowd.stdout.readline() == "connected\n"
            assert server.connections() >= 1000
            assert server.threads() <= before[1] + 16
            for crowd in crowds:
                crowd.stdin.write("\n")
                crowd.stdin.flush()
            counts = [tuple(map(int, crowd.stdout.readline().split())) for crowd in crowds]
        finally:
            for crowd in crowds:
                crowd.kill()
                crowd.wait(20)
                crowd.stdin.close()
                crowd.stdout.close()
        assert tuple(map(sum, zip(*counts, strict=True))) == (1, 999)
        assert settled(lambda: server.files() <= before[0] + 1), (server.files(), before)
        works(server.url)
