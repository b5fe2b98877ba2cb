"""PYNQ.remote's three services in front of a local device, and our own for sessions."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
import numpy as np
import pynq
from pynq.remote import (
    buffer_pb2,
    buffer_pb2_grpc,
    mmio_pb2,
    mmio_pb2_grpc,
    remote_device_pb2,
    remote_device_pb2_grpc,
)

from vta_pynq.errors import DeviceError, VtaError
from vta_pynq.isa.registers import REGISTER_BYTES
from vta_pynq.remote.files import FileStore
from vta_pynq.remote.protocol import (
    CHUNK_BYTES,
    DESCRIBE,
    HOLD,
    SERVICE,
    SESSION_KEY,
    Description,
)
from vta_pynq.remote.session import Sessions

__all__ = ["BufferService", "DeviceService", "RegisterService", "session_handler"]

T = TypeVar("T")
_LARGEST_MAP = 1 << 24
_LIMIT_BYTES = 1 << 30
_LARGEST_FILE = 64 << 20
"""Bytes of a file that a client sends: bitstreams of the supported boards have at most half."""
_MOST_OBJECTS = 4096
"""Buffers, and maps, that a client has at a time."""


def _client(context: Any) -> str:
    """Who calls: a session of our client, or a connection of somebody else's."""
    metadata = dict(context.invocation_metadata())
    return str(metadata.get(SESSION_KEY) or context.peer())


class _Service:
    """What the three services share: nobody but the holder gets through."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def _enter(self, context: Any) -> None:
        try:
            self._sessions.check(_client(context))
        except DeviceError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))


def _abort(context: Any, error: Exception) -> Any:
    """End a call with the error's text; the client raises it."""
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


class DeviceService(_Service, remote_device_pb2_grpc.RemoteDeviceServicer):  # type: ignore[misc]
    """Files, and by way of them the FPGA manager."""

    def __init__(self, sessions: Sessions, files: FileStore) -> None:
        super().__init__(sessions)
        self._files = files

    def existsfile(self, request: Any, context: Any) -> Any:
        """Whether a file is there."""
        self._enter(context)
        return remote_device_pb2.ExistsFileResponse(exists=self._files.exists(request.file_path))

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        """A file in pieces."""
        self._enter(context)
        try:
            data = self._files.read(request.file_path)
        except VtaError as error:
            _abort(context, error)
        for piece in _pieces(data):
            yield remote_device_pb2.ReadFileResponse(data=piece)

    def writefile(self, requests: Iterator[Any], context: Any) -> Any:
        """Write a file that comes in pieces, whole or not at all."""
        self._enter(context)
        path: str | None = None
        data = bytearray()
        try:
            for request in requests:
                if path is None:
                    self._files.check_write(request.file_path)
                    path = request.file_path
                data += request.data
                if request.file_path != path or len(data) > _LARGEST_FILE:
                    raise DeviceError(
                        f"file {path}: must be one file of at most {_LARGEST_FILE >> 20} MiB; send "
                        "the bitstream alone"
                    )
            self._files.write(path or "", bytes(data))
        except (VtaError, RuntimeError, OSError) as error:
            _abort(context, error)
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        """Nothing to remember: the files say it all. Partial bitstreams are refused."""
        self._enter(context)
        if request.partial:
            _abort(context, DeviceError("bitstream: must be a full one, not a partial one"))
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)


def _pieces(data: bytes) -> Iterator[bytes]:
    for place in range(0, max(len(data), 1), CHUNK_BYTES):
        yield data[place : place + CHUNK_BYTES]


def _message_of(response: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Let a method's errors travel in the `msg` field, where PYNQ's client looks for them."""

    def decorate(method: Callable[..., T]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(self: Any, request: Any, context: Any) -> Any:
            self._enter(context)
            try:
                return method(self, request, context)
            except (VtaError, RuntimeError, ValueError, MemoryError, OSError, KeyError) as error:
                # A KeyError's text is only its key, in quotes.
                text = f"unknown name {error}" if isinstance(error, KeyError) else str(error)
                return response(msg=text or type(error).__name__)

        return call

    return decorate


class _Table:
    """Objects by names that clients use; all of them go when their client does."""

    def __init__(self, letter: str) -> None:
        self._letter = letter
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()
        self._objects: dict[str, Any] = {}

    def add(self, value: Any) -> str:
        with self._guard:
            if len(self._objects) >= _MOST_OBJECTS:
                raise DeviceError(
                    f"client: must have at most {_MOST_OBJECTS} buffers and as many maps; free some"
                )
            name = f"{self._letter}{next(self._numbers)}"
            self._objects[name] = value
            return name

    def get(self, name: str) -> Any:
        return self._objects[name]

    def pop(self, name: str) -> Any:
        with self._guard:
            return self._objects.pop(name)

    def clear(self) -> list[Any]:
        with self._guard:
            values = list(self._objects.values())
            self._objects.clear()
            return values

    def __len__(self) -> int:
        return len(self._objects)


class RegisterService(_Service, mmio_pb2_grpc.MmioServicer):  # type: ignore[misc]
    """Registers."""

    def __init__(self, sessions: Sessions, device: Any) -> None:
        super().__init__(sessions)
        self._device = device
        self._maps = _Table("m")

    def forget(self) -> None:
        """Drop every mapping."""
        self._maps.clear()

    @_message_of(mmio_pb2.GetMmioResponse)
    def get_mmio(self, request: Any, context: Any) -> Any:
        """Map registers."""
        if not 0 < request.length <= _LARGEST_MAP:
            raise DeviceError(
                f"registers: length must be in 1..{_LARGEST_MAP}, not {request.length}"
            )
        mmio = pynq.MMIO(request.base_addr, request.length, device=self._device)
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=self._maps.add(mmio))

    @_message_of(mmio_pb2.ReadResponse)
    def read(self, request: Any, context: Any) -> Any:
        """Read one register, or two as one value."""
        order = request.word_order or "little"
        value = self._maps.get(request.mmio_id).read(request.offset, request.length or 4, order)
        return mmio_pb2.ReadResponse(status=True, data=int(value))

    @_message_of(mmio_pb2.WriteResponse)
    def write(self, request: Any, context: Any) -> Any:
        """Write registers one after the other."""
        mmio = self._maps.get(request.mmio_id)
        if len(request.data) % REGISTER_BYTES:
            raise DeviceError(
                f"registers: data must be whole registers, not {len(request.data)} bytes"
            )
        for place in range(0, len(request.data), REGISTER_BYTES):
            word = request.data[place : place + REGISTER_BYTES]
            mmio.write(request.offset + place, int.from_bytes(word, "little"))
        return mmio_pb2.WriteResponse(status=True)


class BufferService(_Service, buffer_pb2_grpc.RemoteBufferServicer):  # type: ignore[misc]
    """Contiguous memory. `start` and `end` of a request are bytes; both 0 means all of it."""

    def __init__(self, sessions: Sessions, device: Any) -> None:
        super().__init__(sessions)
        self._device = device
        self._buffers = _Table("b")

    def forget(self) -> None:
        """Free every buffer."""
        for buffer in self._buffers.clear():
            buffer.freebuffer()

    @property
    def count(self) -> int:
        """Buffers that are in use."""
        return len(self._buffers)

    @_message_of(buffer_pb2.AllocateResponse)
    def allocate(self, request: Any, context: Any) -> Any:
        """Allocate bytes."""
        if not 0 < request.size <= _LIMIT_BYTES:
            raise DeviceError(f"buffer: size must be in 1..{_LIMIT_BYTES}, not {request.size}")
        buffer = self._device.allocate((request.size,), "u1", cacheable=int(request.cacheable))
        try:
            return buffer_pb2.AllocateResponse(buffer_id=self._buffers.add(buffer))
        except DeviceError:
            buffer.freebuffer()
            raise

    def write(self, requests: Iterator[Any], context: Any) -> Any:
        """Bytes into a buffer, in pieces that follow each other."""
        self._enter(context)
        place: int | None = None
        try:
            for request in requests:
                buffer = self._buffers.get(request.buffer_id)
                place = request.start if place is None else place
                end = place + len(request.data)
                if not 0 <= place <= end <= buffer.size:
                    raise DeviceError(f"buffer: must hold {end} bytes, not {buffer.size}")
                buffer[place:end] = np.frombuffer(request.data, "u1")
                place = end
        except (VtaError, KeyError) as error:
            return buffer_pb2.BufferWriteResponse(msg=str(error))
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        """Bytes of a buffer, in pieces."""
        self._enter(context)
        try:
            buffer = self._buffers.get(request.buffer_id)
        except KeyError as error:
            yield buffer_pb2.BufferReadResponse(msg=f"unknown name {error}")
            return
        data = buffer[request.start : request.end or buffer.size].tobytes()
        for piece in _pieces(data):
            yield buffer_pb2.BufferReadResponse(data=piece)

    @_message_of(buffer_pb2.FlushResponse)
    def flush(self, request: Any, context: Any) -> Any:
        """Let the device see what was written."""
        self._buffers.get(request.buffer_id).flush()
        return buffer_pb2.FlushResponse()

    @_message_of(buffer_pb2.InvalidateResponse)
    def invalidate(self, request: Any, context: Any) -> Any:
        """Let the processor see what the device wrote."""
        self._buffers.get(request.buffer_id).invalidate()
        return buffer_pb2.InvalidateResponse()

    @_message_of(buffer_pb2.AddressResponse)
    def physical_address(self, request: Any, context: Any) -> Any:
        """Where the device finds a buffer."""
        address = int(self._buffers.get(request.buffer_id).device_address)
        return buffer_pb2.AddressResponse(address=address)

    @_message_of(buffer_pb2.AddressResponse)
    def virtual_address(self, request: Any, context: Any) -> Any:
        """Where the board's processor finds a buffer; of no use to a client."""
        address = int(self._buffers.get(request.buffer_id).ctypes.data)
        return buffer_pb2.AddressResponse(address=address)

    @_message_of(buffer_pb2.CacheableResponse)
    def cacheable(self, request: Any, context: Any) -> Any:
        """Whether the processor caches a buffer."""
        return buffer_pb2.CacheableResponse(
            cacheable=bool(self._buffers.get(request.buffer_id).cacheable)
        )

    @_message_of(buffer_pb2.FreeBufferResponse)
    def freebuffer(self, request: Any, context: Any) -> Any:
        """Give memory back."""
        self._buffers.pop(request.buffer_id).freebuffer()
        return buffer_pb2.FreeBufferResponse()


def session_handler(sessions: Sessions, description: Description) -> Any:
    """The service `vta_pynq.Session` (see `vta_pynq.remote.protocol`)."""

    def describe(request: bytes, context: Any) -> bytes:
        return description.to_bytes()

    def hold(request: bytes, context: Any) -> Iterator[bytes]:
        client = _client(context)
        name = f"{request.decode('utf-8', 'replace')[:200]} at {context.peer()}"
        try:
            sessions.acquire(client, name)
        except DeviceError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        over = threading.Event()
        if not context.add_callback(over.set):  # it is gone already
            over.set()
        try:
            if not over.is_set():
                yield b""
            over.wait()
        finally:
            sessions.release(client)

    methods = {
        DESCRIBE: grpc.unary_unary_rpc_method_handler(describe),
        HOLD: grpc.unary_stream_rpc_method_handler(hold),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)
