"""What server and client agree on beside PYNQ.remote's own services.

The device itself is spoken to with PYNQ.remote's protocol (pynq 3.1 and later), so its stock
client works with our server and our client with its stock server. This module adds one service:
who the server is, and a session that gives one client the device to itself.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from vta_pynq.errors import DeviceError

__all__ = [
    "CHUNK_BYTES",
    "DEFAULT_PORT",
    "DESCRIBE",
    "HOLD",
    "HWH_FOLDER",
    "SCHEME",
    "SERVICE",
    "SESSION_KEY",
    "Description",
    "parse_url",
]

SCHEME = "grpc://"
DEFAULT_PORT = 7967
"""PYNQ.remote's port."""
SERVICE = "vta_pynq.Session"
DESCRIBE = "Describe"
"""Nothing in, a `Description` as JSON out."""
HOLD = "Hold"
"""A client's name in, one empty message when it has the device; it holds it until it cancels."""
SESSION_KEY = "vta-session"
"""Metadata of every call of our client: a random word by which the server knows its session.
Connections do not do: gRPC lets clients of one process share one."""
CHUNK_BYTES = 2 << 20
"""Bytes of a buffer or file in one message; gRPC refuses messages of more than 4 MiB."""
HWH_FOLDER = "/run/vta_pynq/"
"""Where a client puts a `.hwh` file that a simulated device needs to know the design."""

_PORTS = range(1, 1 << 16)


@dataclasses.dataclass(frozen=True)
class Description:
    """What a server says about itself."""

    version: str
    """Release of this package."""
    board: str
    simulated: bool

    def to_bytes(self) -> bytes:
        """As the service sends it."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Description:
        """Read what the service sent; fields that this release does not know are ignored.

        Raises
        ------
        DeviceError
            It is something else.
        """
        try:
            values: Mapping[str, Any] = json.loads(data)
            return cls(str(values["version"]), str(values["board"]), bool(values["simulated"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DeviceError(
                f"{where}: server must describe itself as this release does: {error!r}; install "
                "the same version of vta-pynq on both sides"
            ) from None


def parse_url(url: str) -> tuple[str, int]:
    """Host and port of `grpc://HOST[:PORT]`; an IPv6 address stands in brackets.

    Raises
    ------
    DeviceError
        It has another form.
    """
    host, separator, port = url.removeprefix(SCHEME).rstrip("/").rpartition(":")
    if not separator or port.endswith("]"):
        host, port = url.removeprefix(SCHEME).rstrip("/"), str(DEFAULT_PORT)
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not url.startswith(SCHEME) or not host or "/" in host or number not in _PORTS:
        raise DeviceError(
            f"device {url!r}: must be grpc://HOST or grpc://HOST:PORT, not that; for example "
            "grpc://pynq:7967"
        )
    return host, number
