"""What `vta doctor` checks on a loaded overlay: metadata, clock, registers, every module."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from vta_pynq.errors import VtaError
from vta_pynq.runtime.selftest import SELF_TESTS

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["OVERLAY_CHECKS", "Check", "check_overlay", "guarded"]

State = Literal["ok", "warning", "fail", "skipped"]

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


def check_overlay(loaded: VtaOverlay) -> Iterator[Check]:
    """Run `OVERLAY_CHECKS` in turn."""
    for name, check in OVERLAY_CHECKS.items():
        yield guarded(name, functools.partial(check, loaded))


def guarded(name: str, check: Callable[[], Check]) -> Check:
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


def _identity(loaded: VtaOverlay) -> Check:
    """What the hardware itself says, where it can; loading has compared it with the metadata."""
    design = loaded.identity.design
    control = loaded.accelerator.control
    if control is None:
        return Check(
            "identity", "ok", f"design '{design.name}', which cannot tell: taken from its files"
        )
    found = control.identity()
    version = ".".join(map(str, found.version))
    source = f", source {found.source}" if found.source else ""
    able = ", ".join(sorted(map(str, found.capabilities))) or "none"
    text = f"design '{design.name}' {version}{source}, fingerprint {found.fingerprint}, can {able}"
    missing = loaded.config.capabilities ^ found.capabilities
    if found.fingerprint == loaded.config.fingerprint and not missing:
        return Check("identity", "ok", text)
    return Check(
        "identity", "fail", f"{text}; {loaded.config.name} was expected",
        "load the files that belong to this bitstream, or build it again",
    )  # fmt: skip


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


OVERLAY_CHECKS: Mapping[str, Callable[[VtaOverlay], Check]] = {
    "metadata": _metadata,
    "identity": _identity,
    "clock": _clock,
    "registers": _registers,
    **{f"self-test {name}": functools.partial(_self_test, module=name) for name in SELF_TESTS},
}
"""Checks by name, in order."""
