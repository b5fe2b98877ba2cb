"""A server's secrets as files: its key, its certificate and the token that clients must know."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from vta_pynq.errors import DeviceError

__all__ = [
    "CERTIFICATE",
    "KEY",
    "TOKEN",
    "create",
    "default_folder",
    "names_of_this_machine",
    "read_secret",
    "read_token",
]

KEY = "server.key"
CERTIFICATE = "server.crt"
TOKEN = "token"
_DAYS = 825
"""Validity; longer ones are refused by some TLS libraries."""
_OPENSSL_S = 60.0
_LEAST_TOKEN = 32
"""Characters; what `create` makes has 43, which are 256 random bits."""


def default_folder() -> Path:
    """`/etc/vta_pynq` for root, who serves a board, else `vta_pynq` of the user's configuration."""
    if os.geteuid() == 0:
        return Path("/etc/vta_pynq")
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "vta_pynq"


def names_of_this_machine(more: Iterable[str] = ()) -> list[str]:
    """Host names and addresses that clients may call this machine by, `more` among them."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", host, f"{host.partition('.')[0]}.local"]
    with contextlib.suppress(OSError):  # a machine that does not know its own name has others
        names += [str(found[4][0]) for found in socket.getaddrinfo(host, None)]
    for family, outside in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Nothing is sent: a datagram socket that is connected has the address it would send from.
        with (
            contextlib.suppress(OSError),
            socket.socket(family, socket.SOCK_DGRAM) as probe,
        ):
            probe.connect((outside, 9))
            names.append(str(probe.getsockname()[0]))
    names += more
    return list(dict.fromkeys(name.partition("%")[0] for name in names if name))


def _subject_alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        pass
    letters = name.replace("-", "").replace(".", "").replace("_", "")
    if not (letters.isascii() and letters.isalnum() and len(name) <= 253):
        raise DeviceError(
            f"certificate: name must be a host name or an address, not {name!r}; give --name PYNQ"
        )
    return f"DNS:{name}"


def _openssl(configuration: str, folder: Path) -> None:
    """Make key and certificate in a folder that nobody else can read."""
    program = shutil.which("openssl")
    if program is None:
        raise DeviceError(
            "certificate: the program openssl must be installed, not missing; run "
            "'apt install openssl', or run 'vta serve --init' on another computer, with --name for "
            "each of this machine's names, and copy the folder here"
        )
    (folder / "openssl.cnf").write_text(configuration, encoding="ascii")
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-sha256", "-days", str(_DAYS), "-config", "openssl.cnf"]
    command += ["-keyout", KEY, "-out", CERTIFICATE]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_OPENSSL_S, check=False
    )
    if done.returncode:
        raise DeviceError(
            f"certificate: openssl must succeed, not exit with {done.returncode}: "
            f"{done.stderr.strip()[-300:]}; it must be release 1.1.1 or later"
        )


def _configuration(names: Sequence[str]) -> str:
    # Of our own, so that the machine's openssl.cnf does not matter.
    lines = ["[req]", "prompt=no", "distinguished_name=who", "x509_extensions=v3", "[who]"]
    lines += ["CN=vta serve", "[v3]", "basicConstraints=critical,CA:TRUE,pathlen:0"]
    lines += ["keyUsage=critical,digitalSignature,keyCertSign", "extendedKeyUsage=serverAuth"]
    lines += ["subjectKeyIdentifier=hash"]
    lines += ["subjectAltName=" + ",".join(_subject_alternative(name) for name in names)]
    return "\n".join(lines) + "\n"


def _put(path: Path, content: bytes) -> None:
    """A new file of mode 600, whatever the umask says."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def create(folder: Path, names: Sequence[str], force: bool = False) -> None:
    """Make key, self-signed certificate and token: files of mode 600 in a folder of mode 700.

    Parameters
    ----------
    names
        Host names and addresses that the certificate is for.
    force
        Replace what is there; clients then need the new certificate and token.

    Raises
    ------
    DeviceError
        Some of the files are there already, openssl is missing, or the folder cannot be written.
    """
    configuration = _configuration(names)
    there = [name for name in (KEY, CERTIFICATE, TOKEN) if os.path.lexists(folder / name)]
    if there and not force:
        raise DeviceError(
            f"certificate: {folder} must be empty, but has {', '.join(there)}; clients use them: "
            "pass --force to replace them all, or --keys for another folder"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
        with tempfile.TemporaryDirectory(prefix=".init-", dir=folder) as name:
            fresh = Path(name)  # of mode 700 from its first moment
            made = fresh / "openssl"
            made.mkdir()
            _openssl(configuration, made)
            for kept in (KEY, CERTIFICATE):
                _put(fresh / kept, (made / kept).read_bytes())
            _put(fresh / TOKEN, secrets.token_urlsafe(32).encode() + b"\n")
            for kept in (KEY, CERTIFICATE, TOKEN):
                if force:
                    os.replace(fresh / kept, folder / kept)
                else:
                    os.link(fresh / kept, folder / kept)  # never over one that came meanwhile
    except OSError as error:
        raise DeviceError(
            f"certificate: {folder} must be a folder that you may write, and is not "
            f"({error.strerror}); run as root, or choose another with --keys"
        ) from None


def read_secret(path: Path, where: str, secret: bool) -> bytes:
    """A small file; a secret one must be readable by its owner alone.

    Raises
    ------
    DeviceError
        It cannot be read, others can read it, or it is no small file.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise DeviceError(f"{where}: {path} must be a file, not something else")
            if secret and mode & 0o077:
                raise DeviceError(
                    f"{where}: {path} must be readable by its owner alone, not of mode "
                    f"{stat.S_IMODE(mode):o}; run 'chmod 600 {path}', and make a new one if "
                    "others may have read it"
                )
            content = file.read((1 << 20) + 1)
    except OSError as error:
        raise DeviceError(
            f"{where}: {path} must be readable, and is not ({error.strerror}); on the server, "
            "'vta serve --init' makes it; on a client, copy it from there"
        ) from None
    if len(content) > 1 << 20:
        raise DeviceError(f"{where}: {path} must have at most 1 MiB")
    return content


def read_token(path: Path, where: str) -> str:
    """The token in a file.

    Raises
    ------
    DeviceError
        The file cannot be read or others can read it, or what it holds is no token.
    """
    try:
        token = read_secret(path, where, secret=True).decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if len(token) < _LEAST_TOKEN or not token.isprintable() or " " in token:
        # What it holds may be another secret: it is not shown.
        raise DeviceError(
            f"{where}: {path} must hold one word of at least {_LEAST_TOKEN} ASCII characters; "
            "copy the file that 'vta serve --init' made"
        )
    return token
