"""Random valid programs: chains of CPU and accelerator steps on a random configuration."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.strategies import hw_configs
from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import MemType, Opcode, elem_bytes
from vta_pynq.program import (
    Arena,
    ArenaKind,
    CpuStep,
    LayerReport,
    Program,
    Quantization,
    Relocations,
    Tensor,
    VtaStep,
    activation_layout,
)
from vta_pynq.stream import StreamLabel

SMALL = HwConfig()
_CONST, _SCRATCH, _INPUT, _OUTPUT = range(4)


def _attribute(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return tuple(_attribute(rng, depth - 1) for _ in range(rng.randrange(4)))
    if kind == 7:
        return {f"k{i}": _attribute(rng, depth - 1) for i in range(rng.randrange(3))}
    return (
        None,
        rng.random() < 0.5,
        rng.randrange(-(1 << 63), 1 << 63),
        rng.uniform(-1e30, 1e30),
        rng.choice(["", "same", "größe", "line\nbreak"]),
        rng.choice([0.0, -0.0, 1.0, 5e-324]),
    )[kind]


class _Builder:
    """Instructions and relocations of one program, step by step."""

    def __init__(self, rng: random.Random, config: HwConfig, const_bytes: int) -> None:
        self.rng, self.config, self.const_bytes = rng, config, const_bytes
        self.records: list[np.ndarray] = []
        self.relocations: list[tuple[int, int]] = []

    def _add(self, opcode: Opcode, arena: int | None = None, **fields: int) -> None:
        record = np.zeros(1, INSN_DTYPE)
        record["opcode"] = opcode
        for flag in ("pop_prev", "pop_next", "push_prev", "push_next"):
            record[flag] = self.rng.randrange(2)
        for name, value in fields.items():
            record[name] = value
        if arena is not None:
            self.relocations.append((len(self.records), arena))
        self.records.append(record)

    def move(self, opcode: Opcode, kind: MemType, arena: int, begin: int, size: int) -> None:
        """A random rectangle inside bytes `begin..begin+size` of an arena."""
        elem = elem_bytes(self.config, kind)
        x = self.rng.randint(1, size // elem)
        y = self.rng.randint(1, 3)
        stride = self.rng.randint(0, (size // elem - x) // max(1, y - 1))
        if y > 1 and stride == 0 and self.rng.random() < 0.5:
            y = 1
        slack = size // elem - ((y - 1) * stride + x)
        base = begin // elem + self.rng.randint(0, slack)
        sizes = {"x_size": x, "y_size": y, "x_stride": stride}
        self._add(opcode, arena, memory_type=kind, dram_base=base, **sizes)

    def submission(self, source: tuple[int, int, int], target: tuple[int, int, int]) -> None:
        """One step's instructions; `source` and `target` are arena, offset, bytes."""
        for kind in (MemType.UOP, MemType.WGT, MemType.ACC):
            if self.rng.random() < 0.7:
                self.move(Opcode.LOAD, kind, _CONST, 0, self.const_bytes)
        if self.rng.random() < 0.9:
            self.move(Opcode.LOAD, MemType.INP, *source)
        if self.rng.random() < 0.3:
            self._add(Opcode.LOAD, memory_type=MemType.INP)
        self._add(Opcode.GEMM, iter_out=1, iter_in=2)
        self._add(Opcode.ALU, iter_out=1, iter_in=1, imm=self.rng.randrange(-9, 9))
        if self.config.has(Capability.ALU_REQUANT):
            self._add(Opcode.REQUANT, iter_out=1, iter_in=1, shift=7, use_bias=1, clip_hi=127)
        self.move(Opcode.STORE, MemType.OUT, *target)
        self._add(Opcode.FINISH)


def random_program(rng: random.Random, config: HwConfig = SMALL) -> Program:
    """A valid program that differs with every state of `rng`."""
    align = max(elem_bytes(config, kind) for kind in MemType)
    align = max(align, rng.choice([8, 64, 4096]))
    layers = rng.randint(1, 3)
    size = config.inp_bytes * rng.randint(1, 5)
    slot = -(-size // align) * align
    const_bytes = max(align, 64) * rng.randint(1, 3)
    data = np.frombuffer(rng.randbytes(const_bytes), np.uint8)
    arenas = (
        Arena("weights", ArenaKind.CONST, const_bytes, align, data),
        Arena("activations", ArenaKind.SCRATCH, 2 * slot, align),
        Arena("x", ArenaKind.INPUT, size, align),
        Arena("y", ArenaKind.OUTPUT, size + rng.randrange(3), align),
    )
    on_cpu = rng.random() < 0.5
    builder = _Builder(rng, config, const_bytes)
    places = [(_INPUT, 0, size)]
    tensors, steps, labels = [_tensor(rng, config, "x", "x", 0, size, None)], [], []
    if on_cpu:
        attributes = {"k": _attribute(rng), "list": _attribute(rng)}
        steps.append(CpuStep("in", "quantize", ("x",), ("a0",), attributes))
        places.append((_SCRATCH, 0, size))
        tensors.append(_tensor(rng, config, "a0", "activations", 0, size, (0, 1)))
    count = layers + len(steps)
    for number in range(len(steps), count):
        last = number == count - 1
        name = "y" if last else f"a{number}"
        place = (_OUTPUT, 0, size) if last else (_SCRATCH, number % 2 * slot, size)
        begin = len(builder.records)
        builder.submission(places[-1], place)
        live = None if last else (number, number + 1)
        source = tensors[-1].name
        tensors.append(_tensor(rng, config, name, arenas[place[0]].name, place[1], size, live))
        steps.append(VtaStep(f"step{number}", begin, len(builder.records), (source,), (name,)))
        labels.append(StreamLabel(begin, len(builder.records) - 1, f"conv/{number}"))
        places.append(place)
    if rng.random() < 0.5:
        tensors.append(Tensor("y_view", (1,), "uint8", "C", "y", 0, None, None, "y"))
    if rng.random() < 0.5:
        tensors.append(Tensor("bias", (4, 2), "int32", "NC", "weights", 32))
    insn, arena = zip(*builder.relocations, strict=True)
    return Program(
        model=rng.choice(["net", "résumé 7"]),
        config=config,
        words=encode(np.concatenate(builder.records), config, "width"),
        steps=tuple(steps),
        arenas=arenas,
        tensors=tuple(tensors),
        inputs=("x",),
        outputs=("y",),
        relocations=Relocations(np.array(insn), np.array(arena)),
        labels=tuple(labels),
        layers=(LayerReport("conv", "Conv", len(steps) - 1, ("n1",), 7, 8, rng.choice([None, 3])),),
        metadata={"compiler": "test", "note": "two\nlines"},
    )


def _tensor(
    rng: random.Random, config: HwConfig, name: str, arena: str, offset: int, size: int,
    live: tuple[int, int] | None,
) -> Tensor:  # fmt: skip
    if config.inp_width == 8 and rng.random() < 0.6:
        elems = size // config.inp_bytes
        channels = rng.randint(1, config.block)
        points = tuple(rng.randint(-128, 127) for _ in range(channels))
        scales = tuple(rng.uniform(1e-6, 9.0) for _ in range(channels))
        layout = activation_layout(config.batch, config.block)
        shape = (rng.randint(1, config.batch), channels, 1, elems)
        return Tensor(
            name, shape, "int8", layout, arena, offset, Quantization(scales, points, 1), live
        )
    quantization = rng.choice([None, Quantization((0.5,), (3,))])
    return Tensor(name, (size,), "uint8", "C", arena, offset, quantization, live)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Valid programs on legal configurations."""
    config = draw(hw_configs(max_log_block=5, max_log_batch=2))
    return random_program(random.Random(draw(st.integers(0, 1 << 32))), config)
