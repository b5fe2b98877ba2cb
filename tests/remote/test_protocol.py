"""Addresses, and what a server says about itself."""

from __future__ import annotations

import re

import pytest

from vta_pynq.errors import DeviceError
from vta_pynq.remote.protocol import Description, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("grpc://pynq", ("pynq", 7967)),
        ("grpc://pynq:80", ("pynq", 80)),
        ("grpc://10.0.0.2:65535/", ("10.0.0.2", 65535)),
        ("grpc://[::1]", ("[::1]", 7967)),
        ("grpc://[::1]:5", ("[::1]", 5)),
    ],
)
def test_parse_url_gives_host_and_port(url, expected):
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url", ["grpc://", "grpc://:5", "grpc://h:0", "grpc://h:65536", "grpc://h:x"]
)
def test_parse_url_of_another_form_is_refused(url):
    message = f"device {url!r}: must be grpc://HOST or grpc://HOST:PORT, not that"
    with pytest.raises(DeviceError, match=re.escape(message)):
        parse_url(url)


def test_description_reads_back_and_ignores_unknown_fields():
    about = Description("1.2.3", "Pynq-Z1", True)
    assert Description.from_bytes(about.to_bytes(), "x") == about
    longer = about.to_bytes()[:-1] + b', "later": 1}'
    assert Description.from_bytes(longer, "x") == about


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"version": 1}'])
def test_description_that_is_none_is_refused(data):
    with pytest.raises(DeviceError, match="same version of vta-pynq on both sides"):
        Description.from_bytes(data, "device grpc://x")
