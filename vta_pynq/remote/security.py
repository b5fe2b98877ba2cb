"""Who may use a server: TLS and a token, judged for every call of every service."""

from __future__ import annotations

import dataclasses
import hmac
import ipaddress
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from vta_pynq.errors import DeviceError
from vta_pynq.remote.certificate import CERTIFICATE, KEY, TOKEN, read_secret, read_token

__all__ = [
    "AttemptLog",
    "ClientSecurity",
    "Doorkeeper",
    "ServerSecurity",
    "check_address",
    "is_loopback",
]

CA_VARIABLE = "VTA_REMOTE_CA"
TOKEN_VARIABLE = "VTA_REMOTE_TOKEN_FILE"
CERTIFICATE_VARIABLE = "VTA_REMOTE_CERT"
KEY_VARIABLE = "VTA_REMOTE_KEY"

_HEADER = "authorization"
_REFUSAL = (
    "server: call must bring the server's token, and brings {}; copy the file 'token' from the "
    f"server's folder and name it in {TOKEN_VARIABLE}"
)
_LOG = logging.getLogger(__name__)
_LINES_A_MINUTE = 10


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on an address or host name."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None)
    return bool((inner or address).is_loopback)


def check_address(host: str, security: ServerSecurity | None) -> None:
    """Let a server without secrets listen on the machine's own address only.

    Raises
    ------
    DeviceError
        Others could reach it.
    """
    if security is None and not is_loopback(host):
        raise DeviceError(
            f"server: address must be a loopback one without TLS and a token, not {host}; run "
            "'vta serve --init' once, or stay on 127.0.0.1 and let clients come through "
            "'ssh -L 7967:127.0.0.1:7967'"
        )


@dataclasses.dataclass(frozen=True)
class ServerSecurity:
    """What a server shows and demands. None of it is shown by `repr`.

    Attributes
    ----------
    key, certificate
        PEM.
    token
        What every call must bring.
    client_ca
        PEM of the authority that signed the clients' certificates; None demands none of them.
    """

    key: bytes = dataclasses.field(repr=False)
    certificate: bytes = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)
    client_ca: bytes | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def load(cls, folder: Path, client_ca: Path | None = None) -> ServerSecurity:
        """What `vta serve --init` put into a folder.

        Raises
        ------
        DeviceError
            A file is missing, damaged, or open to others.
        """
        key, certificate = folder / KEY, folder / CERTIFICATE
        found = cls(
            read_secret(key, "server", secret=True),
            read_secret(certificate, "server", secret=False),
            read_token(folder / TOKEN, "server"),
            None if client_ca is None else read_secret(client_ca, "option --client-ca", False),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key)
        except (ssl.SSLError, OSError):
            raise DeviceError(
                f"server: {certificate} and {key} must be a certificate and its key, and are not; "
                "run 'vta serve --init --force' and give clients the new files"
            ) from None
        if found.client_ca is not None:
            _check_authority(found.client_ca, f"option --client-ca: {client_ca}")
        return found

    def credentials(self) -> Any:
        """As `grpc.Server.add_secure_port` takes them."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_ca,
            require_client_auth=self.client_ca is not None,
        )


def _check_authority(pem: bytes, where: str) -> None:
    try:
        ssl.create_default_context(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise DeviceError(
            f"{where}: file must hold certificates as PEM, and does not; copy server.crt from the "
            "server, not its key"
        ) from None


class AttemptLog:
    """Tells of refused calls: at most ten lines a minute, and how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._minute_start = clock()
        self._lines = 0
        self._silent = 0
        self.count = 0

    def refused(self, peer: str, what: str) -> None:
        """Count a refused call, and say so unless too much was said."""
        with self._guard:
            self.count += 1
            if self._clock() - self._minute_start >= 60:
                if self._silent:
                    _LOG.warning("%d further calls were refused", self._silent)
                self._minute_start, self._lines, self._silent = self._clock(), 0, 0
            if self._lines >= _LINES_A_MINUTE:
                self._silent += 1
                return
            self._lines += 1
            _LOG.warning("refused a call from %s: it brought %s", peer, what)


class Doorkeeper(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Lets calls through that bring the token; the others end before their service is looked for.

    Attributes
    ----------
    attempts
        Of those that were refused.
    """

    def __init__(self, token: str) -> None:
        self._wanted = f"Bearer {token}".encode()
        self.attempts = AttemptLog()

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The call's handler, or one that refuses."""
        brought = [value for key, value in details.invocation_metadata if key == _HEADER]
        if len(brought) == 1 and hmac.compare_digest(_as_bytes(brought[0]), self._wanted):
            return continuation(details)
        what = "a wrong one" if brought else "none"

        def refuse(requests: Any, context: Any) -> Any:
            self.attempts.refused(context.peer(), "no token" if not brought else "a wrong token")
            context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSAL.format(what))

        # Of streams in both directions: it does not wait for a message that may never come.
        return grpc.stream_stream_rpc_method_handler(refuse)


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True)
class ClientSecurity:
    """What a client trusts and shows; empty for a server on this machine.

    Attributes
    ----------
    ca
        PEM of the server's certificate, or of its authority; None: no TLS.
    token
        The server's.
    certificate, key
        PEM of the client's own, where the server demands one.
    """

    ca: bytes | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    certificate: bytes | None = dataclasses.field(default=None, repr=False)
    key: bytes | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ClientSecurity:
        """The files that VTA_REMOTE_CA, _TOKEN_FILE, _CERT and _KEY name.

        Raises
        ------
        DeviceError
            A file is missing, damaged, or open to others; or a token would travel in the clear.
        """
        given = os.environ if environment is None else environment
        paths = {
            name: Path(given[name])
            for name in (CA_VARIABLE, TOKEN_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE)
            if given.get(name)
        }
        if paths and CA_VARIABLE not in paths:
            raise DeviceError(
                f"{CA_VARIABLE}: must name the server's certificate where {min(paths)} is set: a "
                "token never travels without TLS; copy server.crt from the server"
            )
        if (CERTIFICATE_VARIABLE in paths) != (KEY_VARIABLE in paths):
            raise DeviceError(
                f"{CERTIFICATE_VARIABLE}: must be set together with {KEY_VARIABLE}; a client's "
                "certificate is of no use without its key"
            )

        def content(name: str, secret: bool) -> bytes | None:
            return read_secret(paths[name], name, secret) if name in paths else None

        ca = content(CA_VARIABLE, False)
        if ca is not None:
            _check_authority(ca, f"{CA_VARIABLE}: {paths[CA_VARIABLE]}")
        token = (
            read_token(paths[TOKEN_VARIABLE], TOKEN_VARIABLE) if TOKEN_VARIABLE in paths else None
        )
        return cls(ca, token, content(CERTIFICATE_VARIABLE, False), content(KEY_VARIABLE, True))

    def channel(self, target: str, options: Any = ()) -> Any:
        """A channel to `HOST:PORT` that is not connected yet."""
        if self.ca is None:
            return grpc.insecure_channel(target, options=options)
        credentials = grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)
        if self.token is not None:
            # gRPC sends these over TLS only.
            token = grpc.access_token_call_credentials(self.token)
            credentials = grpc.composite_channel_credentials(credentials, token)
        return grpc.secure_channel(target, credentials, options=options)
