"""Rules about instruction forms: the smallest stream that breaks each, and its repair."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lint.programs import alu, finish, gemm, load, matmul, nop, store, stream
from tests.lint.verdicts import Verdict, check
from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.lint import lint_stream
from vta_pynq.stream import InstructionStream

MUL_CONFIG = HwConfig().with_capabilities(Capability.ALU_MUL)
ACC8_CONFIG = HwConfig().with_capabilities(Capability.LOAD_ACC8)
BATCH_CONFIG = HwConfig.from_name("2x16_i8w8a32_15_15_18_17")
SHALLOW_INP = HwConfig.from_name("1x16_i8w8a32_15_14_18_17")


def changed(index: int, **fields: int) -> InstructionStream:
    """`matmul` with fields of one instruction changed."""
    insns = matmul()
    insns[index] = {**insns[index], **fields}
    return stream(insns)


def single(fields: dict[str, int], uop: tuple[int, int, int] = (0, 0, 0),
           config: HwConfig = HwConfig()) -> InstructionStream:  # fmt: skip  # noqa: B008
    """Eight accumulators and one micro-op are loaded, then one instruction runs."""
    return stream([load(MemType.ACC, count=8), load(MemType.UOP), fields, finish()], [uop], config,
                  segments=config.batch == 1)  # fmt: skip


VERDICTS = [
    Verdict(
        "unknown-insn", "hls-64bit", "error", 2,
        single(alu(AluOp.MUL, imm=3)), single(alu(AluOp.MUL, imm=3), config=MUL_CONFIG),
        "insn 2 ALU: MUL needs the capability alu_mul: hls-64bit executes it as a no-op; use "
        "shifts and additions, or GEMM",
    ),
    Verdict(
        "unknown-insn", "chisel-64bit", "error", 2,
        single(alu(AluOp(3), imm=3) | {"alu_opcode": 7}), single(alu(AluOp.ADD, imm=3)),
        "insn 2 ALU: alu_opcode must be one of the instruction set's, not 7: chisel-64bit hangs "
        "on it; mend the encoding",
    ),
    Verdict(
        "unknown-insn", "hls-64bit", "error", 2,
        single(load(MemType.ACC_8BIT)), single(load(MemType.ACC_8BIT), config=ACC8_CONFIG),
        "insn 2 LOAD ACC_8BIT: memory type ACC_8BIT needs the capability load_acc8: hls-64bit "
        "executes it as a no-op; load 32-bit accumulators",
    ),
    Verdict(
        "unknown-insn", "functional", "error", 2,
        single(load(MemType.ACC) | {"memory_type": 6}), single(load(MemType.ACC)),
        "insn 2 LOAD: memory type must be UOP, WGT, INP or ACC, not 6: functional stops with an "
        "error; mend the encoding",
    ),
    Verdict(
        "store-type", "hls-64bit", "warning", 6,
        changed(6, memory_type=MemType.ACC), changed(6, memory_type=MemType.OUT),
        "insn 6 STORE: memory type must be OUT, not 3: hls-64bit stores the output buffer all the "
        "same; set it to OUT",
    ),
    Verdict(
        "store-type", "functional", "error", 6,
        changed(6, memory_type=MemType.ACC), changed(6, x_size=0, memory_type=MemType.UOP),
        "insn 6 STORE: memory type must be OUT, not 3: functional stops with an error; "
        "set it to OUT",
    ),
    Verdict(
        "batch", "chisel-64bit", "error", 0,
        single(alu(AluOp.ADD, imm=1), config=BATCH_CONFIG), single(alu(AluOp.ADD, imm=1)),
        "insn 0 LOAD ACC: ALU operations and accumulator loads work with batch 1 only on "
        "chisel-64bit, not 2; use a configuration of batch 1",
    ),
    Verdict(
        "loop-empty", "chisel-64bit", "error", 4, changed(4, iter_out=0), changed(4),
        "insn 4 GEMM: iter_out is 0: chisel-64bit runs 2^14 iterations; "
        "do not emit the instruction",
    ),
    Verdict(
        "loop-empty", "hls-64bit", "info", 2,
        single(alu(AluOp.ADD, (1, 1), imm=1)), single(alu(AluOp.ADD, imm=1)),
        "insn 2 ALU: the micro-op range is empty: hls-64bit does nothing; "
        "do not emit the instruction",
    ),
    Verdict(
        "pad-ignored", "hls-64bit", "error", 2, changed(2, x_pad_0=1), changed(2),
        "insn 2 LOAD WGT: hls-64bit ignores the padding of weights; load zeros from DRAM instead",
    ),
    Verdict(
        "pad-ignored", "hls-64bit", "error", 0, changed(0, y_pad_1=1), changed(0),
        "insn 0 LOAD UOP: hls-64bit ignores the padding of micro-ops; set the pads to 0",
    ),
    Verdict(
        "pad-store", "hls-64bit", "warning", 6, changed(6, y_pad_0=1), changed(6),
        "insn 6 STORE: hls-64bit ignores the padding of STORE; set the pads to 0",
    ),
    Verdict(
        "pad-empty", "hls-64bit", "error", 2,
        single(nop(MemType.ACC, y_size=1, x_pad_0=1)), single(nop(MemType.ACC, y_size=1)),
        "insn 2 LOAD ACC: x_size is 0 with padding: hls-64bit writes zeros to SRAM; "
        "set the pads to 0",
    ),
    Verdict(
        "pad-empty", "chisel-64bit", "info", 2,
        single(nop(MemType.ACC, y_size=1, x_pad_0=1)), single(nop(MemType.ACC, y_size=1)),
        "insn 2 LOAD ACC: x_size is 0 with padding: chisel-64bit does nothing; set the pads to 0",
    ),
    Verdict(
        "rows-zero", "hls-64bit", "warning", 2,
        single(load(MemType.ACC, y_size=0)), single(load(MemType.ACC)),
        "insn 2 LOAD ACC: y_size must be at least 1 where x_size is 1: hls-64bit moves no row of "
        "it; set both sizes to 0 for a no-op",
    ),
    Verdict(
        "rows-zero", "chisel-64bit", "error", 6, changed(6, y_size=0), changed(6),
        "insn 6 STORE: y_size must be at least 1 where x_size is 8: chisel-64bit wraps its row "
        "counter; set both sizes to 0 for a no-op",
    ),
    Verdict(
        "uop-rows", "hls-64bit", "error", 0, changed(0, y_size=2), changed(0),
        "insn 0 LOAD UOP: y_size of a micro-op load must be 1 on hls-64bit, not 2: only the first "
        "row is loaded; use one load for each row",
    ),
    Verdict(
        "imm-source", "chisel-64bit", "error", 2,
        single(alu(AluOp.ADD, imm=1), (2, 3, 0)), single(alu(AluOp.ADD, imm=1), (2, 2, 0)),
        "insn 2 ALU: source and destination must be equal in an immediate operation on "
        "chisel-64bit, which computes from the source (micro-op 0: src 3, dst 2); set src to dst",
    ),
    Verdict(
        "imm-source", "chisel-64bit", "error", 2,
        single(alu(AluOp.ADD, imm=1, iter_in=4, dst_factor_in=1)),
        single(alu(AluOp.ADD, imm=1, iter_in=4, dst_factor_in=1, src_factor_in=1)),
        "insn 2 ALU: source and destination must be equal in an immediate operation on "
        "chisel-64bit, which computes from the source (micro-op 0: src_factor other than "
        "dst_factor); set src to dst",
    ),
    Verdict(
        "alu-source", "chisel-64bit", "error", 2,
        single(alu(AluOp.ADD), (0, 4, 1)), single(alu(AluOp.ADD), (0, 4, 0)),
        "insn 2 ALU: wgt_idx must be 0 in an ALU operation on chisel-64bit, which takes it for "
        "upper source bits, not 1 (micro-op 0); clear it",
    ),
    Verdict(
        "alu-source", "hls-64bit", "error", 2,
        single(alu(AluOp.ADD), (0, 1024, 0), SHALLOW_INP), single(alu(AluOp.ADD), (0, 7, 0)),
        "insn 2 ALU: ALU source index must be below 1024 on hls-64bit, which has only the bits of "
        "an input index, not 1024 (micro-op 0); place the operand lower",
    ),
]  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: f"{v.rule}-{v.profile}")
def test_lint_stream_form_rule_finds_and_accepts(verdict: Verdict) -> None:
    check(verdict)


def test_lint_stream_unknown_opcode_is_found() -> None:
    report = lint_stream(stream(matmul()))
    assert report.findings == ()
    words = stream(matmul()).words.copy()
    words[4, 0] |= np.uint64(7)  # GEMM (2) becomes 7
    broken = InstructionStream("test", HwConfig(), words, stream(matmul()).segments)
    finding = lint_stream(broken).errors[0]
    assert (finding.rule, finding.instruction) == ("unknown-insn", 4)
    assert finding.message == (
        "insn 4: opcode must be one of the instruction set's, not 7: hls-64bit executes it as a "
        "no-op; mend the encoding"
    )


@pytest.mark.parametrize("profile", ["functional", "hls-64bit", "hls-128bit", "chisel-64bit"])
def test_lint_stream_oddities_of_recorded_streams_are_no_findings(profile: str) -> None:
    insns = matmul()
    insns.insert(6, store(count=0, y_size=0, memory_type=MemType.UOP))
    plain = stream(insns)
    words = plain.words.copy()
    memory = [0, 1, 2, 6, 7, 8]  # LOAD and STORE leave bits 58..63 unused
    words[memory, 0] |= np.uint64(0x3F << 58)
    words[-1, 0] |= np.uint64((1 << 64) - 128)  # FINISH: everything but opcode and flags
    words[-1, 1] = np.uint64((1 << 64) - 1)
    dirty = InstructionStream("test", HwConfig(), words, plain.segments)
    assert lint_stream(dirty, profile).findings == ()


def test_lint_stream_gemm_reset_ignores_its_operands() -> None:
    start = [load(MemType.UOP), gemm(reset=1), finish()]
    assert lint_stream(stream(start, [(0, 2047, 1023)])).findings == ()
