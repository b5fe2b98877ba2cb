"""The instruction table: every opcode, field, width, unit and legal range, stated once.

Encoder, decoder, assembler, disassembler, linter, documentation and the C and C++ headers are
derived from the objects in this module. Facts: docs/isa.md; the encodings are those of the
published VTA hardware.

An instruction is two little-endian 64-bit words. A format lists its fields from the least
significant bit of word 0 upwards; a field that does not fit into what is left of word 0 starts
word 1, and nothing goes back to word 0 after that (`vta_pynq.isa.layout` does the placing).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

from vta_pynq.config import HwConfig

__all__ = [
    "ALU_FORMAT",
    "DRAM_BYTES",
    "FIELDS",
    "FORMATS",
    "FORMAT_OF_OPCODE",
    "GEMM_FORMAT",
    "HEAD_FIELDS",
    "INSN_BYTES",
    "LOOP_BITS",
    "MEM_FORMAT",
    "PAGE_BYTES",
    "REQUANT_FORMAT",
    "TOKENS",
    "UOP_FIELDS",
    "WORD_BITS",
    "AluOp",
    "Field",
    "Format",
    "MemType",
    "Module",
    "Opcode",
    "Token",
    "elem_bytes",
    "module_of",
    "sram_depth",
]

INSN_BYTES = 16
"""Bytes of one instruction."""
WORD_BITS = 64
"""Bits of one of its two words."""
LOOP_BITS = 14
"""Bits of a loop count."""
DRAM_BYTES = 1 << 32
"""Bytes that the accelerator can address: byte addresses have 32 bits on every implementation."""
PAGE_BYTES = 4096
"""Bytes of a page of DRAM. Buffers begin at pages, as every allocator gives them, and none lies in
the first one (docs/isa.md, "Addressing")."""


class Opcode(enum.IntEnum):
    """Instruction opcodes (3 bits)."""

    LOAD = 0
    STORE = 1
    GEMM = 2
    FINISH = 3
    ALU = 4
    REQUANT = 5
    """This project's own: bias, multiply, rounding shift and clip in one pass. It needs the
    capability `alu_requant`; without it the opcode is unknown to the build."""


class MemType(enum.IntEnum):
    """Memory types of LOAD and STORE (3 bits)."""

    UOP = 0
    WGT = 1
    INP = 2
    ACC = 3
    OUT = 4
    ACC_8BIT = 5


class AluOp(enum.IntEnum):
    """Operations of the tensor ALU (3 bits)."""

    MIN = 0
    MAX = 1
    ADD = 2
    SHR = 3
    MUL = 4


class Module(enum.IntEnum):
    """The four modules that run concurrently."""

    FETCH = 0
    LOAD = 1
    COMPUTE = 2
    STORE = 3


@dataclasses.dataclass(frozen=True)
class Token:
    """One dependency token counter: who pushes with which flag, who pops with which."""

    name: str
    producer: Module
    push_flag: str
    consumer: Module
    pop_flag: str
    doc: str


TOKENS = (
    Token("l2g", Module.LOAD, "push_next", Module.COMPUTE, "pop_prev", "data ready"),
    Token("g2l", Module.COMPUTE, "push_prev", Module.LOAD, "pop_next", "buffer free"),
    Token("g2s", Module.COMPUTE, "push_next", Module.STORE, "pop_prev", "result ready"),
    Token("s2g", Module.STORE, "push_prev", Module.COMPUTE, "pop_next", "result drained"),
)
"""The token counters, in the order in which recorded streams give their initial counts."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of an instruction or micro-op.

    `width` gives its bits in a configuration. `limit` gives the largest value that means
    something there when that is less than what the bits can hold. `unit` is the unit of its
    value, `doc` says what it does. A `signed` field is two's complement. `buffer` names the SRAM
    whose depth gives `width` or `limit`, where one does.
    """

    name: str
    width: Callable[[HwConfig], int]
    unit: str
    doc: str
    signed: bool = False
    limit: Callable[[HwConfig], int] | None = None
    buffer: str = ""

    def value_range(self, config: HwConfig) -> tuple[int, int]:
        """Smallest and largest value that the bits can hold."""
        bits = self.width(config)
        if self.signed:
            return -(1 << bits - 1), (1 << bits - 1) - 1
        return 0, (1 << bits) - 1

    def legal_range(self, config: HwConfig) -> tuple[int, int]:
        """Smallest and largest value that means something."""
        low, high = self.value_range(config)
        return low, high if self.limit is None else min(high, self.limit(config))


@dataclasses.dataclass(frozen=True)
class Format:
    """The bit format of one or several opcodes: its fields from bit 0 upwards."""

    name: str
    opcodes: tuple[Opcode, ...]
    fields: tuple[Field, ...]
    doc: str


_UOP_BUFFER, _WGT_BUFFER = "micro-op buffer", "weight buffer"
_INP_BUFFER, _ACC_BUFFER = "input buffer", "accumulator buffer"


def _bits(count: int) -> Callable[[HwConfig], int]:
    return lambda config: count


def _acc(config: HwConfig) -> int:
    return config.log_acc_depth


def _inp(config: HwConfig) -> int:
    return config.log_inp_depth


def _wgt(config: HwConfig) -> int:
    return config.log_wgt_depth


def _uop(config: HwConfig) -> int:
    return config.log_uop_depth


_HEAD = (
    Field("opcode", _bits(3), "", "operation"),
    Field("pop_prev", _bits(1), "flag", "wait for a token from the previous module"),
    Field("pop_next", _bits(1), "flag", "wait for a token from the next module"),
    Field("push_prev", _bits(1), "flag", "give a token to the previous module when done"),
    Field("push_next", _bits(1), "flag", "give a token to the next module when done"),
)

HEAD_FIELDS = len(_HEAD)
"""Fields that all formats share, at the same bits; FINISH means nothing beyond them."""

MEM_FORMAT = Format(
    "MEM",
    (Opcode.LOAD, Opcode.STORE, Opcode.FINISH),
    (
        *_HEAD,
        Field("memory_type", _bits(3), "", "SRAM that is read or written"),
        Field("sram_base", _bits(16), "elements", "first SRAM element"),
        Field("dram_base", _bits(32), "elements", "first DRAM element"),
        Field("y_size", _bits(16), "rows", "rows to move"),
        Field("x_size", _bits(16), "elements", "elements in a row"),
        Field("x_stride", _bits(16), "elements", "distance between row starts in DRAM"),
        Field("y_pad_0", _bits(4), "rows", "zero rows above"),
        Field("y_pad_1", _bits(4), "rows", "zero rows below"),
        Field("x_pad_0", _bits(4), "elements", "zero elements left of each row"),
        Field("x_pad_1", _bits(4), "elements", "zero elements right of each row"),
    ),
    "Two-dimensional move between DRAM and one SRAM; FINISH uses only the head.",
)

_RESET = Field("reset", _bits(1), "flag", "GEMM: set accumulators to zero; ignored by ALU")
_LOOPS = (
    Field("uop_bgn", _uop, "micro-ops", "first micro-op", buffer=_UOP_BUFFER),
    Field(
        "uop_end",
        lambda config: config.log_uop_depth + 1,
        "micro-ops",
        "one past the last micro-op",
        limit=lambda config: config.uop_depth,
        buffer=_UOP_BUFFER,
    ),
    Field("iter_out", _bits(LOOP_BITS), "iterations", "outer loop count"),
    Field("iter_in", _bits(LOOP_BITS), "iterations", "inner loop count"),
)
_DST_FACTORS = (
    Field(
        "dst_factor_out",
        _acc,
        "elements",
        "accumulator step of the outer loop",
        buffer=_ACC_BUFFER,
    ),
    Field(
        "dst_factor_in",
        _acc,
        "elements",
        "accumulator step of the inner loop",
        buffer=_ACC_BUFFER,
    ),
)
_OPERAND_FACTORS = (
    Field("src_factor_out", _acc, "elements", "operand step of the outer loop", buffer=_ACC_BUFFER),
    Field("src_factor_in", _acc, "elements", "operand step of the inner loop", buffer=_ACC_BUFFER),
)

GEMM_FORMAT = Format(
    "GEMM",
    (Opcode.GEMM,),
    (
        *_HEAD,
        _RESET,
        *_LOOPS,
        *_DST_FACTORS,
        Field(
            "src_factor_out", _inp, "elements", "input step of the outer loop", buffer=_INP_BUFFER
        ),
        Field(
            "src_factor_in", _inp, "elements", "input step of the inner loop", buffer=_INP_BUFFER
        ),
        Field(
            "wgt_factor_out", _wgt, "elements", "weight step of the outer loop", buffer=_WGT_BUFFER
        ),
        Field(
            "wgt_factor_in", _wgt, "elements", "weight step of the inner loop", buffer=_WGT_BUFFER
        ),
    ),
    "Matrix multiply-accumulate over two loops of micro-ops.",
)

ALU_FORMAT = Format(
    "ALU",
    (Opcode.ALU,),
    (
        *_HEAD,
        _RESET,
        *_LOOPS,
        *_DST_FACTORS,
        *_OPERAND_FACTORS,
        Field("alu_opcode", _bits(3), "", "operation"),
        Field("use_imm", _bits(1), "flag", "the operand is the immediate"),
        Field("imm", _bits(16), "", "immediate operand, sign-extended", signed=True),
    ),
    "Element-wise operation over two loops of micro-ops.",
)

REQUANT_FORMAT = Format(
    "REQUANT",
    (Opcode.REQUANT,),
    (
        *_HEAD,
        Field("use_bias", _bits(1), "flag", "add the operand"),
        *_LOOPS,
        Field("use_mul", _bits(1), "flag", "multiply by the operand, the one after the bias"),
        *_DST_FACTORS,
        *_OPERAND_FACTORS,
        Field("shift", _bits(5), "bits", "shift right, rounding half up"),
        Field("clip_lo", _bits(8), "", "least result", signed=True),
        Field("clip_hi", _bits(7), "", "largest result"),
    ),
    "Bias, multiply, rounding shift and clip over two loops of micro-ops (capability "
    "`alu_requant`).",
)

FORMATS = (MEM_FORMAT, GEMM_FORMAT, ALU_FORMAT, REQUANT_FORMAT)
"""Every instruction format."""

FORMAT_OF_OPCODE = {opcode: format_ for format_ in FORMATS for opcode in format_.opcodes}
"""The format that an opcode uses."""

FIELDS = tuple(dict.fromkeys(field.name for format_ in FORMATS for field in format_.fields))
"""Every field name of every format, in order of first appearance."""

UOP_FIELDS = (
    Field("dst_idx", _acc, "elements", "accumulator index", buffer=_ACC_BUFFER),
    Field(
        "src_idx",
        lambda c: c.uop_src_bits,
        "elements",
        "input (GEMM) or accumulator (ALU, REQUANT)",
        buffer="input and accumulator buffer",
    ),
    Field("wgt_idx", _wgt, "elements", "weight index (GEMM)", buffer=_WGT_BUFFER),
)
"""The fields of a micro-op from bit 0 upwards."""

_LOAD_QUEUE = frozenset({MemType.INP, MemType.WGT})


def module_of(opcode: int, memory_type: int = MemType.UOP) -> Module | None:
    """The module whose queue takes an instruction; None where no module knows the opcode.

    LOAD of a memory type other than INP and WGT goes to compute, as the published fetch
    module does it. REQUANT goes there in builds that have it.
    """
    if opcode == Opcode.STORE:
        return Module.STORE
    if opcode == Opcode.LOAD and memory_type in _LOAD_QUEUE:
        return Module.LOAD
    if opcode in FORMAT_OF_OPCODE:
        return Module.COMPUTE
    return None


def elem_bytes(config: HwConfig, memory_type: int) -> int:
    """Bytes of one DRAM element of a memory type.

    Raises
    ------
    ValueError
        `memory_type` is not one of `MemType`.
    """
    return {
        MemType.UOP: config.uop_bytes,
        MemType.WGT: config.wgt_bytes,
        MemType.INP: config.inp_bytes,
        MemType.ACC: config.acc_bytes,
        MemType.OUT: config.out_bytes,
        MemType.ACC_8BIT: config.inp_bytes,
    }[MemType(memory_type)]


def sram_depth(config: HwConfig, memory_type: int) -> int:
    """Elements of the SRAM that a memory type names.

    Raises
    ------
    ValueError
        `memory_type` is not one of `MemType`.
    """
    return {
        MemType.UOP: config.uop_depth,
        MemType.WGT: config.wgt_depth,
        MemType.INP: config.inp_depth,
        MemType.ACC: config.acc_depth,
        MemType.OUT: config.out_depth,
        MemType.ACC_8BIT: config.acc_depth,
    }[MemType(memory_type)]
