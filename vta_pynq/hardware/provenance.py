"""`vta.json`: where a bitstream comes from, and what came out.

Written beside the result of a build; `read_provenance` reads and checks it. Nothing in it depends
on when or where the build ran.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vta_pynq.errors import BuildError
from vta_pynq.hardware.plan import BuildPlan
from vta_pynq.overlay.json_file import JsonFile
from vta_pynq.whole_file import whole_file

__all__ = [
    "PROVENANCE_FILE",
    "Source",
    "check_files",
    "provenance",
    "read_provenance",
    "source_of",
    "write_provenance",
]

PROVENANCE_FILE = "vta.json"
_FORMAT = 1
_GIT_S = 60.0
_SOURCE_DIGITS = 8


@dataclasses.dataclass(frozen=True)
class Source:
    """State of the source tree: the commit, and whether anything differed from it.

    `commit` is None where it cannot be told; then `dirty` is None too.
    """

    commit: str | None
    dirty: bool | None

    @property
    def register(self) -> int:
        """What the hardware's SOURCE register tells: 0 unless a commit describes all of it."""
        if self.commit is None or self.dirty:
            return 0
        return int(self.commit[:_SOURCE_DIGITS], 16)


def source_of(tree: Path) -> Source:
    """The state of a source tree that git manages; (None, None) where it does not."""
    commit = _git(tree, "rev-parse", "HEAD")
    status = _git(tree, "status", "--porcelain")
    if commit is None or status is None:
        return Source(None, None)
    return Source(commit, bool(status))


def _git(tree: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def provenance(
    plan: BuildPlan,
    source: Source,
    tools: Mapping[str, str],
    slack_ns: Mapping[str, float],
    utilisation: Mapping[str, Mapping[str, float]],
    files: list[Path],
) -> dict[str, Any]:
    """The content of the file.

    Parameters
    ----------
    tools
        Version of each tool.
    slack_ns
        Worst slack of setup (`wns`) and hold (`whs`), in ns.
    utilisation
        Of each resource: `used` and `available`.
    files
        The results; they are hashed (SHA-256).
    """
    variant = plan.variant
    return {
        "format": _FORMAT,
        "variant": variant.name,
        "board": plan.board.name,
        "part": plan.board.part,
        "design": variant.design.name,
        "config": variant.config.name,
        "fingerprint": variant.config.fingerprint,
        "profile": variant.profile.name,
        "address_map": variant.address_map.name,
        "ports": plan.ports,
        "clock_mhz": variant.clock_mhz,
        "source": dataclasses.asdict(source),
        "tools": dict(tools),
        "wns_ns": slack_ns["wns"],
        "whs_ns": slack_ns["whs"],
        "utilisation": {name: dict(row) for name, row in utilisation.items()},
        "sha256": {path.name: _sha256(path) for path in files},
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_provenance(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `vta.json` into a folder; it appears whole."""
    target = folder / PROVENANCE_FILE
    with whole_file(target) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())
    return target


def read_provenance(path: Path) -> dict[str, Any]:
    """Read a `vta.json`.

    Raises
    ------
    ConfigError
        It is no JSON object, or lacks a key.
    BuildError
        It has another format.
    """
    file = JsonFile(path)
    found = file.get("format", int)
    if found != _FORMAT:
        raise BuildError(f"{path}: format must be {_FORMAT}, not {found}; build again")
    for key in ("variant", "board", "config", "fingerprint", "design", "ports"):
        file.get(key, str)
    file.texts("sha256")
    return dict(file.values)


def check_files(path: Path) -> list[str]:
    """The files of a `vta.json` that are missing or differ from their hash, one line each."""
    lines = []
    for name, digest in read_provenance(path)["sha256"].items():
        file = path.parent / name
        if not file.is_file():
            lines.append(f"{file}: must lie beside {path.name}, not be missing")
        elif _sha256(file) != digest:
            lines.append(f"{file}: SHA-256 must be {digest}, not {_sha256(file)}")
    return lines
