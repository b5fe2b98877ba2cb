"""Short instruction streams for the checker's tests, written field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.stream import InstructionStream, Segment

CONFIG = HwConfig()
INP_PHYS, WGT_PHYS, ACC_PHYS, OUT_PHYS, UOP_PHYS = 0x1000, 0x20000, 0x80000, 0xC0000, 0x100000
Fields = dict[str, Any]


def load(memory: MemType, sram: int = 0, count: int = 1, dram: int = 0, **fields: Any) -> Fields:
    """LOAD of `count` elements in one row, from element `dram` of the memory's segment."""
    base = {
        MemType.INP: INP_PHYS // CONFIG.inp_bytes,
        MemType.WGT: WGT_PHYS // CONFIG.wgt_bytes,
        MemType.ACC: ACC_PHYS // CONFIG.acc_bytes,
        MemType.UOP: UOP_PHYS // CONFIG.uop_bytes,
        MemType.ACC_8BIT: ACC_PHYS // CONFIG.inp_bytes,
    }[memory]
    return {
        "opcode": Opcode.LOAD, "memory_type": memory, "sram_base": sram,
        "dram_base": base + dram, "y_size": 1, "x_size": count, "x_stride": count, **fields,
    }  # fmt: skip


def nop(memory: MemType = MemType.UOP, **fields: Any) -> Fields:
    """LOAD that moves nothing: synchronisation only."""
    return {"opcode": Opcode.LOAD, "memory_type": memory, **fields}


def store(sram: int = 0, count: int = 1, dram: int = 0, **fields: Any) -> Fields:
    """STORE of `count` elements in one row."""
    return {
        "opcode": Opcode.STORE, "memory_type": MemType.OUT, "sram_base": sram,
        "dram_base": OUT_PHYS // CONFIG.out_bytes + dram,
        "y_size": 1, "x_size": count, "x_stride": count, **fields,
    }  # fmt: skip


def gemm(uops: tuple[int, int] = (0, 1), **fields: Any) -> Fields:
    """GEMM over a micro-op range."""
    return {
        "opcode": Opcode.GEMM, "uop_bgn": uops[0], "uop_end": uops[1],
        "iter_out": 1, "iter_in": 1, **fields,
    }  # fmt: skip


def alu(op: AluOp, uops: tuple[int, int] = (0, 1), imm: int | None = None, **fields: Any) -> Fields:
    """ALU operation over a micro-op range, with an immediate or with a source index."""
    operand = {} if imm is None else {"use_imm": 1, "imm": imm}
    return {
        "opcode": Opcode.ALU, "alu_opcode": op, "uop_bgn": uops[0], "uop_end": uops[1],
        "iter_out": 1, "iter_in": 1, **operand, **fields,
    }  # fmt: skip


def finish(**fields: Any) -> Fields:
    """FINISH."""
    return {"opcode": Opcode.FINISH, **fields}


def stream(
    insns: Sequence[Fields],
    uops: Sequence[tuple[int, int, int]] = ((0, 0, 0),),
    config: HwConfig = CONFIG,
    acc: np.ndarray | None = None,
    segments: bool = True,
    tokens_in: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> InstructionStream:
    """A stream with 64 KiB segments; `acc` (int32) is what lies in the accumulator segment."""
    records = np.zeros(len(insns), INSN_DTYPE)
    for record, fields in zip(records, insns, strict=True):
        for name, value in fields.items():
            record[name] = value
    words = encode_uops(np.array(list(uops), UOP_DTYPE), config)
    data = None if acc is None else np.ascontiguousarray(acc, np.int32).view(np.uint8).reshape(-1)
    memory = (
        Segment("inp", "INP", INP_PHYS, 1 << 16),
        Segment("wgt", "WGT", WGT_PHYS, 1 << 18),
        Segment("acc", "ACC", ACC_PHYS, 1 << 17, data),
        Segment("out", "OUT", OUT_PHYS, 1 << 16),
        Segment("uop", "UOP", UOP_PHYS, 1 << 16, words.view(np.uint8)),
    )
    return InstructionStream(
        "test",
        config,
        encode(records, config, check="width"),
        memory if segments else (),
        tokens_in,
    )


def matmul(*, out: int = 0) -> list[Fields]:
    """One tile: load, multiply, clip, store, finish. Clean on every profile."""
    return [
        load(MemType.UOP, count=2),
        load(MemType.INP, count=8),
        load(MemType.WGT, push_next=1),
        gemm((0, 1), reset=1, iter_in=8, dst_factor_in=1, pop_prev=1),
        gemm((0, 1), iter_in=8, dst_factor_in=1, src_factor_in=1),
        alu(AluOp.MAX, (0, 1), imm=0, iter_in=8, dst_factor_in=1, src_factor_in=1, push_next=1),
        store(count=8, dram=out, pop_prev=1, push_prev=1),
        nop(pop_next=1),
        finish(),
    ]
