"""The client: PYNQ's remote device with deadlines, a session, and exact buffers."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from pynq.pl_server import remote_device as pynq_remote
from pynq.remote import buffer_pb2

from vta_pynq.errors import AccessError, DeviceError, ServerUnavailable
from vta_pynq.remote.connect import CONNECT_TIMEOUT_S, open_channel
from vta_pynq.remote.protocol import (
    CHUNK_BYTES,
    DESCRIBE,
    HOLD,
    HWH_FOLDER,
    SERVICE,
    SESSION_KEY,
    Description,
    parse_url,
)
from vta_pynq.sim._compat import choose_clocks

__all__ = ["RemoteBuffer", "RemoteDevice"]

CALL_TIMEOUT_S = 60.0
"""Deadline of one call; the largest buffer takes a few seconds on a slow network."""
_LARGEST_BUFFER = 1 << 30
"""Bytes; the protocol counts them in 32 bits, and no supported board has as much to give."""

_TRY_AGAIN = {
    grpc.StatusCode.UNAVAILABLE: "check that 'vta serve' runs there, and try again",
    grpc.StatusCode.DEADLINE_EXCEEDED: "check the network and the board's load, and try again",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "try again when it is free",
    grpc.StatusCode.CANCELLED: "the server gave up waiting; try again",
}


def _error(where: str, error: grpc.RpcError) -> DeviceError:
    code, details = error.code(), " ".join(str(error.details()).split())
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return AccessError(f"{where}: {details}")
    if code in _TRY_AGAIN:
        return ServerUnavailable(f"{where}: {details}; {_TRY_AGAIN[code]}")
    if code == grpc.StatusCode.UNIMPLEMENTED:
        details += "; install the same version of vta-pynq on both sides"
    return DeviceError(f"{where}: {details}")


class _Guard(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # grpc has no types
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Gives every call a deadline and its session, and makes its failure a `DeviceError`."""

    def __init__(self, where: str, metadata: tuple[tuple[str, str], ...]) -> None:
        self._where = where
        self._metadata = metadata
        self._closed = False
        self.lost = False
        """Whether a call found the connection broken; the session's own stream learns it later."""

    def close(self) -> None:
        """Refuse further calls: gRPC may crash at one on a closed channel."""
        self._closed = True

    def _with_deadline(self, details: Any) -> Any:
        if self._closed:
            raise DeviceError(
                f"{self._where}: connection must be open, not closed; make the overlay anew"
            )
        return details._replace(timeout=CALL_TIMEOUT_S, metadata=self._metadata)

    def _call(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        call = continuation(self._with_deadline(details), request)
        error = call.exception()
        if isinstance(error, grpc.RpcError):
            raise self._judged(error)
        return call

    def _judged(self, error: grpc.RpcError) -> DeviceError:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            self.lost = True
        return _error(self._where, error)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """One message each way."""
        return self._call(continuation, details, request)

    def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        """Pieces there, one message back."""
        return self._call(continuation, details, requests)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """One message there, pieces back."""
        call = continuation(self._with_deadline(details), request)
        return self._pieces(call)

    def _pieces(self, call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._judged(error) from None


class RemoteBuffer(pynq_remote.RemoteBuffer):  # type: ignore[misc]
    """A contiguous buffer on the board, and its content here.

    `flush` and `invalidate` move the bytes of the whole buffer; they must be called on the whole
    buffer, not on a slice of it.
    """

    _address: int | None = None

    @property
    def device_address(self) -> int:
        """Where the accelerator finds the buffer; asked for once."""
        if self._address is None:
            self._address = int(super().physical_address)
        return self._address

    @property
    def physical_address(self) -> int:
        """The same as `device_address`."""
        return self.device_address

    def flush(self) -> None:
        """Send the content to the board and let the accelerator see it."""
        data = np.ascontiguousarray(self).reshape(-1).view("u1")

        def pieces() -> Iterator[Any]:
            for place in range(0, len(data), CHUNK_BYTES):
                yield buffer_pb2.BufferWriteRequest(
                    buffer_id=self.buffer_id, data=data[place : place + CHUNK_BYTES].tobytes()
                )

        _check(self.stub.write(pieces()))
        _check(self.stub.flush(buffer_pb2.FlushRequest(buffer_id=self.buffer_id)))

    def invalidate(self) -> None:
        """Fetch the content that the accelerator left on the board."""
        _check(self.stub.invalidate(buffer_pb2.InvalidateRequest(buffer_id=self.buffer_id)))
        data = bytearray()
        for piece in self.stub.read(buffer_pb2.BufferReadRequest(buffer_id=self.buffer_id)):
            _check(piece)
            data += piece.data
        self[...] = np.frombuffer(data, self.dtype).reshape(self.shape)


def _check(response: Any) -> None:
    if response.msg:
        raise DeviceError(f"remote board: {response.msg}")


class RemoteDevice(pynq_remote.RemoteDevice):  # type: ignore[misc]
    """The device of a server at `grpc://HOST[:PORT]`: ours, or that of a PYNQ.remote image.

    Attributes
    ----------
    url
        The address it was asked for by.
    simulated
        Whether there is a simulated device at the other end.

    Raises
    ------
    DeviceError
        Nobody answers there within 5 s, or another client has the device; an `AccessError` where
        the server does not let this client in.
    """

    lock_file = None
    """The session keeps others away, not a file of this computer."""

    def __init__(self, url: str) -> None:
        self.url = url
        host, port = parse_url(url)
        self._where = f"device {url}"
        self._metadata = ((SESSION_KEY, secrets.token_hex(16)),)
        guard = self._guard = _Guard(self._where, self._metadata)
        self.ip_addr, self.port = host, port
        # PYNQ's own constructor would connect without TLS: its parts are set up here.
        super(pynq_remote.RemoteDevice, self).__init__(f"vta-remote-{host}-{port}-{id(self)}")
        self._channel = open_channel(host, port, self._where)
        channel = grpc.intercept_channel(self._channel, guard)
        self._stub = {
            "device": pynq_remote.remote_device_pb2_grpc.RemoteDeviceStub(channel),
            "mmio": pynq_remote.mmio_pb2_grpc.MmioStub(channel),
            "buffer": pynq_remote.buffer_pb2_grpc.RemoteBufferStub(channel),
            "gpio": pynq_remote.gpio_pb2_grpc.GpioStub(channel),
        }
        self.simulated = False
        self._hold: Any = None
        try:
            self._join()
            self.arch, self.name = self.get_arch(), self.get_board_name()
        except BaseException:
            _close(guard, self._hold, self._channel)
            raise
        self.capabilities = {"REMOTE": True}
        self._closer = weakref.finalize(self, _close, guard, self._hold, self._channel)

    def _join(self) -> None:
        """Ask who is there and take the device; a PYNQ.remote image's server knows neither."""
        channel = self._channel
        describe = channel.unary_unary(f"/{SERVICE}/{DESCRIBE}")
        try:
            about = Description.from_bytes(describe(b"", timeout=CONNECT_TIMEOUT_S), self._where)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return
            raise _error(self._where, error) from None
        self.simulated = about.simulated
        name = f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
        self._hold = channel.unary_stream(f"/{SERVICE}/{HOLD}")(
            name.encode(), metadata=self._metadata
        )
        try:
            next(self._hold)
        except grpc.RpcError as error:
            raise _error(self._where, error) from None

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: int = 1, **_: Any) -> RemoteBuffer:
        """A contiguous buffer on the board.

        Raises
        ------
        RuntimeError
            There is no contiguous memory of that size.
        """
        shape = tuple(shape) if np.iterable(shape) else (int(shape),)
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if size > _LARGEST_BUFFER:
            raise RuntimeError(f"{self._where}: buffer must have at most 1 GiB, not {size} bytes")
        # Every board's allocator works in pages, and the protocol has no empty buffer.
        request = buffer_pb2.AllocateRequest(
            size=max(size, 1), dtype=np.dtype(dtype).str, cacheable=bool(cacheable)
        )
        response = self._stub["buffer"].allocate(request)
        if response.msg:
            raise RuntimeError(response.msg)
        return RemoteBuffer(
            shape, np.dtype(dtype), stub=self._stub["buffer"], device=self,
            buffer_id=response.buffer_id,
        )  # fmt: skip

    def set_bitfile_name(self, bitfile_name: str) -> None:
        """Read a bitstream's metadata before its download, which also sets the clocks."""
        choose_clocks(self)
        super().set_bitfile_name(bitfile_name)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Send the bitstream and load it; a simulated device is told the design's metadata."""
        if self.simulated:
            path = Path(bitstream.bitfile_name)
            self.write_file(f"{HWH_FOLDER}{path.stem}.hwh", path.with_suffix(".hwh").read_bytes())
        super().download(bitstream, parser)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing: PYNQ's cache of metadata belongs to the board, not to this computer."""

    def shutdown(self) -> None:
        """Nothing: the designs of this project have no shutdown managers."""

    @property
    def alive(self) -> bool:
        """Whether the session goes on; a server without sessions is believed."""
        if self._guard.lost or not self._closer.alive:
            return False
        return bool(self._hold is None or self._hold.is_active())

    def close(self) -> None:
        """Give the device to others and end the connection."""
        self._closer()


def _close(guard: _Guard, hold: Any, channel: Any) -> None:
    guard.close()
    if hold is not None:
        hold.cancel()
    channel.close()
