"""The vendor's tools: finding them, and running a script in one with a deadline."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from vta_pynq.errors import BuildError

__all__ = ["RELEASES", "Tools", "find_tools", "run_script"]

RELEASES = "2022.1 to 2024.2"
"""Releases of Vitis HLS and Vivado that the scripts are written for."""

_LOG_LINES = 12
_GRACE_S = 10.0


@dataclasses.dataclass(frozen=True)
class Tools:
    """Command lines that run a Tcl script, without its path, which comes last."""

    hls: tuple[str, ...]
    vivado: tuple[str, ...]


_HLS = (
    # Releases from 2024.2 on come without vitis_hls.
    ("vitis_hls", ("-f",)),
    ("vitis-run", ("--mode", "hls", "--tcl")),
)
_VIVADO = ("vivado", ("-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source"))


def find_tools() -> tuple[Tools | None, str]:
    """The tools on PATH, or None and what is missing."""
    hls = [(name, words) for name, words in _HLS if shutil.which(name)]
    vivado = shutil.which(_VIVADO[0])
    missing = []
    if not hls:
        missing.append(f"Vitis HLS ({' or '.join(name for name, _ in _HLS)})")
    if vivado is None:
        missing.append(f"Vivado ({_VIVADO[0]})")
    if missing:
        return None, (
            f"tools: {' and '.join(missing)} must be on PATH, not missing; install {RELEASES} and "
            "source its settings64.sh"
        )
    name, words = hls[0]
    return Tools((name, *words), (_VIVADO[0], *_VIVADO[1])), ""


def run_script(
    command: tuple[str, ...],
    script: Path,
    environment: Mapping[str, str],
    cwd: Path,
    log: Path,
    timeout_s: float,
) -> None:
    """Run a script in a tool; what the tool prints goes to `log`.

    Raises
    ------
    BuildError
        The script fails, or does not end before the deadline.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(script)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=cwd,
            # A group of its own, because the tools start others.
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except BaseException as error:
            _stop(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise BuildError(
                f"{script.name}: must end within {timeout_s / 3600:g} h, and was stopped; read "
                f"{log}, or allow more with --hours"
            ) from None
    if code:
        raise BuildError(
            f"{script.name}: must succeed, not end with exit code {code}{_reason(log)}; read {log}"
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return


def _reason(log: Path) -> str:
    """What the scripts said last (`VTA: ...`), or the last error line of the tool."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    ours = [line.removeprefix("VTA: ") for line in lines if line.startswith("VTA: ")]
    errors = [line for line in lines if line.startswith("ERROR")]
    found = ours or errors or lines[-_LOG_LINES:][-1:]
    return f" ({found[-1].strip()})" if found else ""
