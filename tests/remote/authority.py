"""A certificate authority for tests, by the openssl program."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CONFIGURATION = """
[ca]
default_ca=this
[this]
dir={folder}
database={folder}/index
serial={folder}/serial
new_certs_dir={folder}
default_md=sha256
policy=any
x509_extensions=leaf
unique_subject=no
[any]
commonName=supplied
[leaf]
basicConstraints=CA:FALSE
subjectAltName=IP:127.0.0.1
"""


def openssl(*words: object) -> None:
    """Run the program."""
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


class Authority:
    """Signs certificates for 127.0.0.1; its own is `certificate`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate, self._key = folder / "ca.crt", folder / "ca.key"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=authority of a test", "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip
        (folder / "index").touch()
        (folder / "serial").write_text("01\n", encoding="ascii")
        self._configuration = folder / "ca.cnf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder), encoding="ascii")

    def sign(self, name: str, until: str = "20990101000000Z") -> tuple[Path, Path]:
        """Certificate and key of a new one, valid from 2020 until then."""
        key, request, certificate = (
            self._folder / f"{name}.{end}" for end in ("key", "csr", "crt")
        )
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", key, "-out", request,
        )  # fmt: skip
        key.chmod(0o600)
        openssl(
            "ca", "-batch", "-notext", "-config", self._configuration, "-cert", self.certificate,
            "-keyfile", self._key, "-in", request, "-out", certificate,
            "-startdate", "20200101000000Z", "-enddate", until,
        )  # fmt: skip
        return certificate, key
