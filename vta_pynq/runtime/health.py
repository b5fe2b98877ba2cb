"""Whether a machine can run programs: one check after another, each with advice if it fails."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import vta_pynq
from vta_pynq.errors import VtaError
from vta_pynq.runtime.selftest import SELF_TESTS

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["Check", "check_machine"]

State = Literal["ok", "warning", "fail", "skipped"]

_PYTHON = ((3, 10), (3, 13))
_PYNQ = ((3, 0, 1), (5,))
_NUMPY = ((1, 21), (2,))
_LOW_CMA_BYTES = 32 << 20
_CLOCK_TOLERANCE = 0.01
_SELF_TEST_S = 0.25
"""Of each module, so that all four take a second."""
_TIMEOUT_S = 5.0
_PATTERNS = (0xA5A5A5A0, 0x5A5A5A50, 0)


@dataclasses.dataclass(frozen=True)
class Check:
    """One answer: what was looked at, how it is, what was found, what to do about it."""

    name: str
    state: State
    found: str
    advice: str = ""


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
    yield _guarded("device", lambda: _device(device, chosen))
    if not chosen:
        yield from _skip((*_ON_DEVICE, *_ON_OVERLAY), "there is no device")
        return
    yield _guarded("memory", lambda: _memory(chosen[0]))
    opened: list[VtaOverlay] = []
    yield _guarded("overlay", lambda: _overlay(overlay, chosen[0], opened))
    if not opened:
        yield from _skip(_ON_OVERLAY, "the overlay is not loaded")
        return
    with opened[0] as loaded:
        yield from _check_overlay(loaded)


_ON_DEVICE = ("memory", "overlay")
_ON_OVERLAY = ("metadata", "clock", "registers", *(f"self-test {name}" for name in SELF_TESTS))


def _skip(names: tuple[str, ...], reason: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, "skipped", reason)


def _check_overlay(loaded: VtaOverlay) -> Iterator[Check]:
    yield _guarded("metadata", lambda: _metadata(loaded))
    yield _guarded("clock", lambda: _clock(loaded))
    yield _guarded("registers", lambda: _registers(loaded))
    for module in SELF_TESTS:
        yield _guarded(f"self-test {module}", functools.partial(_self_test, loaded, module))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check that failed in a way of its own is an answer too."""
    try:
        return check()
    except VtaError as error:
        return Check(name, "fail", *_split_advice(str(error)))
    except Exception as error:  # pynq and drivers raise whatever they stumble over
        return Check(name, "fail", f"{type(error).__name__}: {error}", "see the message")


def _split_advice(message: str) -> tuple[str, str]:
    """An error of this project ends with what to do next, behind a semicolon."""
    what, _, advice = message.rpartition("; ")
    return (what, advice) if what else (message, "see the message")


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
    from vta_pynq.overlay.devices import board_of, choose_device, is_simulated

    device = choose_device(word)
    board = board_of(device)
    chosen.append(device)
    kind = "simulated" if is_simulated(device) else "a board"
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


def _metadata(loaded: VtaOverlay) -> Check:
    """The .hwh file against the register table and the variant's address map."""
    from vta_pynq.overlay.descriptions import find_variant
    from vta_pynq.overlay.devices import board_of

    design, wrong = loaded.identity.design, []
    variant = find_variant(loaded.identity.variant)
    for entry in loaded.ip_dict.values():
        block = design.block_of_vlnv(str(entry.get("type", "")))
        if block is None:
            continue
        for register in block.registers:
            found = (entry.get("registers") or {}).get(register.name)
            if found is not None and found["address_offset"] != register.offset:
                wrong.append(f"{block.name}.{register.name} at {found['address_offset']:#x}")
        if variant is not None:
            window = board_of(loaded.device).pl_window
            address = window + variant.address_map.offsets[block.name]
            if entry["phys_addr"] != address:
                wrong.append(f"{block.name} at {entry['phys_addr']:#x}, not {address:#x}")
    if wrong:
        return Check(
            "metadata", "fail", f".hwh: {'; '.join(wrong)}",
            "replace the .hwh file by the one that 'vta overlays info' names, then PL.reset()",
        )  # fmt: skip
    return Check("metadata", "ok", f".hwh agrees with the register table of '{design.name}'")


def _clock(loaded: VtaOverlay) -> Check:
    import pynq

    from vta_pynq.overlay.descriptions import find_variant

    found = float(pynq.Clocks.fclk0_mhz)
    variant = find_variant(loaded.identity.variant)
    if variant is None:
        return Check("clock", "ok", f"{found:g} MHz; the variant is unknown, so is its clock")
    if abs(found - variant.clock_mhz) > _CLOCK_TOLERANCE * variant.clock_mhz:
        return Check(
            "clock", "fail" if found > variant.clock_mhz else "warning",
            f"{found:g} MHz, built for {variant.clock_mhz:g} MHz",
            f"set pynq.Clocks.fclk0_mhz = {variant.clock_mhz:g}, or load the overlay again",
        )  # fmt: skip
    return Check("clock", "ok", f"{found:g} MHz")


def _registers(loaded: VtaOverlay) -> Check:
    """Base addresses hold what is written to them; the last pattern is what a driver leaves."""
    accelerator, wrong, count = loaded.accelerator, [], 0
    with accelerator.lock:
        for driver in (accelerator.fetch, accelerator.load, accelerator.compute, accelerator.store):
            for name in dict.fromkeys(master.base_register for master in driver.block.masters):
                count += 1
                for pattern in _PATTERNS:
                    driver.set(name, pattern)
                    seen = driver.get(name)
                    if seen != pattern:
                        wrong.append(f"{driver.block.name}.{name} {seen:#x} for {pattern:#x}")
    if wrong:
        return Check(
            "registers", "fail", f"read back {'; '.join(wrong)}",
            "the bitstream or its address map is another one: run 'vta overlays verify', then "
            "power the board off and on",
        )  # fmt: skip
    return Check("registers", "ok", f"{count} registers of 4 blocks read back")


def _self_test(loaded: VtaOverlay, module: str) -> Check:
    """Random kernels for a while, compared bit for bit."""
    rng = np.random.default_rng(0)
    begin, rounds = time.monotonic(), 0
    while not rounds or time.monotonic() - begin < _SELF_TEST_S:
        test = SELF_TESTS[module](loaded.config, loaded.identity.profile, rng)
        result = loaded.run_kernel(test.kernel, test.arrays, _TIMEOUT_S)["y"]
        expected = test.expected.reshape(result.shape)
        if not np.array_equal(result, expected):
            bad = int((result != expected).sum())
            where = [int(n) for n in np.argwhere(result != expected)[0]]
            return Check(
                f"self-test {module}", "fail",
                f"round {rounds}: {bad} of {result.size} values are wrong, the first at {where}: "
                f"{int(result[tuple(where)])}, not {int(expected[tuple(where)])}",
                "lower the clock; if it stays, the bitstream does not do what its metadata say: "
                "run 'vta overlays verify'",
            )  # fmt: skip
        rounds += 1
    return Check(f"self-test {module}", "ok", f"{rounds} rounds, every bit right")
