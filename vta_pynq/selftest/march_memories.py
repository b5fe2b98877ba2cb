"""The five SRAMs under a march: how instructions fill each, and how each can be looked at.

| memory | filled by | looked at by |
|---|---|---|
| INP | LOAD | GEMM with a unit matrix as weights |
| WGT | LOAD | GEMM with unit vectors as inputs, a column of a tile each |
| ACC | LOAD | ALU: bits 0 to 7 as they are, then three shifts by 8, a STORE behind each |
| OUT | LOAD ACC and ALU ADD 0 | STORE |
| UOP | LOAD | GEMM, in which every micro-op writes what it addressed to where it points |
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import UOP_DTYPE, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode, elem_bytes, sram_depth
from vta_pynq.selftest.march import CHUNKS, Memory, Read
from vta_pynq.selftest.sequence import Sequence

__all__ = ["march_memories"]

Bytes = npt.NDArray[np.uint8]

_WIDTHS = (8, 8, 32)
_DIGIT_BITS = 6
"""Of an index, in one int8 product; two digits hold any index below 2^13."""


def march_memories(config: HwConfig) -> dict[str, Memory | str]:
    """The memories of a configuration by name; where one cannot be looked at, why."""
    if (config.inp_width, config.wgt_width, config.acc_width) != _WIDTHS:
        reason = "marches need 8-bit inputs and weights and 32-bit accumulators"
        return {kind.name: reason for kind in MemType if kind is not MemType.ACC_8BIT}
    small = max(config.inp_depth, config.wgt_depth) < 1 << 2 * _DIGIT_BITS + 1
    return {
        "INP": _Inputs(config),
        "WGT": _Weights(config),
        "ACC": _Accumulators(config),
        "OUT": _Outputs(config),
        "UOP": _MicroOps(config)
        if small and config.block >= 4
        else "micro-ops are looked at with blocks of 4 or more and indices of at most 13 bits",
    }


class _Memory:
    """What all have in common: two backgrounds, and a micro-op for each chunk."""

    kind = MemType.ACC

    def __init__(self, config: HwConfig) -> None:
        self.config = config
        self.name = self.kind.name
        self.depth = sram_depth(config, self.kind)
        self.chunk = max(1, min(self.depth // CHUNKS, self._most()))
        self.zeros = 0
        seed = int.from_bytes(self.name.encode(), "little")
        self.content = self._content(np.random.default_rng(seed))
        self.bases = (0, 0)

    def _most(self) -> int:
        return self.config.acc_depth

    def _content(self, rng: np.random.Generator) -> Bytes:
        """Background 0, of shape (depth, bytes of an element)."""
        return rng.integers(0, 256, (self.depth, elem_bytes(self.config, self.kind)), np.uint8)

    def background(self, number: int, first: int) -> Bytes:
        """What a chunk holds, a row for each element."""
        part = self.content[first : first + self.chunk]
        return ~part if number else part

    def prepare(self, program: Sequence) -> None:
        low = program.area(self.kind, self.content.reshape(-1))
        self.bases = low, program.area(self.kind, ~self.content.reshape(-1))
        uops = self.uops(np.arange(0, self.depth, self.chunk))
        if len(uops):
            program.move(Opcode.LOAD, MemType.UOP, 0, program.uop_area(uops), len(uops))

    def uops(self, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
        """Micro-ops that the test needs, one for each chunk."""
        uops = np.zeros(len(starts), UOP_DTYPE)
        uops["dst_idx"] = uops["src_idx"] = starts
        return uops

    def write(self, program: Sequence, first: int, background: int) -> None:
        place = self.bases[background] + first
        program.move(Opcode.LOAD, self.kind, first, place, self.chunk)

    def loops(self, program: Sequence, opcode: Opcode, first: int, **fields: int) -> None:
        """An instruction with the chunk's micro-op, over the chunk's elements by default."""
        at = first // self.chunk
        values = {"iter_out": 1, "iter_in": self.chunk, "dst_factor_in": 1, **fields}
        program.add(opcode, uop_bgn=at, uop_end=at + 1, **values)

    def alu(self, program: Sequence, op: AluOp, imm: int, first: int) -> None:
        self.loops(program, Opcode.ALU, first, alu_opcode=op, use_imm=1, imm=imm, src_factor_in=1)

    def stored(self, program: Sequence, sram: int, expected: Bytes) -> int:
        """Store elements of the output buffer; their byte address."""
        size = self.config.out_bytes
        count = expected.size // size
        place = program.area(MemType.OUT, elems=count)
        program.move(Opcode.STORE, MemType.OUT, sram, place, count)
        return place * size


class _Inputs(_Memory):
    kind = MemType.INP

    def prepare(self, program: Sequence) -> None:
        super().prepare(program)
        unit = np.eye(self.config.block, dtype=np.uint8)
        program.move(Opcode.LOAD, MemType.WGT, 0, program.area(MemType.WGT, unit.reshape(-1)), 1)

    def uops(self, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
        uops = super().uops(starts)
        uops["dst_idx"] = 0
        return uops

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        for reset in (1, 0):
            self.loops(program, Opcode.GEMM, first, reset=reset, src_factor_in=1)
        expected = self.background(background, first).reshape(-1)
        size = self.config.inp_bytes
        yield Read(
            self.stored(program, 0, expected), expected,
            lambda n: (first + n // size, n % size),
        )  # fmt: skip


class _Weights(_Memory):
    kind = MemType.WGT

    def _columns(self) -> int:
        """Unit vectors in groups of a batch: inputs with which a whole tile is seen."""
        return -(-self.config.block // self.config.batch)

    def _most(self) -> int:
        return self.config.acc_depth // self._columns()

    def prepare(self, program: Sequence) -> None:
        super().prepare(program)
        columns, config = self._columns(), self.config
        rows = np.zeros((columns * config.batch, config.block), np.uint8)
        np.fill_diagonal(rows, 1)
        place = program.area(MemType.INP, rows.reshape(-1))
        program.move(Opcode.LOAD, MemType.INP, 0, place, columns)

    def uops(self, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
        uops = np.zeros(len(starts), UOP_DTYPE)
        uops["wgt_idx"] = starts
        return uops

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        columns, block, batch = self._columns(), self.config.block, self.config.batch
        for reset in (1, 0):
            self.loops(
                program, Opcode.GEMM, first, reset=reset,
                iter_out=self.chunk, dst_factor_out=columns, wgt_factor_out=1,
                iter_in=columns, src_factor_in=1,
            )  # fmt: skip
        tiles = self.background(background, first).reshape(self.chunk, block, block)
        padded = np.zeros((self.chunk, columns * batch, block), np.uint8)
        padded[:, :block] = tiles.swapaxes(1, 2)
        expected = padded.reshape(-1)
        per_tile = columns * batch * block

        def locate(number: int) -> tuple[int, int]:
            column, row = divmod(number % per_tile, block)
            return first + number // per_tile, row * block + column

        yield Read(self.stored(program, 0, expected), expected, locate)


class _Accumulators(_Memory):
    kind = MemType.ACC

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        lanes = self.config.batch * self.config.block
        words = self.background(background, first).reshape(-1, 4)
        for byte in range(4):
            op, amount = (AluOp.SHR, 8) if byte else (AluOp.ADD, 0)
            self.alu(program, op, amount, first)
            expected = np.ascontiguousarray(words[:, byte])
            yield Read(
                self.stored(program, first, expected), expected,
                partial(_of_plane, first, lanes, byte),
            )  # fmt: skip


def _of_plane(first: int, lanes: int, byte: int, number: int) -> tuple[int, int]:
    """Element, and byte in it, of a byte in a plane that has one byte of each accumulator."""
    return first + number // lanes, number % lanes * 4 + byte


class _Outputs(_Memory):
    kind = MemType.OUT

    def prepare(self, program: Sequence) -> None:
        super().prepare(program)
        # Filled through the accumulator: each byte as the low bits of a 32-bit value.
        wide = [self._wide(content) for content in (self.content, ~self.content)]
        self.bases = (program.area(MemType.ACC, wide[0]), program.area(MemType.ACC, wide[1]))

    @staticmethod
    def _wide(content: Bytes) -> Bytes:
        return content.reshape(-1).astype("<u4").view(np.uint8)

    def write(self, program: Sequence, first: int, background: int) -> None:
        program.move(Opcode.LOAD, MemType.ACC, first, self.bases[background] + first, self.chunk)
        self.alu(program, AluOp.ADD, 0, first)

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        expected = self.background(background, first).reshape(-1)
        size = self.config.out_bytes
        yield Read(
            self.stored(program, first, expected), expected,
            lambda n: (first + n // size, n % size),
        )  # fmt: skip


class _MicroOps(_Memory):
    kind = MemType.UOP

    def _content(self, rng: np.random.Generator) -> Bytes:
        config, number = self.config, np.arange(self.depth)
        self.fields = np.zeros(self.depth, UOP_DTYPE)
        # Destinations of a chunk are all different, and so are those of its complement.
        self.fields["dst_idx"] = number % config.acc_depth
        self.fields["src_idx"] = rng.integers(0, config.inp_depth, self.depth)
        self.fields["wgt_idx"] = rng.integers(0, config.wgt_depth, self.depth)
        return encode_uops(self.fields, config).view(np.uint8).reshape(self.depth, -1)

    def uops(self, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
        return np.zeros(0, UOP_DTYPE)

    def prepare(self, program: Sequence) -> None:
        config = self.config
        bases = []
        for background in (0, 1):
            uops = encode_uops(self._fields(background), config).view(np.uint8).reshape(-1)
            bases.append(program.area(MemType.UOP, uops))
        self.bases = bases[0], bases[1]
        self.zeros = program.area(MemType.ACC, elems=config.acc_depth)
        inputs = np.zeros((config.inp_depth, config.batch, config.block), np.uint8)
        inputs[..., 0] = 1
        inputs[..., 1], inputs[..., 2] = (d[:, None] for d in _digits(np.arange(config.inp_depth)))
        weights = np.zeros((config.wgt_depth, config.block, config.block), np.uint8)
        weights[:, 0, 0], weights[:, 1, 0] = _digits(np.arange(config.wgt_depth))
        weights[:, 2, 1] = weights[:, 3, 2] = 1
        for kind, data in ((MemType.INP, inputs), (MemType.WGT, weights)):
            place = program.area(kind, data.reshape(-1))
            program.move(Opcode.LOAD, kind, 0, place, len(data))

    def _fields(self, background: int) -> npt.NDArray[np.void]:
        fields = self.fields.copy()
        if background:
            config = self.config
            for name, depth in (
                ("dst_idx", config.acc_depth),
                ("src_idx", config.inp_depth),
                ("wgt_idx", config.wgt_depth),
            ):
                fields[name] ^= depth - 1
        return fields

    def read(self, program: Sequence, first: int, background: int) -> Iterator[Read]:
        config = self.config
        fields = self._fields(background)[first : first + self.chunk]
        begin = int(fields["dst_idx"].min())
        program.move(Opcode.LOAD, MemType.ACC, begin, self.zeros + begin, self.chunk)
        program.add(Opcode.GEMM, uop_bgn=first, uop_end=first + self.chunk, iter_out=1, iter_in=1)
        seen = np.zeros((self.chunk, config.batch, config.block), np.uint8)
        at = fields["dst_idx"].astype(np.intp) - begin
        for lane, digit in enumerate((*_digits(fields["wgt_idx"]), *_digits(fields["src_idx"]))):
            seen[at, :, lane] = digit[:, None]
        number = np.empty(self.chunk, np.intp)
        number[at] = np.arange(self.chunk)
        expected, size = seen.reshape(-1), config.out_bytes
        yield Read(
            self.stored(program, begin, expected), expected,
            lambda n: (first + int(number[n // size]), n % size),
        )  # fmt: skip


def _digits(index: npt.NDArray[Any]) -> tuple[Bytes, Bytes]:
    """The low and the high part of each index, as int8 products can carry them."""
    low = index & ((1 << _DIGIT_BITS) - 1)
    return low.astype(np.uint8), (index >> _DIGIT_BITS).astype(np.uint8)
