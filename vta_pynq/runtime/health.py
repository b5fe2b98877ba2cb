"""Whether a machine can run programs: one check after another, each with advice if it fails."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vta_pynq
from vta_pynq.runtime.overlay_health import OVERLAY_CHECKS, Check, check_overlay, guarded

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["Check", "check_machine"]

_PYTHON = ((3, 10), (3, 13))
_PYNQ = ((3, 0, 1), (5,))
_NUMPY = ((1, 21), (2,))
_LOW_CMA_BYTES = 32 << 20


def check_machine(device: str | None, overlay: str) -> Iterator[Check]:
    """Check everything in turn; what depends on something that failed is skipped.

    `device` is what VTA_DEVICE takes, or None for the default; `overlay` a name or path.
    """
    yield _version("Python", platform.python_version(), *_PYTHON, "use the image's own Python")
    yield _package("numpy", _NUMPY, "pip install 'numpy>=1.21,<2'")
    pynq = _package("pynq", _PYNQ, "use a PYNQ image of 3.0.1 or later, or pip install pynq==3.1.2")
    yield pynq
    yield _extensions()
    if pynq.state == "fail":
        yield from _skip(("device", *_ON_DEVICE, *_ON_OVERLAY), "pynq is missing")
        return
    chosen: list[Any] = []
    yield guarded("device", lambda: _device(device, chosen))
    if not chosen:
        yield from _skip((*_ON_DEVICE, *_ON_OVERLAY), "there is no device")
        return
    yield guarded("memory", lambda: _memory(chosen[0]))
    opened: list[VtaOverlay] = []
    yield guarded("overlay", lambda: _overlay(overlay, chosen[0], opened))
    if not opened:
        yield from _skip(_ON_OVERLAY, "the overlay is not loaded")
        return
    with opened[0] as loaded:
        yield from check_overlay(loaded)


_ON_DEVICE = ("memory", "overlay")
_ON_OVERLAY = tuple(OVERLAY_CHECKS)


def _skip(names: tuple[str, ...], reason: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, "skipped", reason)


# ---- software ----------------------------------------------------------------------------


def _numbers(text: str) -> tuple[int, ...]:
    found = []
    for word in text.split("."):
        digits = "".join(c for c in word if c.isdigit())
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)


def _version(
    name: str, found: str, least: tuple[int, ...], below: tuple[int, ...], advice: str
) -> Check:
    fine = least <= _numbers(found) < below
    rule = f"{'.'.join(map(str, least))} or later, below {'.'.join(map(str, below))}"
    return Check(name, "ok", found) if fine else Check(name, "fail", f"{found}, not {rule}", advice)


def _package(name: str, rule: tuple[tuple[int, ...], tuple[int, ...]], advice: str) -> Check:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "fail", "not installed", advice)
    return _version(name, found, *rule, advice)


def _extensions() -> Check:
    """The compiled parts, which a source tree lacks until it is built."""
    root = Path(vta_pynq.__file__).parent
    # By convention `<room>/build_<name>.py` builds `vta_pynq.<room>._<name>`.
    scripts = sorted(root.glob("*/build_*.py"))
    names = [f"vta_pynq.{s.parent.name}.{s.stem.replace('build', '', 1)}" for s in scripts]
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        return Check(
            "extensions", "fail", f"not built: {', '.join(missing)}", "run 'pip install .' again"
        )
    return Check("extensions", "ok", f"{len(names)} built")


# ---- machine -----------------------------------------------------------------------------


def _device(word: str | None, chosen: list[Any]) -> Check:
    from vta_pynq.overlay.devices import board_of, choose_device, is_simulated, runs_design

    device = choose_device(word)
    board = board_of(device)
    chosen.append(device)
    kind = "a board"
    if is_simulated(device):
        kind = "simulated" + (" by the HLS design" if runs_design(device) else "")
    return Check("device", "ok", f"{device.name}, {kind} ({board.part})")


def _memory(device: Any) -> Check:
    """Contiguous memory: how much there is, and whether both sides see the same bytes."""
    from vta_pynq.overlay.buffers import allocate, device_address
    from vta_pynq.overlay.devices import is_simulated

    buffer = allocate(device, 1 << 20, np.uint8)
    address = device_address(buffer)
    if address + buffer.nbytes > 1 << 32:
        return Check(
            "memory", "fail", f"buffers lie at {address:#x}, beyond 4 GiB",
            "the accelerator has 32-bit addresses: boot with CMA below 4 GiB (cma=128M@0x10000000)",
        )  # fmt: skip
    if is_simulated(device):
        free = device.dram.size - sum(device.dram.used.values())
        return Check("memory", "ok", f"{device.dram.size >> 20} MiB simulated, {free >> 20} free")
    facts = _meminfo()
    total, free = facts.get("CmaTotal", 0), facts.get("CmaFree", 0)
    found = f"CMA {total >> 20} MiB, {free >> 20} MiB free"
    if free < _LOW_CMA_BYTES:
        return Check(
            "memory", "warning", found,
            "end processes that hold buffers, or boot with a larger cma= in bootargs",
        )  # fmt: skip
    return Check("memory", "ok", found)


def _meminfo() -> dict[str, int]:
    """Bytes by name, of /proc/meminfo; empty where there is none."""
    facts = {}
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        words = line.replace(":", " ").split()
        facts[words[0]] = int(words[1]) << 10
    return facts


def _overlay(name: str, device: Any, opened: list[VtaOverlay]) -> Check:
    from vta_pynq.overlay import VtaOverlay

    begin = time.monotonic()
    loaded = VtaOverlay(name, device=device)
    opened.append(loaded)
    took_s = time.monotonic() - begin
    bits = os.path.basename(str(loaded.bitfile_name))
    return Check("overlay", "ok", f"{loaded.identity}, {bits} in {took_s:.2f} s")
