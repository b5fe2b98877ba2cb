"""Random programs that any implementation of a profile must execute alike, as probes."""

from __future__ import annotations

import numpy as np

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import AluOp, MemType, elem_bytes, sram_depth
from vta_pynq.kernel import DramBuffer, KernelBuilder, MicroOps
from vta_pynq.kernel.lowering import Loop
from vta_pynq.selftest.interpreter import run_stream
from vta_pynq.selftest.probe import Expected, Probe
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import HwProfile

__all__ = ["random_probe"]

_MOST = {MemType.ACC: 64, MemType.INP: 48, MemType.WGT: 8}
"""Elements of each memory that a program uses, at a random place."""
_OPERATIONS = (4, 13)
_LONGEST_LOOP = 6
_MOST_UOPS = 8


def random_probe(config: HwConfig, profile: HwProfile, seed: int) -> Probe:
    """The program of a seed, and what the numpy interpreter says that it stores.

    Loads with strides and padding, GEMM and ALU operations (REQUANT and MUL where the
    configuration has them) over loops and micro-ops, stores in rows. The kernel builder places
    the tokens and keeps the profile's distances, so that timing has no influence on the result.
    """
    program = _Program(config, profile, np.random.default_rng(seed), seed)
    stream = program.build()
    result = run_stream(stream, profile.semantics)
    out = next(s for s in stream.segments if s.name == _OUT)
    return Probe(
        f"random program {seed}",
        stream,
        (Expected(out.phys, result.dram.read(out.phys, out.size)),),
    )


_OUT = "out"


class _Program:
    def __init__(
        self, config: HwConfig, profile: HwProfile, rng: np.random.Generator, seed: int
    ) -> None:
        self.config, self.profile, self.rng = config, profile, rng
        self.builder = KernelBuilder(config, profile, auto_sync=True, name=f"random {seed}")
        self.count: dict[MemType, int] = {}
        self.base: dict[MemType, int] = {}
        self.dram: dict[MemType, DramBuffer] = {}

    def build(self) -> InstructionStream:
        """Everything is loaded, then computed with, then stored."""
        b, rng = self.builder, self.rng
        for kind, most in _MOST.items():
            depth = sram_depth(self.config, kind)
            count = self.count[kind] = min(most, depth)
            base = self.base[kind] = int(rng.integers(0, depth - count + 1))
            data = rng.integers(0, 256, 2 * count * elem_bytes(self.config, kind), np.uint8)
            self.dram[kind] = b.dram(kind.name.lower(), kind, 2 * count, data)
            b.load(kind, base, self.dram[kind], x=count)
        choices = (self._gemm, self._gemm, self._alu, self._alu, self._load)
        for _ in range(int(rng.integers(*_OPERATIONS))):
            try:
                choices[int(rng.integers(len(choices)))]()
            except KernelError:
                continue  # what this configuration cannot do; nothing was appended
        self._store()
        return b.build().stream()

    def _uops(self, kinds: tuple[MemType, ...], steps: list[Loop]) -> MicroOps:
        """Micro-ops whose indices stay in the program's part of each memory over all loops."""
        number = int(self.rng.integers(1, _MOST_UOPS + 1))
        columns = []
        for column, kind in enumerate(kinds):
            reach = sum((step[0] - 1) * step[1 + column] for step in steps)
            room = max(1, self.count[kind] - reach)
            columns.append(self.base[kind] + self.rng.integers(0, room, number))
        return MicroOps(*columns)

    def _loops(self, kinds: tuple[MemType, ...]) -> list[Loop]:
        """Up to two loops: a count, and a step for each operand."""
        found = []
        for _ in range(int(self.rng.integers(0, 3))):
            count = int(self.rng.integers(1, _LONGEST_LOOP + 1))
            steps = []
            for kind in kinds:
                most = (self.count[kind] - 1) // (2 * max(1, count - 1))
                steps.append(int(self.rng.integers(0, min(most, 8) + 1)))
            dst, src, wgt = (*steps, 0)[:3]
            found.append((count, dst, src, wgt))
        return found

    def _gemm(self) -> None:
        kinds = (MemType.ACC, MemType.INP, MemType.WGT)
        loops = self._loops(kinds)
        reset = bool(self.rng.integers(6) == 0)
        self.builder.push_gemm(self._uops(kinds, loops), *loops, reset=reset)

    def _alu(self) -> None:
        rng, kinds = self.rng, (MemType.ACC, MemType.ACC)
        loops = self._loops(kinds)
        if self.config.has(Capability.ALU_REQUANT) and rng.integers(3) == 0:
            clip = (int(rng.integers(-128, 1)), int(rng.integers(0, 128)))
            bias, mul = (bool(n) for n in rng.integers(0, 2, 2))
            uops = self._uops(kinds, loops)
            if bias and mul:  # the multiplier is the element behind the bias
                uops = MicroOps(uops.dst, np.maximum(uops.src - 1, self.base[MemType.ACC]))
            self.builder.push_requant(
                uops, *loops, shift=int(rng.integers(0, 32)), clip=clip, bias=bias, mul=mul
            )
            return
        able = [AluOp.MIN, AluOp.MAX, AluOp.ADD, AluOp.SHR]
        if self.config.has(Capability.ALU_MUL):
            able.append(AluOp.MUL)
        op = able[int(rng.integers(len(able)))]
        imm: int | None = int(rng.integers(-(1 << 15), 1 << 15))
        if op is AluOp.SHR:
            low, high = self.profile.shift_imm_range
            imm = int(rng.integers(low, high + 1))
        elif rng.integers(2):
            imm = None
        uops = self._uops(kinds, loops)
        if imm is not None:
            loops = [(count, step, step, 0) for count, step, *_ in loops]
            uops = MicroOps(uops.dst, uops.dst)
        self.builder.push_alu(op, uops, *loops, imm=imm)

    def _load(self) -> None:
        rng = self.rng
        kind = (MemType.INP, MemType.WGT, MemType.ACC)[int(rng.integers(3))]
        count = self.count[kind]
        top, bottom, left, right = (int(n) for n in rng.integers(0, 3, 4))
        if kind is MemType.WGT:  # the published design ignores their padding
            top = bottom = left = right = 0
        y, x = int(rng.integers(1, 4)), int(rng.integers(1, 8))
        width, height = left + x + right, top + y + bottom
        stride = x + int(rng.integers(0, 4))
        if width * height > count or y * stride > 2 * count:
            return
        sram = self.base[kind] + int(rng.integers(0, count - width * height + 1))
        offset = int(rng.integers(0, 2 * count - y * stride + 1))
        source = self.dram[kind][offset]
        self.builder.load(kind, sram, source, y, x, stride, (top, bottom), (left, right))

    def _store(self) -> None:
        """All accumulators: bits 0 to 7, then 8 to 15, in rows with a stride."""
        b, base, count = self.builder, self.base[MemType.ACC], self.count[MemType.ACC]
        rows = 1 << int(self.rng.integers(0, count.bit_length() - 1))
        columns = count // rows
        stride = columns + int(self.rng.integers(0, 3))
        size = rows * stride
        out = b.dram(_OUT, MemType.OUT, 2 * size)
        every = base + np.arange(rows * columns)
        for half, (op, imm) in enumerate(((AluOp.ADD, 0), (AluOp.SHR, self.config.out_width))):
            b.push_alu(op, MicroOps(every, every), imm=imm)
            b.store(base, out[half * size], rows, columns, stride)
