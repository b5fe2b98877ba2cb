"""One program for each rule of the instruction set: the conformance cases, as probes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from vta_pynq.config import HwConfig
from vta_pynq.conformance import is_case, load_case
from vta_pynq.lint import lint_stream
from vta_pynq.selftest.probe import Expected, Probe
from vta_pynq.stream import Segment
from vta_pynq.timing.profiles import HwProfile

__all__ = ["cases_folder", "rule_probes"]

_HARMLESS = frozenset({"dram-outside", "finish-load", "finish-store", "token-partner"})
"""Findings of the linter about form, which change nothing of what a case leaves in DRAM."""


_UNWRITTEN = "sram-unwritten"


def cases_folder() -> Path:
    """Where the cases are: in the installed package, or in the tests of a source tree."""
    installed = Path(__file__).parent / "cases"
    if installed.is_dir():
        return installed
    return Path(__file__).resolve().parents[2] / "tests" / "conformance"


def rule_probes(config: HwConfig, profile: HwProfile) -> Iterator[Probe | str]:
    """A probe for each case that this hardware must pass; for any other, the reason why not.

    The expected bytes are the recorded ones. What an implementation is known to do otherwise is
    no fault of a bitstream, so a case with which the linter finds fault for `profile` is left
    out (docs/isa.md, "Implementation differences").
    """
    for folder in sorted(path for path in cases_folder().iterdir() if is_case(path)):
        case = load_case(folder)
        wanted = case.stream.config
        if wanted.base_name != config.base_name:
            yield f"written for configuration {wanted.base_name}"
            continue
        if wanted.capabilities - config.capabilities:
            missing = ", ".join(sorted(wanted.capabilities - config.capabilities))
            yield f"need the capability {missing}"
            continue
        stream = dataclasses.replace(case.stream, config=config)
        findings = lint_stream(stream, profile).findings
        wrong = [f for f in findings if f.severity != "info" and f.rule not in _HARMLESS]
        if wrong:
            yield f"not defined on '{profile.name}': {wrong[0].rule}"
            continue
        covered = tuple(
            Segment(f"expected{number}", "OUT", output.phys, output.expected.size)
            for number, output in enumerate(case.outputs)
        )
        stream = dataclasses.replace(stream, segments=(*stream.segments, *covered))
        expected = tuple(Expected(output.phys, output.expected) for output in case.outputs)
        zeroed = any(f.rule == _UNWRITTEN for f in findings)
        yield Probe(case.name.replace("isa_", "", 1), stream, expected, zeroed)
