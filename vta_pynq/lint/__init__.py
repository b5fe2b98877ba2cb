"""Static checker of instruction streams; docs/lint.md describes the rules."""

from vta_pynq.lint.checker import MAX_PER_RULE, RULES, lint_stream
from vta_pynq.lint.report import Finding, LintReport, Severity
from vta_pynq.lint.rules import Rule

__all__ = ["MAX_PER_RULE", "RULES", "Finding", "LintReport", "Rule", "Severity", "lint_stream"]
