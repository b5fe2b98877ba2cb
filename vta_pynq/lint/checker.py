"""`lint_stream`: the check of one instruction stream against one hardware profile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vta_pynq.errors import VtaError
from vta_pynq.isa.encode import decode
from vta_pynq.lint._lint import ffi, lib
from vta_pynq.lint.data_rules import DATA_RULES
from vta_pynq.lint.facts import coverage_of, facts_of, segments_of
from vta_pynq.lint.form_rules import FORM_RULES
from vta_pynq.lint.report import Finding, LintReport
from vta_pynq.lint.rules import Context, Raw, Rule, always
from vta_pynq.lint.sync_rules import SYNC_RULES
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import DEFAULT_PROFILE, HwProfile, get_profile

__all__ = ["MAX_PER_RULE", "RULES", "lint_stream"]

MAX_PER_RULE = 50
"""Findings of one kind that a report lists one by one."""


def _limit(c: Context, r: Raw) -> str:
    if r.a:
        return (
            "the stream stores to so much DRAM that races on what it stores from here on are not "
            "checked; check it in parts"
        )
    return (
        "the stream moves so many elements that the check of SRAM contents and races stopped "
        "here; check it in parts"
    )


_LIMIT = Rule(
    "analysis-limit",
    "The stream moves so much data that a part of the check stopped.",
    always("warning"),
    {"LIMIT": _limit},
)

RULES = (*SYNC_RULES, *DATA_RULES, *FORM_RULES, _LIMIT)
"""Every rule."""

_BY_CODE = {getattr(lib, f"LINT_{code}"): (rule, code) for rule in RULES for code in rule.codes}
assert sorted(_BY_CODE) == list(range(lib.LINT_CODES)), "every code of the C core has one rule"


def _findings(run: object, context: Context) -> Iterator[Finding]:
    rest: dict[int, Finding] = {}
    listed: dict[int, int] = {}
    raw_findings = lib.lint_findings(run)
    for k in range(lib.lint_finding_count(run)):
        raw = raw_findings[k]
        rule, code = _BY_CODE[raw.code]
        args = Raw(raw.insn, raw.a, raw.b, raw.c, raw.d)
        severity = rule.severity(context, args)
        message = f"{context.where(args.insn)}: {rule.codes[code](context, args)}"
        yield Finding(rule.id, severity, None if args.insn < 0 else args.insn, message)
        listed[raw.code] = listed.get(raw.code, 0) + 1
        rest[raw.code] = Finding(rule.id, severity, None, "")
    for number, last in rest.items():
        more = lib.lint_total(run, number) - listed[number]
        if more:
            message = f"{context.where(-1)}: {more} more findings like those of rule {last.rule}"
            yield Finding(last.rule, last.severity, None, message)


def lint_stream(
    stream: InstructionStream, profile: HwProfile | str = DEFAULT_PROFILE
) -> LintReport:
    """Check an instruction stream against what one implementation really does.

    The stream has no data-dependent control flow, so the check runs through all of it: the
    modules with their queues and tokens, and every SRAM element. docs/lint.md describes the
    rules and their limits.

    Parameters
    ----------
    stream
        What to check. Micro-ops are read from its segments; where the segments are empty, DRAM
        bounds and what micro-ops touch are not checked.
    profile
        A hardware profile or its name.

    Raises
    ------
    ConfigError
        There is no such profile.
    """
    chosen = get_profile(profile) if isinstance(profile, str) else profile
    records = np.ascontiguousarray(decode(stream.words, stream.config))
    coverage = coverage_of(stream)
    segments, _alive = segments_of(stream)
    facts = facts_of(stream, chosen)
    run = lib.lint_check(
        ffi.cast("lint_insn *", records.ctypes.data), len(records), facts,
        segments, len(stream.segments),
        ffi.cast("uint64_t *", coverage.ctypes.data), len(coverage), MAX_PER_RULE,
    )  # fmt: skip
    if run == ffi.NULL:
        raise VtaError(f"stream {stream.name}: check must fit into memory; check it in parts")
    try:
        found = list(_findings(run, Context(stream, chosen, records)))
    finally:
        lib.lint_free(run)
    order = sorted(found, key=lambda f: (f.instruction is None, f.instruction or 0))
    return LintReport(stream.name, chosen.name, tuple(order))
