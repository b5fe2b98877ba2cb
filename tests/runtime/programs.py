"""Programs written by hand: layers of a kernel builder and CPU steps, with a numpy reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.kernel import Kernel, KernelBuilder, MicroOps
from vta_pynq.program import (
    Arena,
    ArenaKind,
    CpuStep,
    Program,
    Relocations,
    Tensor,
    VtaStep,
    activation_layout,
)
from vta_pynq.program.layout import Layout

CONFIG = HwConfig()
ALIGNMENT = 4096
SHIFT = 4


@dataclasses.dataclass(frozen=True)
class Dense:
    """y = clip((w x) >> SHIFT): x int8 (batch, in, 1, pixels), w int8 (out, in)."""

    weights: np.ndarray
    pixels: int = 8
    config: HwConfig = CONFIG

    @property
    def in_blocks(self) -> int:
        return self.weights.shape[1] // self.config.block

    @property
    def out_blocks(self) -> int:
        return self.weights.shape[0] // self.config.block

    def x_shape(self) -> tuple[int, ...]:
        return (self.config.batch, self.weights.shape[1], 1, self.pixels)

    def y_shape(self) -> tuple[int, ...]:
        return (self.config.batch, self.weights.shape[0], 1, self.pixels)

    def reference(self, x: np.ndarray) -> np.ndarray:
        acc = np.einsum("oi,nihw->nohw", self.weights.astype(np.int64), x.astype(np.int64))
        return np.clip(acc >> SHIFT, -127, 127).astype(np.int8)

    def tiles(self) -> np.ndarray:
        """The weights as the accelerator wants them: [out block][in block][out][in]."""
        block = self.config.block
        shape = (self.out_blocks, block, self.in_blocks, block)
        return np.ascontiguousarray(self.weights.reshape(shape).transpose(0, 2, 1, 3))

    def kernel(self, name: str = "dense") -> Kernel:
        """A kernel with buffers `x`, `w` (with content) and `y`."""
        pixels, ins, outs = self.pixels, self.in_blocks, self.out_blocks
        b = KernelBuilder(self.config, auto_sync=True, name=name)
        x = b.dram("x", MemType.INP, ins * pixels)
        w = b.dram("w", MemType.WGT, ins * outs, self.tiles())
        y = b.dram("y", MemType.OUT, outs * pixels)
        b.load(MemType.WGT, 0, w, x=ins * outs)
        b.load(MemType.INP, 0, x, x=ins * pixels)
        pixel, tile = np.arange(pixels), np.arange(outs)[:, None] * pixels
        every = MicroOps((tile + pixel).reshape(-1), (tile + pixel).reshape(-1))
        b.push_gemm(every, reset=True)
        for i in range(ins):
            dst = (tile + pixel).reshape(-1)
            src = np.broadcast_to(i * pixels + pixel, (outs, pixels)).reshape(-1)
            wgt = np.repeat(np.arange(outs) * ins + i, pixels)
            b.push_gemm(MicroOps(dst, src, wgt))
        b.push_alu(AluOp.SHR, every, imm=SHIFT)
        b.push_alu(AluOp.MAX, every, imm=-127)
        b.push_alu(AluOp.MIN, every, imm=127)
        b.store(0, y, x=outs * pixels)
        return b.build()


class Maker:
    """Collects the parts of a program."""

    def __init__(self, model: str = "net", config: HwConfig = CONFIG) -> None:
        self.model, self.config = model, config
        self.arenas: list[Arena] = []
        self.tensors: list[Tensor] = []
        self.steps: list[Any] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self._words: list[np.ndarray] = []
        self._relocations: list[tuple[int, int]] = []
        self._insns = 0

    def arena(self, name: str, kind: ArenaKind, nbytes: int, data: Any = None) -> str:
        self.arenas.append(Arena(name, kind, nbytes, ALIGNMENT, data))
        return name

    def activation_bytes(self, shape: tuple[int, ...]) -> int:
        return Layout.parse(self.blocked).stored_elems(shape)

    @property
    def blocked(self) -> str:
        return activation_layout(self.config.batch, self.config.block)

    def tensor(
        self, name: str, shape: tuple[int, ...], kind: ArenaKind | None = ArenaKind.SCRATCH,
        dtype: str = "int8", layout: str | None = None, arena: str | None = None, offset: int = 0,
        **more: Any,
    ) -> str:  # fmt: skip
        """A tensor in an arena of its own, unless `arena` names one."""
        tensor = Tensor(
            name, shape, dtype, self.blocked if layout is None else layout, arena or name, offset,
            **more,
        )  # fmt: skip
        if arena is None:
            assert kind is not None
            self.arena(name, kind, tensor.bytes)
        self.tensors.append(tensor)
        if kind is ArenaKind.INPUT:
            self.inputs.append(name)
        if kind is ArenaKind.OUTPUT:
            self.outputs.append(name)
        return name

    def vta(self, name: str, kernel: Kernel, **tensors: str) -> None:
        """Append a kernel's submissions; `tensors` gives the tensor of each activation buffer."""
        by_name = {tensor.name: tensor for tensor in self.tensors}
        offsets, arenas = {}, {}
        for buffer in kernel.buffers:
            if buffer.name in tensors:
                tensor = by_name[tensors[buffer.name]]
                arenas[buffer.index], offsets[buffer.name] = tensor.arena, tensor.offset
            else:
                const = self.arena(
                    f"{name}_{buffer.name}", ArenaKind.CONST, buffer.bytes, buffer.data
                )
                arenas[buffer.index], offsets[buffer.name] = const, 0
        index = {arena.name: number for number, arena in enumerate(self.arenas)}
        for insn, buffer in zip(
            kernel.reloc_insn.tolist(), kernel.reloc_buffer.tolist(), strict=True
        ):
            self._relocations.append((self._insns + insn, index[arenas[buffer]]))
        self._words.append(kernel.link(offsets))
        stored = [tensors["y"]]
        loaded = [tensor for buffer, tensor in tensors.items() if buffer != "y"]
        for number, (begin, end) in enumerate(kernel.submissions):
            label = name if len(kernel.submissions) == 1 else f"{name}.{number}"
            self.steps.append(
                VtaStep(label, self._insns + begin, self._insns + end, tuple(loaded), tuple(stored))
            )
        self._insns += len(kernel)

    def stream(self, name: str, words: np.ndarray, outputs: tuple[str, ...]) -> None:
        """Append a submission as it is, without relocations."""
        end = self._insns + len(words)
        self.steps.append(VtaStep(name, self._insns, end, (), outputs))
        self._words.append(words)
        self._insns = end

    def cpu(self, name: str, op: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        self.steps.append(CpuStep(name, op, tuple(inputs), tuple(outputs), attributes))

    def build(self) -> Program:
        insns = [insn for insn, _ in self._relocations]
        arenas = [arena for _, arena in self._relocations]
        words = np.concatenate(self._words) if self._words else np.zeros((0, 2), np.uint64)
        return Program(
            model=self.model,
            config=self.config,
            words=words,
            steps=tuple(self.steps),
            arenas=tuple(self.arenas),
            tensors=tuple(self.tensors),
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
            relocations=Relocations(np.array(insns, np.uint32), np.array(arenas, np.uint16)),
        )


def random_weights(rng: np.random.Generator, outs: int, ins: int) -> np.ndarray:
    return rng.integers(-32, 32, (outs, ins)).astype(np.int8)


def vta_only(dense: Dense, name: str = "net") -> Program:
    """One submission between an input and an output arena of the accelerator."""
    maker = Maker(name, dense.config)
    maker.tensor("x", dense.x_shape(), ArenaKind.INPUT)
    maker.tensor("y", dense.y_shape(), ArenaKind.OUTPUT)
    maker.vta("dense", dense.kernel(), x="x", y="y")
    return maker.build()


def chain(first: Dense, second: Dense, name: str = "chain") -> Program:
    """Two submissions; what lies between them only the accelerator sees."""
    maker = Maker(name, first.config)
    maker.tensor("x", first.x_shape(), ArenaKind.INPUT)
    maker.tensor("h", first.y_shape(), ArenaKind.SCRATCH)
    maker.tensor("y", second.y_shape(), ArenaKind.OUTPUT)
    maker.vta("first", first.kernel(), x="x", y="h")
    maker.vta("second", second.kernel(), x="h", y="y")
    return maker.build()


def empty(config: HwConfig = CONFIG) -> Program:
    """Only FINISH. A program has an output, and a step that claims to write it."""
    finish = np.zeros(1, INSN_DTYPE)
    finish["opcode"] = Opcode.FINISH
    maker = Maker("empty", config)
    maker.tensor("y", (1,), ArenaKind.OUTPUT, layout="C")
    maker.stream("finish", encode(finish, config), outputs=("y",))
    return maker.build()
