"""A server's files: their modes, what is never overwritten, what openssl made."""

from __future__ import annotations

import os
import ssl
import stat

import pytest

from vta_pynq.errors import DeviceError
from vta_pynq.remote import certificate


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_create_makes_files_that_only_the_owner_reads(tmp_path, open_umask):
    folder = tmp_path / "deep" / "keys"
    certificate.create(folder, ["board.local", "10.0.0.5", "fd00::5"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made = sorted(folder.iterdir())
    assert [path.name for path in made] == ["server.crt", "server.key", "token"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert len(certificate.read_token(folder / "token", "here")) == 43
    context = ssl.create_default_context(cafile=str(folder / "server.crt"))
    (found,) = context.get_ca_certs()
    assert found["subjectAltName"] == (
        ("DNS", "board.local"),
        ("IP Address", "10.0.0.5"),
        ("IP Address", "FD00:0:0:0:0:0:0:5"),
    )


def test_create_overwrites_only_when_forced(tmp_path):
    certificate.create(tmp_path, ["localhost"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(DeviceError) as refused:
        certificate.create(tmp_path, ["localhost"])
    assert str(refused.value) == (
        f"certificate: {tmp_path} must be empty, but has server.key, server.crt, token; clients "
        "use them: pass --force to replace them all, or --keys for another folder"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    certificate.create(tmp_path, ["localhost"], force=True)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(after) == set(before) and all(after[name] != before[name] for name in before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_create_counts_a_dangling_link_as_there(tmp_path):
    (tmp_path / "token").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DeviceError, match="but has token"):
        certificate.create(tmp_path, ["localhost"])


def test_create_without_openssl_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="openssl must be installed, not missing; run 'apt inst"):
        certificate.create(tmp_path / "keys", ["localhost"])
    assert not any((tmp_path / "keys").iterdir())


@pytest.mark.parametrize("name", ["a,DNS:evil", "a\nDNS:b", "", "http://x"])
def test_create_refuses_names_that_openssl_would_read_as_more(tmp_path, name):
    with pytest.raises(DeviceError, match="name must be a host name or an address, not"):
        certificate.create(tmp_path / "keys", [name])


def test_names_of_this_machine_hold_loopback_and_what_is_added():
    names = certificate.names_of_this_machine(["pynq"])
    assert {"localhost", "127.0.0.1", "::1", "pynq"} <= set(names)
    assert len(set(names)) == len(names)


def test_read_secret_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "token"
    path.write_text("x" * 43, encoding="ascii")
    path.chmod(0o644)
    with pytest.raises(DeviceError) as refused:
        certificate.read_token(path, "VTA_REMOTE_TOKEN_FILE")
    assert str(refused.value) == (
        f"VTA_REMOTE_TOKEN_FILE: {path} must be readable by its owner alone, not of mode 644; run "
        f"'chmod 600 {path}', and make a new one if others may have read it"
    )


@pytest.mark.parametrize("content", [b"short", b"two words" * 9, b"\xff" * 40, b"a\n" * 40, b""])
def test_read_token_that_is_none_is_refused_without_showing_it(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(DeviceError, match="must hold one word of at least 32 ASCII") as refused:
        certificate.read_token(path, "here")
    assert not content or content.decode("ascii", "replace") not in str(refused.value)


def test_read_secret_that_is_missing_or_no_file_is_refused(tmp_path):
    with pytest.raises(DeviceError, match="'vta serve --init' makes it"):
        certificate.read_secret(tmp_path / "none", "server", secret=True)
    with pytest.raises(DeviceError, match=r"must be readable, and is not"):
        certificate.read_secret(tmp_path, "server", secret=True)
