"""The server: a board, or the simulated device, for clients over the network."""

from __future__ import annotations

import tempfile
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
import pynq
from pynq.remote import buffer_pb2_grpc, mmio_pb2_grpc, remote_device_pb2_grpc

import vta_pynq
from vta_pynq.errors import DeviceError
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.descriptions import Board
from vta_pynq.overlay.devices import board_of, choose_device, is_simulated
from vta_pynq.overlay.locate import locate
from vta_pynq.overlay.lock import LogicLock, default_lock_file
from vta_pynq.remote.files import BoardFiles, FileStore, SimulatedFiles
from vta_pynq.remote.limits import STREAM_S, StreamLimit, server_options
from vta_pynq.remote.protocol import DEFAULT_PORT, Description
from vta_pynq.remote.security import Doorkeeper, ServerSecurity, check_address
from vta_pynq.remote.services import (
    BufferService,
    DeviceService,
    RegisterService,
    session_handler,
)
from vta_pynq.remote.session import Sessions

__all__ = ["Server"]

_WORKERS = 8
_GRACE_S = 1.0


class Server:
    """Serves one device until it is stopped.

    Parameters
    ----------
    device
        What `VtaOverlay` takes: `"board"`, `"sim"`, `"csim"`, a pynq device, or None.
    host
        Address to listen on; any other than the machine's own demands `security`. Who is let in
        can read and write the board's registers.
    port
        TCP port; 0 takes a free one.
    security
        TLS, and the token that every call must bring; None: neither.
    stream_s
        Deadline of a stream of pieces, in seconds; one that stops in the middle is cancelled then.

    Raises
    ------
    DeviceError
        The address cannot be had or is open to others without `security`, or another process
        holds the logic.
    """

    def __init__(
        self,
        device: Any = None,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        security: ServerSecurity | None = None,
        stream_s: float = STREAM_S,
    ) -> None:
        check_address(host, security)
        self.doorkeeper = None if security is None else Doorkeeper(security.token)
        self.device = choose_device(device)
        self.board: Board = board_of(self.device)
        self.simulated = is_simulated(self.device)
        sessions = Sessions(self._forget)
        self.registers = RegisterService(sessions, self.device)
        self.buffers = BufferService(sessions, self.device)
        self._lock = None if self.simulated else LogicLock.acquire(default_lock_file())
        about = Description(vta_pynq.__version__, self.board.name, self.simulated)
        self._limit = StreamLimit(stream_s)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="vta-serve"),
            interceptors=(*(() if self.doorkeeper is None else (self.doorkeeper,)), self._limit),
            # Two servers on one port would take turns.
            options=(("grpc.so_reuseport", 0), *server_options()),
        )
        remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(
            DeviceService(sessions, self._files()), self._server
        )
        mmio_pb2_grpc.add_MmioServicer_to_server(self.registers, self._server)
        buffer_pb2_grpc.add_RemoteBufferServicer_to_server(self.buffers, self._server)
        self._server.add_generic_rpc_handlers((session_handler(sessions, about),))
        try:
            self.port = self._listen(f"{host}:{port}", security)
        except RuntimeError:
            self.port = 0
        if not self.port:
            self.stop()
            raise DeviceError(
                f"server: address {host}:{port} must be free and belong to this machine, and is "
                "not; choose another with --host and --port"
            )
        self._server.start()

    def _listen(self, address: str, security: ServerSecurity | None) -> int:
        if security is None:
            return int(self._server.add_insecure_port(address))
        return int(self._server.add_secure_port(address, security.credentials()))

    def _files(self) -> FileStore:
        if not self.simulated:
            return BoardFiles()
        return SimulatedFiles(self.board.name, self.board.arch, self._program)

    def _forget(self) -> None:
        self.registers.forget()
        self.buffers.forget()

    def _program(self, stem: str, hwh: str | None) -> None:
        """Load a design into the simulated device."""
        if hwh is None:  # a client that is not ours; the name says which design it means
            located = locate(stem, self.board, simulated=True)
            try:
                pynq.Bitstream(str(located.bitfile), device=self.device).download()
            finally:
                located.close()
            return
        with tempfile.TemporaryDirectory(prefix="vta-serve-") as folder:
            bitfile = Path(folder) / f"{stem}.bit"
            bitfile.write_bytes(empty_bitfile(stem, self.board.bitstream_parts[0]))
            bitfile.with_suffix(".hwh").write_text(hwh, encoding="utf-8")
            pynq.Bitstream(str(bitfile), device=self.device).download()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the server ends; whether it still runs after `timeout_s`."""
        return bool(self._server.wait_for_termination(timeout_s))

    def stop(self) -> None:
        """End every connection and give the logic up."""
        self._server.stop(_GRACE_S).wait(2 * _GRACE_S)
        self._limit.close()
        self._forget()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
