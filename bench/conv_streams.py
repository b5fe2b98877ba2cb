"""Instruction streams of 3x3 convolutions, as runtimes and compilers emit them.

Two dialects of the same layer: `unrolled` has micro-op kernels over taps, output channels and
columns (columns innermost) with a loop over rows, as streams recorded from runtimes have;
`looped` has one micro-op and two spatial loops for each tap and channel tile.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode

__all__ = ["LAYERS", "ConvLayer", "ConvStream", "Dialect", "conv_stream"]

Dialect = Literal["unrolled", "looped"]
TAPS = 9


@dataclasses.dataclass(frozen=True)
class ConvLayer:
    """A 3x3 convolution, stride 1, padding 1: `size` x `size`, `channels` in and out.

    A tile is `rows` x `cols` outputs of `group` blocks of output channels.
    """

    name: str
    size: int
    channels: int
    rows: int
    cols: int
    group: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer."""
        return self.size**2 * self.channels**2 * TAPS


LAYERS = (
    ConvLayer("C2", 56, 64, rows=8, cols=28, group=4),
    ConvLayer("C5", 28, 128, rows=7, cols=28, group=4),
    ConvLayer("C8", 14, 256, rows=14, cols=14, group=4),
    ConvLayer("C11", 7, 512, rows=7, cols=7, group=16),
)
"""The four 3x3 shapes of ResNet-18 with stride 1."""


@dataclasses.dataclass(frozen=True)
class ConvStream:
    """A layer's instructions and micro-ops, and what DRAM holds: byte addresses by kind."""

    words: npt.NDArray[np.uint64]
    uops: npt.NDArray[np.uint32]
    sizes: dict[str, int]


class _Writer:
    """Collects instructions; names the DRAM element addresses of each kind."""

    def __init__(self) -> None:
        self.insns: list[dict[str, Any]] = []

    def emit(self, opcode: Opcode, **fields: int) -> dict[str, Any]:
        self.insns.append({"opcode": int(opcode), **fields})
        return self.insns[-1]

    def load(self, kind: MemType, sram: int, dram: int, x: int, y: int = 1, **more: int) -> Any:
        stride = more.pop("x_stride", x)
        return self.emit(
            Opcode.LOAD, memory_type=int(kind), sram_base=sram, dram_base=dram, x_size=x, y_size=y,
            x_stride=stride, **more,
        )  # fmt: skip

    def records(self) -> npt.NDArray[np.void]:
        table = np.zeros(len(self.insns), INSN_DTYPE)
        for name in INSN_DTYPE.names or ():
            table[name] = [insn.get(name, 0) for insn in self.insns]
        return table


def _kernels(layer: ConvLayer, dialect: Dialect, context: tuple[int, int]) -> npt.NDArray[np.void]:
    """Micro-ops: one row of every channel tile (for the ALU), then those of GEMM."""
    row = [(g * layer.rows * layer.cols + x,) * 2 + (0,)
           for g in range(layer.group) for x in range(layer.cols)]  # fmt: skip
    inp, wgt = context
    width = layer.cols + 2
    gemm = [
        (
            g * layer.rows * layer.cols + x,
            inp + (tap // 3) * width + tap % 3 + x,
            wgt + g * TAPS + tap,
        )
        for tap in range(TAPS)
        for g in range(layer.group)
        for x in range(layer.cols if dialect == "unrolled" else 1)
    ]
    return np.array(row + gemm, UOP_DTYPE)


def _gemm(out: _Writer, layer: ConvLayer, dialect: Dialect, uops: tuple[int, int]) -> None:
    width = layer.cols + 2
    if dialect == "unrolled":
        out.emit(
            Opcode.GEMM, pop_prev=1, push_prev=1, uop_bgn=uops[0], uop_end=uops[1], iter_out=1,
            iter_in=layer.rows, dst_factor_in=layer.cols, src_factor_in=width,
        )  # fmt: skip
        return
    for uop in range(*uops):
        out.emit(
            Opcode.GEMM, pop_prev=uop == uops[0], push_prev=uop == uops[1] - 1,
            uop_bgn=uop, uop_end=uop + 1, iter_out=layer.rows, iter_in=layer.cols,
            dst_factor_out=layer.cols, dst_factor_in=1, src_factor_out=width, src_factor_in=1,
        )  # fmt: skip


def conv_stream(layer: ConvLayer, dialect: Dialect, config: HwConfig, bases: Any) -> ConvStream:
    """A layer's stream; `bases` maps UOP, INP, WGT and OUT to byte addresses."""
    blocks = layer.channels // config.block
    width, inp_half, wgt_half = layer.cols + 2, config.inp_depth // 2, config.wgt_depth // 2
    tile_elems = layer.rows * layer.cols
    row_uops = layer.group * layer.cols
    kernels = [_kernels(layer, dialect, (c * inp_half, c * wgt_half)) for c in range(2)]
    uops = np.concatenate([kernels[0], kernels[1][row_uops:]])
    gemm_uops = len(kernels[0]) - row_uops
    out = _Writer()
    at = {kind: bases[kind] for kind in ("UOP", "INP", "WGT", "OUT")}
    for kind, size in (("UOP", 4), ("INP", config.inp_bytes), ("WGT", config.wgt_bytes),
                       ("OUT", config.out_bytes)):  # fmt: skip
        at[kind] //= size
    out.load(MemType.UOP, 0, at["UOP"], len(uops))
    for _ in range(2):  # both contexts are free
        out.emit(Opcode.LOAD, memory_type=int(MemType.UOP), push_prev=1)
    loops = {"uop_bgn": 0, "uop_end": row_uops, "iter_out": 1, "iter_in": layer.rows,
             "dst_factor_in": layer.cols, "src_factor_in": layer.cols}  # fmt: skip
    turn = first = 0
    for group in range(0, blocks, layer.group):
        for top in range(0, layer.size, layer.rows):
            for left in range(0, layer.size, layer.cols):
                gemm_loops = {**loops, "src_factor_in": 0}
                out.emit(Opcode.GEMM, reset=1, pop_next=first, **gemm_loops)
                first = 1
                for block in range(blocks):
                    context, turn = turn % 2, turn + 1
                    pads = {
                        "y_pad_0": int(top == 0),
                        "y_pad_1": int(top + layer.rows == layer.size),
                        "x_pad_0": int(left == 0),
                        "x_pad_1": int(left + layer.cols == layer.size),
                    }
                    y = layer.rows + 2 - pads["y_pad_0"] - pads["y_pad_1"]
                    x = width - pads["x_pad_0"] - pads["x_pad_1"]
                    pixel = (top - 1 + pads["y_pad_0"]) * layer.size + left - 1 + pads["x_pad_0"]
                    out.load(
                        MemType.INP, context * inp_half,
                        at["INP"] + block * layer.size**2 + pixel, x, y,
                        x_stride=layer.size, pop_next=1, **pads,
                    )  # fmt: skip
                    out.load(
                        MemType.WGT, context * wgt_half,
                        at["WGT"] + (group * blocks + block) * TAPS,
                        TAPS, layer.group, x_stride=blocks * TAPS, push_next=1,
                    )  # fmt: skip
                    begin = row_uops + context * gemm_uops
                    _gemm(out, layer, dialect, (begin, begin + gemm_uops))
                for number, (op, imm) in enumerate(
                    ((AluOp.SHR, 8), (AluOp.MAX, 0), (AluOp.MIN, 127))
                ):
                    out.emit(
                        Opcode.ALU, alu_opcode=int(op), use_imm=1, imm=imm,
                        push_next=int(number == 2), **loops,
                    )  # fmt: skip
                for g in range(layer.group):
                    pixel = ((group + g) * layer.size + top) * layer.size + left
                    for y in range(layer.rows):
                        last = g == layer.group - 1 and y == layer.rows - 1
                        out.emit(
                            Opcode.STORE, memory_type=int(MemType.OUT),
                            sram_base=g * tile_elems + y * layer.cols,
                            dram_base=at["OUT"] + pixel + y * layer.size,
                            x_size=layer.cols, y_size=1, x_stride=layer.cols,
                            pop_prev=int(g == y == 0), push_prev=int(last),
                        )  # fmt: skip
    for _ in range(2):  # take the context tokens back
        out.emit(Opcode.LOAD, memory_type=int(MemType.INP), pop_next=1, push_next=1)
        out.emit(Opcode.LOAD, memory_type=int(MemType.UOP), pop_prev=1)
    out.emit(Opcode.LOAD, memory_type=int(MemType.UOP), pop_next=1)
    out.emit(Opcode.FINISH)
    pixels = layer.size**2 * blocks
    sizes = {"UOP": 4 * len(uops), "INP": pixels * config.inp_bytes,
             "WGT": blocks * blocks * TAPS * config.wgt_bytes,
             "OUT": pixels * config.out_bytes}  # fmt: skip
    return ConvStream(encode(out.records(), config), encode_uops(uops, config), sizes)
