"""Rules about tokens, queues, FINISH and races between modules."""

from __future__ import annotations

from vta_pynq.isa.table import TOKENS, MemType
from vta_pynq.lint.report import Severity
from vta_pynq.lint.rules import MODULES, Context, Raw, Rule, always, plural

__all__ = ["SYNC_RULES"]

_FLAGS = ("pop_prev", "pop_next", "push_prev", "push_next")


def _token_deadlock(c: Context, r: Raw) -> str:
    token = TOKENS[r.a]
    return (
        f"never starts: {token.consumer.name.lower()} waits for token {token.name} "
        f"({token.pop_flag}), of which only {r.b} arrive; "
        f"give it {token.push_flag} of an earlier {token.producer.name.lower()} instruction "
        "or drop the pop"
    )


def _queue_deadlock(c: Context, r: Raw) -> str:
    return (
        f"never starts on {c.profile.name}: it waits for token {c.token(r.a)}, but fetch stands "
        f"still at insn {r.b} because the queue of {MODULES[r.c].name.lower()} already holds "
        f"{r.d} instructions; push the token earlier in the stream or queue fewer instructions "
        "ahead"
    )


def _fifo_deadlock(c: Context, r: Raw) -> str:
    token = TOKENS[r.a]
    return (
        f"never ends on {c.profile.name}: counter {token.name} is full with {r.b} tokens and "
        f"{token.consumer.name.lower()} cannot pop one; pop tokens before pushing more"
    )


def _token_overflow(c: Context, r: Raw) -> str:
    return (
        f"counter {c.token(r.a)} of {c.profile.name} may have to hold {plural(r.b, 'token')}; it "
        f"saturates at {c.profile.token_capacity}, drops the rest, and later pops wait for ever; "
        "order the pushes behind pops"
    )


def _leftover_severity(c: Context, r: Raw) -> Severity:
    return "info" if any(c.stream.tokens_in) else "warning"


def _token_leftover(c: Context, r: Raw) -> str:
    return (
        f"token {c.token(r.a)} starts at {r.b} and ends at {r.c}; the next submission starts "
        "with stale tokens; balance pushes and pops"
    )


def _partner_severity(c: Context, r: Raw) -> Severity:
    return "warning" if c.profile.foreign_flags == "no-op" else "error"


def _partner(c: Context, r: Raw) -> str:
    ignored = c.profile.foreign_flags == "no-op"
    fate = "ignores it" if ignored else "stops with an error"
    return (
        f"{_FLAGS[r.a]} names a neighbour that the module does not have: {c.profile.name} "
        f"{fate}; clear the flag"
    )


def _finish_missing(c: Context, r: Raw) -> str:
    return "has no FINISH: done is never signalled and the host times out; append FINISH"


def _finish_last(c: Context, r: Raw) -> str:
    return (
        f"must be the last compute instruction, but {c.insn(r.a)} follows: done is signalled "
        "too early, then withdrawn; move FINISH to the end"
    )


def _finish_store(c: Context, r: Raw) -> str:
    return (
        f"does not wait for {c.insn(r.a)}: done is signalled before the data are in DRAM; "
        "let the store push s2g (push_prev) and compute pop it (pop_next) before FINISH"
    )


def _finish_load(c: Context, r: Raw) -> str:
    return (
        f"does not wait for {c.insn(r.a)}, which may still read DRAM after done; let the load "
        "push l2g (push_next) and compute pop it (pop_prev) before FINISH"
    )


def _race_sram(c: Context, r: Raw) -> str:
    memory = MemType(r.a)
    other = c.insn(r.d)
    verb = "writes" if _writes(c, r.insn, memory) else "reads"
    against = "reads" if verb == "writes" else "writes"
    return (
        f"{verb} {plural(r.c, 'element')} of {memory.name} SRAM from {r.b} on that {other} "
        f"{against}, and no token orders the two: the result depends on timing; "
        "push a token after the earlier one and pop it before the later one"
    )


def _writes(c: Context, index: int, memory: MemType) -> bool:
    opcode = c.insn(index).split()[2:3]
    return opcode == ["LOAD"] or (memory in (MemType.OUT, MemType.ACC) and opcode != ["STORE"])


def _race_dram(c: Context, r: Raw) -> str:
    verb, against = (
        ("stores to", "reads") if c.insn(r.insn).endswith(" STORE") else ("reads", "stores to")
    )
    return (
        f"{verb} DRAM at {r.a:#x}, which {c.insn(r.d)} {against}, and no token orders the two: "
        "the result depends on timing; push tokens along the chain store, compute, load and pop "
        "them before the later one"
    )


SYNC_RULES = (
    Rule(
        "token-deadlock",
        "An instruction pops a token that never arrives.",
        always("error"),
        {"TOKEN_DEADLOCK": _token_deadlock},
    ),
    Rule(
        "queue-deadlock",
        "A full instruction queue stalls fetch before the instruction that would give the token.",
        always("error"),
        {"QUEUE_DEADLOCK": _queue_deadlock},
    ),
    Rule(
        "token-capacity",
        "More tokens than a counter holds: pushes block for ever, or saturate and are lost.",
        always("error"),
        {"FIFO_DEADLOCK": _fifo_deadlock, "TOKEN_OVERFLOW": _token_overflow},
    ),
    Rule(
        "token-leftover",
        "Tokens are left over; info where the stream itself starts with tokens.",
        _leftover_severity,
        {"TOKEN_LEFTOVER": _token_leftover},
    ),
    Rule(
        "token-partner",
        "A dependency flag without a partner: LOAD *_prev, STORE *_next.",
        _partner_severity,
        {"TOKEN_PARTNER": _partner},
    ),
    Rule(
        "finish-missing",
        "The stream has no FINISH.",
        always("error"),
        {"FINISH_MISSING": _finish_missing},
    ),
    Rule(
        "finish-last",
        "FINISH is not the last compute instruction.",
        always("error"),
        {"FINISH_LAST": _finish_last},
    ),
    Rule(
        "finish-store",
        "FINISH does not wait for a store.",
        always("error"),
        {"FINISH_STORE": _finish_store},
    ),
    Rule(
        "finish-load",
        "FINISH does not wait for a trailing load.",
        always("warning"),
        {"FINISH_LOAD": _finish_load},
    ),
    Rule(
        "race-sram",
        "Two modules access the same SRAM element, one writes, and no token orders them.",
        always("error"),
        {"RACE_SRAM": _race_sram},
    ),
    Rule(
        "race-dram",
        "A store and a read of the same DRAM that no token orders.",
        always("error"),
        {"RACE_DRAM": _race_dram},
    ),
)
"""The rules of this module."""
