"""What follows from the findings: a bad bitstream, or a bad clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from vta_pynq.selftest.finding import Finding, Stage

__all__ = ["Cause", "Verdict", "verdict_of"]

Cause = Literal["none", "logic", "clock", "unclear"]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The cause of what was found, the reasons for saying so, and what to do."""

    cause: Cause
    reasons: tuple[str, ...]
    advice: str


def verdict_of(stages: Sequence[Stage], slower: bool) -> Verdict:
    """Judge the stages' findings.

    Parameters
    ----------
    slower
        Whether failed tests were run at half the clock.

    Notes
    -----
    Logic that is wrong is wrong in the same way each time and at any clock. A path that is too
    slow for the clock depends on data, voltage and temperature, so failures come and go, or
    differ, and end at a lower clock.
    """
    findings = [finding for stage in stages for finding in stage.findings]
    if not findings:
        return Verdict("none", (), "nothing to do")
    fixed = [f for f in findings if f.repeatable is None]
    repeated = [f for f in findings if f.repeatable is not None]
    fickle = [f for f in repeated if not f.repeatable]
    cured = [f for f in repeated if f.slower_passes]
    stubborn = [f for f in repeated if f.slower_passes is False and f.repeatable]
    reasons = [_named(f) for f in fixed]
    if fixed and not repeated:
        if all(f.stage == "counters" or f.test == "clock" for f in fixed):
            return Verdict("clock", tuple(reasons), _SET_CLOCK)
        return Verdict("logic", tuple(reasons), _CHECK_FILES)
    if fickle:
        reasons.append(f"{len(fickle)} of {len(repeated)} failures come and go, or differ")
    if cured:
        reasons.append(f"{len(cured)} pass at half the clock")
    if repeated and not fickle:
        reasons.append(f"{len(repeated)} failures are the same each time")
    if stubborn and slower:
        reasons.append(f"{len(stubborn)} are the same at half the clock")
    if (fickle or cured) and not stubborn:
        if cured or not slower:
            return Verdict("clock", tuple(reasons), _LOWER_CLOCK)
        reasons.append("but half the clock does not help")
        return Verdict("unclear", tuple(reasons), _UNCLEAR)
    if fickle or cured:
        return Verdict("unclear", tuple(reasons), _UNCLEAR)
    return Verdict("logic", tuple(reasons), f"{_suspect(repeated)}; {_CHECK_FILES}")


def _named(finding: Finding) -> str:
    return f"{finding.test}: {finding.what}"


def _suspect(findings: Sequence[Finding]) -> str:
    """Where to look first: a memory alone, certain rules, or everything."""
    stages = {finding.stage for finding in findings}
    if "memories" in stages:
        names = ", ".join(f.test for f in findings if f.stage == "memories")
        return f"look at the memories first: {names}"
    if "rules" in stages:
        names = ", ".join(f.test for f in findings if f.stage == "rules")
        return f"look at these rules of the instruction set first: {names}"
    return "only random programs fail: look at combinations of instructions, tokens above all"


_CHECK_FILES = (
    "the bitstream is not what its files say, or its logic is wrong: run 'vta overlays verify', "
    "load the files that belong together, or build it again"
)
_LOWER_CLOCK = (
    "the clock is too fast for this bitstream, or the supply is weak: lower pynq.Clocks.fclk0_mhz, "
    "and build again with more slack (a build with negative slack is none)"
)
_SET_CLOCK = (
    "set pynq.Clocks.fclk0_mhz to what the overlay was built for, or load the overlay again"
)
_UNCLEAR = (
    "run it again, at a lower clock and after a power cycle: what stays is the logic, what "
    "changes is the clock or the supply"
)
