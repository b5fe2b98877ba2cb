"""Rules about addresses, and about what SRAM holds when it is read."""

from __future__ import annotations

from vta_pynq.isa.table import MemType
from vta_pynq.lint.report import Severity
from vta_pynq.lint.rules import Context, Raw, Rule, always, plural

__all__ = ["DATA_RULES"]

_WRITERS = ("nothing", "LOAD ACC", "GEMM reset", "GEMM", "ALU", "an unknown micro-op")
_ROLES = ("a GEMM accumulator", "an ALU destination", "an ALU operand", "an ALU source")


def _sram_range(c: Context, r: Raw) -> str:
    return (
        f"sram_base and size must stay within the {r.d} elements of {MemType(r.a).name} SRAM on "
        f"{c.profile.name}, not end at {r.c}; move fewer elements or lower sram_base"
    )


def _index_range(c: Context, r: Raw) -> str:
    return (
        f"{MemType(r.a).name} index must be below {r.c}, not reach {r.b}: it "
        f"{'traps' if c.profile.semantics == 'functional' else 'wraps'} on {c.profile.name}; "
        "lower loop counts, factors or micro-op indices"
    )


def _uop_range(c: Context, r: Raw) -> str:
    return (
        f"uop_end must be at most {r.b} (micro-op buffer of {c.profile.name}), not {r.a}; "
        "split the micro-op kernel"
    )


def _dram_limit(c: Context, r: Raw) -> str:
    return f"DRAM range must end below 2^32, not at {r.b:#x}; place the buffer lower"


def _dram_page_zero(c: Context, r: Raw) -> str:
    traps = c.profile.semantics == "functional"
    return (
        f"DRAM address must not be in the first {c.profile.null_page_bytes} bytes, not {r.a:#x}: "
        f"{'page 0 traps' if traps else 'no allocator hands them out'}; relocate the stream"
    )


def _page_severity(c: Context, r: Raw) -> Severity:
    return "error" if c.profile.semantics == "functional" else "warning"


def _dram_outside(c: Context, r: Raw) -> str:
    verb = "stores to" if _is_store(c, r) else "reads"
    return (
        f"{verb} DRAM {r.a:#x}..{r.b:#x}, which is not within the stream's buffers; "
        "mend dram_base, x_stride or the sizes"
    )


def _is_store(c: Context, r: Raw) -> bool:
    return c.insn(r.insn).endswith(" STORE")


def _outside_severity(c: Context, r: Raw) -> Severity:
    return "error" if _is_store(c, r) else "warning"


def _store_code(c: Context, r: Raw) -> str:
    return (
        f"overwrites the {c.stream.segments[r.b].kind} segment at {r.a:#x} while the stream may "
        "still fetch from it; store elsewhere"
    )


def _unwritten_severity(c: Context, r: Raw) -> Severity:
    if c.profile.semantics == "functional":
        return "info"
    return "warning" if any(c.stream.tokens_in) else "error"


def _unwritten(c: Context, r: Raw) -> str:
    memory = MemType(r.a).name
    zeros = c.profile.semantics == "functional"
    holds = "zeros after a reset of the model, on hardware " if zeros else ""
    return (
        f"reads {plural(r.c, 'element')} of {memory} SRAM from {r.b} on that nothing in this "
        f"submission wrote: they hold {holds}what an earlier one left; load or compute them first"
    )


def _uop_unknown(c: Context, r: Raw) -> str:
    return (
        f"micro-op {r.a} comes from DRAM whose contents are not given, so the elements that the "
        "instruction touches are not checked; give the segment's data"
    )


def _distance(c: Context, r: Raw) -> str:
    return (
        f"{_ROLES[r.d]} must be reused at the earliest {plural(r.c, 'micro-op')} after its write "
        f"on {c.profile.name}, not {r.b} (element {r.a}): the pipeline reads the old value; "
        "interleave other elements or split the instruction"
    )


def _distance_harmless(c: Context, r: Raw) -> str:
    return (
        f"element {r.a} is read {plural(r.b, 'micro-op')} after its write, {c.profile.name} needs "
        f"{r.c}; MIN and MAX with an immediate give the same result from the old value"
    )


def _store_source(c: Context, r: Raw) -> str:
    return (
        f"stores {plural(r.b, 'element')} from {r.a} on that {_WRITERS[r.c]} ({c.insn(r.d)}) wrote "
        f"last: only ALU and GEMM without reset update the output buffer of {c.profile.name}, so "
        "something else is stored; run ALU ADD 0 over the elements first"
    )


def _shift_imm(c: Context, r: Raw) -> str:
    low, high = c.profile.shift_imm_range
    return (
        f"SHR immediate must be in {low}..{high} on {c.profile.name}, not {r.a}; use several shifts"
    )


def _shift_reg(c: Context, r: Raw) -> str:
    low, high = c.profile.shift_reg_range
    return (
        f"SHR amount must be in {low}..{high} on {c.profile.name}, not {r.a} "
        f"(accumulator element {r.b}); use immediate shifts"
    )


def _shift_unknown(c: Context, r: Raw) -> str:
    low, high = c.profile.shift_reg_range
    return (
        f"SHR amount in accumulator element {r.a} is not known before the run; make sure that it "
        f"is in {low}..{high} for {c.profile.name}"
    )


DATA_RULES = (
    Rule(
        "sram-range",
        "A load, store, micro-op index or micro-op range leaves its SRAM.",
        always("error"),
        {"SRAM_RANGE": _sram_range, "INDEX_RANGE": _index_range, "UOP_RANGE": _uop_range},
    ),
    Rule(
        "dram-limit",
        "A DRAM range does not fit 32-bit addresses.",
        always("error"),
        {"DRAM_LIMIT": _dram_limit},
    ),
    Rule(
        "dram-page-zero",
        "DRAM is accessed in page 0; error on the functional model.",
        _page_severity,
        {"DRAM_PAGE_ZERO": _dram_page_zero},
    ),
    Rule(
        "dram-outside",
        "DRAM outside the stream's segments is accessed; error for stores.",
        _outside_severity,
        {"DRAM_OUTSIDE": _dram_outside},
    ),
    Rule(
        "store-code",
        "A store overwrites instructions or micro-ops.",
        always("error"),
        {"STORE_CODE": _store_code},
    ),
    Rule(
        "sram-unwritten",
        "SRAM is read that this submission never wrote; warning if it starts with tokens, info on "
        "the functional model, which starts with zeros.",
        _unwritten_severity,
        {"UNWRITTEN": _unwritten},
    ),
    Rule(
        "uop-unknown",
        "Micro-ops are not known, so what they touch is not checked.",
        always("info"),
        {"UOP_UNKNOWN": _uop_unknown},
    ),
    Rule(
        "acc-distance",
        "An accumulator element is read before the pipeline has written it.",
        always("error"),
        {"DISTANCE": _distance},
    ),
    Rule(
        "acc-distance-same",
        "The same, where the old value gives the same result.",
        always("info"),
        {"DISTANCE_HARMLESS": _distance_harmless},
    ),
    Rule(
        "store-source",
        "A stored element was not written last by an ALU operation or a GEMM without reset.",
        always("error"),
        {"STORE_SOURCE": _store_source},
    ),
    Rule(
        "shift-amount",
        "A shift amount outside what the implementation shifts by.",
        always("error"),
        {"SHIFT_IMM": _shift_imm, "SHIFT_REG": _shift_reg},
    ),
    Rule(
        "shift-unknown",
        "A shift amount from the accumulator that cannot be told before the run.",
        always("info"),
        {"SHIFT_UNKNOWN": _shift_unknown},
    ),
)
"""The rules of this module."""
