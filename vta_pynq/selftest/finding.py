"""What a self-test found: one fault each, and the outcome of a stage."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ["Finding", "Kind", "Stage"]

Kind = Literal["mismatch", "hang", "error", "implausible"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One test that failed.

    Attributes
    ----------
    stage, test
        Which: the stage's name and the test's within it.
    kind
        `mismatch`: other bytes than expected. `hang`: no end before the deadline. `error`: the
        device or driver reported a fault. `implausible`: numbers that cannot be.
    what
        The difference: where, what was found and what was expected.
    repeatable
        Whether each repetition failed in exactly the same way; None where it was not repeated.
    failures, repeats
        How many of the repetitions failed.
    slower_passes
        Whether it passed at half the clock; None where that was not tried.
    """

    stage: str
    test: str
    kind: Kind
    what: str
    repeatable: bool | None = None
    failures: int = 0
    repeats: int = 0
    slower_passes: bool | None = None


@dataclasses.dataclass
class Stage:
    """A stage's outcome.

    Attributes
    ----------
    name
        Its name.
    tests
        Tests that were run.
    findings
        Those that failed, first ones in full.
    skipped
        Why tests were left out: reason and number of tests.
    cut
        Why the stage ended early; empty where it did not.
    seconds
        How long it took.
    """

    name: str
    tests: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)
    cut: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.findings and not self.cut

    def skip(self, reason: str) -> None:
        """Count a test that was left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
