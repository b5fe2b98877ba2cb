"""What a check of an instruction stream says."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ["Finding", "LintReport", "Severity"]

Severity = Literal["error", "warning", "info"]
"""`error`: the hardware does something else than the instruction set says, or the result is not
determined. `warning`: not wrong in itself, but not portable or a likely mistake. `info`: could
not be decided, or makes no difference; not a reason to refuse a program."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding.

    `rule` is an id of docs/lint.md; `instruction` the index in the stream, or None where the
    finding is about the stream as a whole. `message` says what happens on which hardware and
    what to do.
    """

    rule: str
    severity: Severity
    instruction: int | None
    message: str


@dataclasses.dataclass(frozen=True)
class LintReport:
    """The findings of one stream on one profile, in the order of the instructions.

    At most `vta_pynq.lint.MAX_PER_RULE` findings of one kind are listed one by one; a last
    finding counts the rest.
    """

    stream: str
    profile: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is nothing to act on: no errors and no warnings."""
        return all(finding.severity == "info" for finding in self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings of severity `error`."""
        return tuple(f for f in self.findings if f.severity == "error")
