"""One rule's test: a stream that breaks it, a repaired one, and the message word for word."""

from __future__ import annotations

import dataclasses

from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream

__all__ = ["Verdict", "check"]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the checker must say about `bad`, and must not say about `good`."""

    rule: str
    profile: str
    severity: str
    instruction: int | None
    bad: InstructionStream
    good: InstructionStream
    message: str


def check(verdict: Verdict) -> None:
    """The first finding of the rule on `bad` is the one expected; `good` has none of the rule."""
    found = [f for f in lint_stream(verdict.bad, verdict.profile).findings
             if f.rule == verdict.rule]  # fmt: skip
    assert found
    assert found[0].message == verdict.message
    assert found[0].severity == verdict.severity
    assert found[0].instruction == verdict.instruction
    repaired = lint_stream(verdict.good, verdict.profile)
    assert verdict.rule not in {f.rule for f in repaired.findings}
    assert repaired.ok, repaired.findings
