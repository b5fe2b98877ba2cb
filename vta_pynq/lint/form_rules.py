"""Rules about instruction forms that implementations do not know or treat differently."""

from __future__ import annotations

from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.lint.report import Severity
from vta_pynq.lint.rules import Context, Raw, Rule, always

__all__ = ["FORM_RULES"]

_LOOPS = ("iter_out is 0", "iter_in is 0", "the micro-op range is empty")


def _opcode(c: Context, r: Raw) -> str:
    if r.a == Opcode.REQUANT:
        return (
            f"REQUANT needs the capability alu_requant: {c.does(c.profile.unknown_insn)}; "
            "use ADD, SHR, MAX and MIN"
        )
    return (
        f"opcode must be one of the instruction set's, not {r.a}: "
        f"{c.does(c.profile.unknown_insn)}; mend the encoding"
    )


def _load_type(c: Context, r: Raw) -> str:
    if r.a == MemType.ACC_8BIT:
        return (
            "memory type ACC_8BIT needs the capability load_acc8: "
            f"{c.does(c.profile.load_acc8)}; load 32-bit accumulators"
        )
    return (
        f"memory type must be UOP, WGT, INP or ACC, not {r.a}: "
        f"{c.does(c.profile.unknown_insn)}; mend the encoding"
    )


def _store_type(c: Context, r: Raw) -> str:
    fate = (
        "stops with an error"
        if c.profile.semantics == "functional"
        else "stores the output buffer all the same"
    )
    return f"memory type must be OUT, not {r.a}: {c.profile.name} {fate}; set it to OUT"


def _store_type_severity(c: Context, r: Raw) -> Severity:
    return "error" if c.profile.semantics == "functional" else "warning"


def _alu_opcode(c: Context, r: Raw) -> str:
    if r.a == AluOp.MUL:
        return (
            f"MUL needs the capability alu_mul: {c.does(c.profile.alu_mul)}; "
            "use shifts and additions, or GEMM"
        )
    return (
        f"alu_opcode must be one of the instruction set's, not {r.a}: "
        f"{c.does(c.profile.unknown_insn)}; mend the encoding"
    )


def _batch(c: Context, r: Raw) -> str:
    return (
        f"ALU operations and accumulator loads work with batch 1 only on {c.profile.name}, "
        f"not {c.stream.config.batch}; use a configuration of batch 1"
    )


def _loop_severity(c: Context, r: Raw) -> Severity:
    return "error" if c.profile.zero_loops_wrap else "info"


def _loop_empty(c: Context, r: Raw) -> str:
    fate = "runs 2^14 iterations" if c.profile.zero_loops_wrap else "does nothing"
    return f"{_LOOPS[r.a]}: {c.profile.name} {fate}; do not emit the instruction"


def _pad_wgt(c: Context, r: Raw) -> str:
    return f"{c.profile.name} ignores the padding of weights; load zeros from DRAM instead"


def _pad_store(c: Context, r: Raw) -> str:
    return f"{c.profile.name} ignores the padding of STORE; set the pads to 0"


def _pad_uop(c: Context, r: Raw) -> str:
    return f"{c.profile.name} ignores the padding of micro-ops; set the pads to 0"


def _pad_empty_severity(c: Context, r: Raw) -> Severity:
    return "error" if c.profile.empty_load_writes_pads else "info"


def _pad_empty(c: Context, r: Raw) -> str:
    fate = "writes zeros to SRAM" if c.profile.empty_load_writes_pads else "does nothing"
    return f"x_size is 0 with padding: {c.profile.name} {fate}; set the pads to 0"


def _rows_severity(c: Context, r: Raw) -> Severity:
    return "error" if c.profile.zero_rows_wrap else "warning"


def _rows_zero(c: Context, r: Raw) -> str:
    fate = "wraps its row counter" if c.profile.zero_rows_wrap else "moves no row of it"
    return (
        f"y_size must be at least 1 where x_size is {r.a}: {c.profile.name} {fate}; "
        "set both sizes to 0 for a no-op"
    )


def _uop_rows(c: Context, r: Raw) -> str:
    return (
        f"y_size of a micro-op load must be 1 on {c.profile.name}, not {r.a}: only the first row "
        "is loaded; use one load for each row"
    )


def _imm_source(c: Context, r: Raw) -> str:
    detail = "src_factor other than dst_factor" if r.d else f"src {r.b}, dst {r.c}"
    return (
        f"source and destination must be equal in an immediate operation on {c.profile.name}, "
        f"which computes from the source (micro-op {r.a}: {detail}); set src to dst"
    )


def _src_index(c: Context, r: Raw) -> str:
    return (
        f"ALU source index must be below {r.c} on {c.profile.name}, which has only the bits of an "
        f"input index, not {r.b} (micro-op {r.a}); place the operand lower"
    )


def _src_wgt(c: Context, r: Raw) -> str:
    return (
        f"wgt_idx must be 0 in an ALU operation on {c.profile.name}, which takes it for upper "
        f"source bits, not {r.b} (micro-op {r.a}); clear it"
    )


FORM_RULES = (
    Rule(
        "unknown-insn",
        "An opcode, memory type or ALU operation that the implementation does not know.",
        always("error"),
        {"OPCODE": _opcode, "LOAD_TYPE": _load_type, "ALU_OPCODE": _alu_opcode},
    ),
    Rule(
        "store-type",
        "STORE of another memory type than OUT; error on the functional model.",
        _store_type_severity,
        {"STORE_TYPE": _store_type},
    ),
    Rule(
        "batch",
        "ALU or accumulator load with a batch that the implementation cannot do.",
        always("error"),
        {"BATCH": _batch},
    ),
    Rule(
        "loop-empty",
        "A loop count of 0 or an empty micro-op range; error where the counters wrap.",
        _loop_severity,
        {"LOOP_EMPTY": _loop_empty},
    ),
    Rule(
        "pad-ignored",
        "Padding of weights or micro-ops that the implementation ignores.",
        always("error"),
        {"PAD_WGT": _pad_wgt, "PAD_UOP": _pad_uop},
    ),
    Rule(
        "pad-store",
        "Padding of STORE.",
        always("warning"),
        {"PAD_STORE": _pad_store},
    ),
    Rule(
        "pad-empty",
        "x_size 0 with padding; error where zeros are written.",
        _pad_empty_severity,
        {"PAD_EMPTY": _pad_empty},
    ),
    Rule(
        "rows-zero",
        "y_size 0 with a non-zero x_size; error where the counter wraps.",
        _rows_severity,
        {"ROWS_ZERO": _rows_zero},
    ),
    Rule(
        "uop-rows",
        "A micro-op load of several rows where only the first is loaded.",
        always("error"),
        {"UOP_ROWS": _uop_rows},
    ),
    Rule(
        "imm-source",
        "An immediate operation whose source differs from its destination, where that matters.",
        always("error"),
        {"IMM_SOURCE": _imm_source},
    ),
    Rule(
        "alu-source",
        "A source index that the implementation forms differently.",
        always("error"),
        {"SRC_INDEX": _src_index, "SRC_WGT": _src_wgt},
    ),
)
"""The rules of this module."""
