"""Connecting to a server, and why it does not work: what gRPC keeps to itself."""

from __future__ import annotations

import os
import queue
import socket
import ssl
import tempfile
import time
from typing import Any

import grpc

from vta_pynq.errors import AccessError, ServerUnavailable
from vta_pynq.remote.security import (
    CA_VARIABLE,
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    ClientSecurity,
)

__all__ = ["CONNECT_TIMEOUT_S", "open_channel"]

CONNECT_TIMEOUT_S = 5.0


def open_channel(
    host: str, port: int, where: str, options: Any = (), security: ClientSecurity | None = None
) -> Any:
    """A channel that is connected.

    Parameters
    ----------
    where
        How errors begin.
    options
        Of the channel, as gRPC takes them.
    security
        By default what the environment says.

    Raises
    ------
    AccessError
        Certificates or the lack of TLS keep the two apart.
    ServerUnavailable
        Nobody answers there within 5 s.
    DeviceError
        The files that the environment names are wrong.
    """
    security = ClientSecurity.from_environment() if security is None else security
    channel = security.channel(f"{host}:{port}", options)
    states: queue.Queue[Any] = queue.Queue()
    channel.subscribe(states.put, try_to_connect=True)
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    explained = False
    try:
        while True:
            state = states.get(timeout=max(0.0, deadline - time.monotonic()))
            if state == grpc.ChannelConnectivity.READY:
                channel.unsubscribe(states.put)
                return channel
            if state == grpc.ChannelConnectivity.TRANSIENT_FAILURE and not explained:
                explained = True
                _explain(host.strip("[]"), port, where, security, deadline)
    except queue.Empty:
        channel.close()
        raise ServerUnavailable(
            f"{where}: a server must answer within {CONNECT_TIMEOUT_S:g} s, and none does; run "
            "'vta serve --host ADDRESS' there, and check the firewall"
        ) from None
    except BaseException:
        channel.close()
        raise


def _context(security: ClientSecurity) -> ssl.SSLContext:
    if security.ca is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # It only asks whether TLS is spoken there; nothing is said over the connection.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cadata=security.ca.decode("ascii"))
    if security.certificate is not None and security.key is not None:
        # The ssl module takes a path only; gRPC gets the bytes.
        with tempfile.TemporaryDirectory(prefix="vta-remote-") as folder:
            path = os.path.join(folder, "client.pem")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(security.certificate + b"\n" + security.key)
            context.load_cert_chain(path)
    context.set_alpn_protocols(["h2"])
    return context


def _explain(host: str, port: int, where: str, security: ClientSecurity, deadline: float) -> None:
    """Shake hands once more, and raise where that tells what is wrong."""
    try:
        context = _context(security)
    except ssl.SSLError:
        raise AccessError(
            f"{where}: {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} must be a certificate and its "
            "key, and are not; have the server's owner sign a new one"
        ) from None
    try:
        left = max(0.1, deadline - time.monotonic())
        with (
            socket.create_connection((host, port), timeout=left) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            # TLS 1.3 refuses a client's certificate after the handshake, and gRPC's server does
            # it without a word; one that accepts it speaks first.
            if security.ca is not None and not _speaks(secure):
                raise _uncertified(where)
    except ssl.SSLCertVerificationError as error:
        raise AccessError(
            f"{where}: server's certificate must be one that {CA_VARIABLE} vouches for, and is "
            f"not ({error.verify_message}); copy server.crt from the server, call it by a name "
            "in its certificate, or make a new one there with 'vta serve --init --force --name'"
        ) from None
    except ssl.SSLError as error:
        _judge(error.reason or "", where, security)
        return
    except OSError:
        return
    if security.ca is None:
        raise AccessError(
            f"{where}: connection must use TLS there, not plain text; copy server.crt and token "
            f"from the server, and name them in {CA_VARIABLE} and VTA_REMOTE_TOKEN_FILE"
        )


def _speaks(connection: ssl.SSLSocket) -> bool:
    try:
        return bool(connection.recv(1))
    except ConnectionError:
        return False


def _uncertified(where: str) -> AccessError:
    return AccessError(
        f"{where}: client must show a certificate that the server's --client-ca signed, and does "
        f"not; name it in {CERTIFICATE_VARIABLE} and its key in {KEY_VARIABLE}"
    )


def _judge(reason: str, where: str, security: ClientSecurity) -> None:
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        raise _uncertified(where)
    if security.ca is not None and reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        raise AccessError(
            f"{where}: server must speak TLS where {CA_VARIABLE} is set, and does not; start it "
            f"with --keys, or unset {CA_VARIABLE} for a server behind ssh"
        )
