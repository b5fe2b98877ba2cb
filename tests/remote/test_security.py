"""Who gets in: TLS, tokens and certificates of a real server on this machine."""

from __future__ import annotations

import logging
import shutil
import traceback

import grpc
import numpy as np
import pytest

pytest.importorskip("pynq.remote.remote_device_pb2", reason="pynq 3.1 or later speaks remotely")
if not shutil.which("openssl"):
    pytest.skip("needs the openssl program", allow_module_level=True)
from pynq.remote import buffer_pb2, mmio_pb2, remote_device_pb2

from tests.remote.authority import Authority
from tests.runtime.programs import Dense, random_weights, vta_only
from vta_pynq import HwConfig, VtaOverlay
from vta_pynq.errors import AccessError, DeviceError
from vta_pynq.remote import certificate, security
from vta_pynq.remote.client import RemoteDevice
from vta_pynq.remote.security import AttemptLog, ServerSecurity, is_loopback
from vta_pynq.remote.server import Server
from vta_pynq.sim.device import SimDevice

VARIABLES = ("VTA_REMOTE_CA", "VTA_REMOTE_TOKEN_FILE", "VTA_REMOTE_CERT", "VTA_REMOTE_KEY")


SERVICES = tuple(
    f"/{service.full_name}/{method.name}"
    for file in (remote_device_pb2, mmio_pb2, buffer_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)


def kinds(channel, method):
    """A call of each kind, whatever kind the method is."""
    return (
        lambda: channel.unary_unary(method)(b"", timeout=10),
        lambda: list(channel.unary_stream(method)(b"", timeout=10)),
        lambda: channel.stream_unary(method)(iter([]), timeout=10),
        lambda: list(channel.stream_stream(method)(iter([b"", b""]), timeout=10)),
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    certificate.create(folder, ["127.0.0.1"])
    return folder


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def say(monkeypatch):
    """Set the client's environment: ca, token file, certificate, key."""

    def tell(*values):
        for name, value in zip(VARIABLES, (*values, None, None, None, None), strict=False):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, str(value))

    return tell


def serve(loaded):
    return Server(SimDevice(tag="secure"), port=0, security=loaded)


@pytest.fixture
def server(keys):
    with serve(ServerSecurity.load(keys)) as running:
        yield running


@pytest.fixture
def url(server):
    return f"grpc://127.0.0.1:{server.port}"


def a_token(path, text):
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    return path


def test_client_with_certificate_and_token_runs_a_program(url, keys, say):
    say(keys / "server.crt", keys / "token")
    rng = np.random.default_rng(3)
    dense = Dense(random_weights(rng, 16, 16))
    x = rng.integers(-128, 128, dense.x_shape()).astype(np.int8)
    with VtaOverlay(HwConfig().name, device=url) as overlay, overlay.load(vta_only(dense)) as model:
        np.testing.assert_array_equal(model.run(x), dense.reference(x))
        overlay.device.close()


@pytest.mark.parametrize("brings", ["none", "a wrong one"])
def test_client_without_the_token_is_told_what_to_do(url, server, keys, say, tmp_path, brings):
    secret = "w" * 43
    say(keys / "server.crt", None if brings == "none" else a_token(tmp_path / "t", secret))
    with pytest.raises(AccessError) as refused:
        RemoteDevice(url)
    assert str(refused.value) == (
        f"device {url}: server: call must bring the server's token, and brings {brings}; copy the "
        "file 'token' from the server's folder and name it in VTA_REMOTE_TOKEN_FILE"
    )
    assert server.doorkeeper.attempts.count == 1
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.__dict__)
    assert secret not in shown and (keys / "token").read_text().strip() not in shown


def test_every_service_and_kind_of_call_is_refused_without_token(server, keys):
    credentials = grpc.ssl_channel_credentials((keys / "server.crt").read_bytes())
    methods = (
        "/vta_pynq.Session/Describe",
        "/vta_pynq.Session/Hold",
        *SERVICES,
        "/no/such",
    )
    with grpc.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
        for method in methods:
            for call in kinds(channel, method):
                with pytest.raises(grpc.RpcError) as refused:
                    call()
                assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, method
    assert server.doorkeeper.attempts.count == 4 * len(methods) > 40
    assert server.buffers.count == 0


def test_two_tokens_or_another_scheme_are_refused(server, keys):
    token = (keys / "token").read_text().strip()
    credentials = grpc.ssl_channel_credentials((keys / "server.crt").read_bytes())
    right = ("authorization", f"Bearer {token}")
    with grpc.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
        describe = channel.unary_unary("/vta_pynq.Session/Describe")
        assert describe(b"", timeout=10, metadata=(right,))
        wrong = (
            (right, ("authorization", "Bearer x")),
            (("authorization", token),),
            (("authorization", f"bearer {token}"),),
            (("authorization", f"Bearer {token[:-1]}"),),
            (("authorization", f"Bearer {token}x"),),
            (("vta-token", token),),
        )
        for metadata in wrong:
            with pytest.raises(grpc.RpcError) as refused:
                describe(b"", timeout=10, metadata=metadata)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_plaintext_client_of_a_tls_server_is_told_so(url, say):
    say()
    with pytest.raises(AccessError) as refused:
        RemoteDevice(url)
    assert str(refused.value) == (
        f"device {url}: connection must use TLS there, not plain text; copy server.crt and token "
        "from the server, and name them in VTA_REMOTE_CA and VTA_REMOTE_TOKEN_FILE"
    )


def test_tls_client_of_a_plaintext_server_is_told_so(keys, say):
    say(keys / "server.crt", keys / "token")
    with Server(SimDevice(tag="plain"), port=0) as plain:
        url = f"grpc://127.0.0.1:{plain.port}"
        with pytest.raises(AccessError, match="server must speak TLS where VTA_REMOTE_CA is set"):
            RemoteDevice(url)


def test_client_that_trusts_another_authority_is_told_so(url, keys, authority, say):
    say(authority.certificate, keys / "token")
    with pytest.raises(AccessError, match=r"one that VTA_REMOTE_CA vouches for.*copy server\.crt"):
        RemoteDevice(url)


def test_client_that_calls_another_name_is_told_so(server, keys, say):
    say(keys / "server.crt", keys / "token")
    with pytest.raises(AccessError, match=r"Hostname mismatch.*'vta serve --init --force --name'"):
        RemoteDevice(f"grpc://localhost:{server.port}")


def test_server_with_an_expired_certificate_is_told_by_the_client(keys, authority, say):
    pair = authority.sign("expired", until="20210101000000Z")
    crt, key = (path.read_bytes() for path in pair)
    token = certificate.read_token(keys / "token", "here")
    say(authority.certificate, keys / "token")
    with (
        serve(ServerSecurity(key, crt, token)) as running,
        pytest.raises(AccessError, match="certificate has expired"),
    ):
        RemoteDevice(f"grpc://127.0.0.1:{running.port}")


def test_mutual_tls_lets_in_who_has_a_certificate(keys, authority, say, tmp_path):
    crt, key = authority.sign("client")
    others = Authority(tmp_path / "others").sign("client")
    with serve(ServerSecurity.load(keys, authority.certificate)) as running:
        url = f"grpc://127.0.0.1:{running.port}"
        say(keys / "server.crt", keys / "token", crt, key)
        RemoteDevice(url).close()
        for certificate_and_key in ((), others):
            say(keys / "server.crt", keys / "token", *certificate_and_key)
            with pytest.raises(AccessError, match="a certificate that the server's --client-ca"):
                RemoteDevice(url)
        say(keys / "server.crt", None, crt, key)
        with pytest.raises(AccessError, match="must bring the server's token, and brings none"):
            RemoteDevice(url)
        say(keys / "server.crt", keys / "token", crt, others[1])
        with pytest.raises(AccessError, match="VTA_REMOTE_CERT and VTA_REMOTE_KEY must be a cert"):
            RemoteDevice(url)


def test_environment_never_sends_a_token_without_tls(say, keys):
    say(None, keys / "token")
    with pytest.raises(DeviceError) as refused:
        security.ClientSecurity.from_environment()
    assert str(refused.value) == (
        "VTA_REMOTE_CA: must name the server's certificate where VTA_REMOTE_TOKEN_FILE is set: a "
        "token never travels without TLS; copy server.crt from the server"
    )


def test_environment_with_half_a_pair_or_no_certificate_is_refused(say, keys):
    say(keys / "server.crt", keys / "token", keys / "server.crt")
    with pytest.raises(DeviceError, match="VTA_REMOTE_CERT: must be set together with VTA_REMOTE"):
        security.ClientSecurity.from_environment()
    say(keys / "token", keys / "token")
    with pytest.raises(DeviceError, match="VTA_REMOTE_CA: .* file must hold certificates as PEM"):
        security.ClientSecurity.from_environment()


def test_secrets_are_not_in_repr(keys, say):
    say(keys / "server.crt", keys / "token")
    token = (keys / "token").read_text().strip()
    for found in (ServerSecurity.load(keys), security.ClientSecurity.from_environment()):
        assert token not in repr(found) and "BEGIN" not in repr(found)


def test_load_refuses_a_key_of_another_certificate(keys, tmp_path):
    folder = shutil.copytree(keys, tmp_path / "mixed")
    certificate.create(tmp_path / "more", ["127.0.0.1"])
    (folder / "server.key").write_bytes((tmp_path / "more" / "server.key").read_bytes())
    with pytest.raises(DeviceError, match="must be a certificate and its key, and are not"):
        ServerSecurity.load(folder)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.2.99", "pynq", "::ffff:10.0.0.1"])
def test_server_without_secrets_listens_on_loopback_only(host):
    assert not is_loopback(host)
    with pytest.raises(DeviceError) as refused:
        Server(SimDevice(tag="open"), host=host, port=0)
    assert str(refused.value) == (
        f"server: address must be a loopback one without TLS and a token, not {host}; run 'vta "
        "serve --init' once, or stay on 127.0.0.1 and let clients come through 'ssh -L "
        "7967:127.0.0.1:7967'"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "localhost"])
def test_is_loopback_knows_the_machine_s_own_addresses(host):
    assert is_loopback(host)


def test_server_with_secrets_listens_on_every_address(keys, say):
    say(keys / "server.crt", keys / "token")
    with Server(
        SimDevice(tag="open"), host="0.0.0.0", port=0, security=ServerSecurity.load(keys)
    ) as running:
        RemoteDevice(f"grpc://127.0.0.1:{running.port}").close()


def test_attempt_log_says_at_most_ten_lines_a_minute(caplog):
    now = [0.0]
    log = AttemptLog(lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(25):
            log.refused("ipv4:10.0.0.7:1", "a wrong token")
        assert len(caplog.records) == 10 and log.count == 25
        now[0] = 61.0
        log.refused("ipv4:10.0.0.7:1", "a wrong token")
    assert [record.getMessage() for record in caplog.records[-2:]] == [
        "15 further calls were refused",
        "refused a call from ipv4:10.0.0.7:1: it brought a wrong token",
    ]
