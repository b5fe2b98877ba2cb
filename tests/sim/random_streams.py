"""Random legal streams on random small configurations, ordered by tokens from end to end."""

from __future__ import annotations

import numpy as np

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode, elem_bytes, sram_depth
from vta_pynq.selftest.sequence import in_order
from vta_pynq.stream import InstructionStream, Segment

__all__ = ["DEFAULT", "random_config", "random_stream"]

DEFAULT = HwConfig()
REGION_BYTES = 1 << 20
INSN_PHYS = 16 * REGION_BYTES
AREA_ELEMS = 96


def random_config(rng: np.random.Generator) -> HwConfig:
    """Any widths, batch and block; small buffers."""
    while True:
        acc_width, batch, block = rng.integers(3, 6), rng.integers(0, 3), rng.integers(0, 7)
        inp_width, wgt_width = rng.integers(0, acc_width + 1, 2)
        if rng.integers(2):
            inp_width = wgt_width = 3
        depth = rng.integers(2, 7, 4)
        able = (Capability.ALU_MUL, Capability.LOAD_ACC8, Capability.ALU_REQUANT)
        capabilities = [c for c in able if rng.integers(2)]
        try:
            return HwConfig(
                int(inp_width), int(wgt_width), int(acc_width), int(batch), int(block),
                int(depth[0] + 2),
                int(depth[1] + batch + block + inp_width - 3),
                int(depth[2] + 2 * block + wgt_width - 3),
                int(depth[3] + batch + block + acc_width - 3),
                frozenset(capabilities),
            )  # fmt: skip
        except ConfigError:
            continue


class _Builder:
    def __init__(self, config: HwConfig, rng: np.random.Generator, hls: bool) -> None:
        self.config, self.rng, self.hls = config, rng, hls
        self.insns: list[np.void] = []
        self.uops = self._uop_buffer()

    def _uop_buffer(self) -> np.ndarray:
        """Kernels with the patterns that engines look for, and some without any."""
        config, rng = self.config, self.rng
        uops = np.zeros(config.uop_depth, UOP_DTYPE)
        at = 0
        while at < len(uops):
            n = int(rng.integers(1, 13))
            depths = (config.acc_depth, min(config.inp_depth, config.acc_depth), config.wgt_depth)
            for name, depth in zip(UOP_DTYPE.names, depths, strict=True):
                top = max(1, depth // 2) if rng.integers(2) else depth
                base, step = rng.integers(top), rng.integers(0, 3)
                pattern = (base + step * np.arange(n)) % top
                if rng.integers(3) == 0:
                    pattern = rng.integers(0, top, n)
                uops[name][at : at + n] = pattern[: len(uops) - at]
            at += n
        return uops

    def add(self, **fields: int) -> np.void:
        insn = np.zeros((), INSN_DTYPE)
        for name, value in fields.items():
            insn[name] = value
        self.insns.append(insn)
        return insn

    def load(self, kind: MemType) -> None:
        rng = self.rng
        target = MemType.ACC if kind == MemType.ACC_8BIT else kind
        depth = sram_depth(self.config, target)
        pads = rng.integers(0, 3, 4) * rng.integers(0, 2, 4)
        if kind == MemType.UOP:
            pads[:] = 0
        x_size, y_size = int(rng.integers(1, min(depth, 24) + 1)), int(rng.integers(1, 4))
        if kind == MemType.UOP:
            x_size, y_size = len(self.uops), 1
        width = x_size + int(pads[0] + pads[1])
        height = y_size + int(pads[2] + pads[3])
        if width * height > depth:
            pads[:] = 0
            x_size, y_size, width, height = min(x_size, depth), 1, min(x_size, depth), 1
        stride = x_size + int(rng.integers(0, 3))
        room = AREA_ELEMS - (y_size - 1) * stride - x_size
        base = 0 if kind == MemType.UOP else int(rng.integers(0, max(1, room)))
        self.add(
            opcode=Opcode.LOAD, memory_type=kind, x_size=x_size, y_size=y_size, x_stride=stride,
            x_pad_0=pads[0], x_pad_1=pads[1], y_pad_0=pads[2], y_pad_1=pads[3],
            sram_base=int(rng.integers(0, depth - width * height + 1)),
            dram_base=_area(kind) // elem_bytes(self.config, kind) + base,
        )  # fmt: skip

    def store(self) -> None:
        rng, depth = self.rng, self.config.acc_depth
        x_size = int(rng.integers(1, min(depth, 8) + 1))
        y_size = int(rng.integers(1, depth // x_size + 1))
        y_size = min(y_size, 4)
        stride = x_size + int(rng.integers(0, 3))
        area = _area(MemType.OUT) // self.config.out_bytes
        self.add(
            opcode=Opcode.STORE, memory_type=MemType.OUT, x_size=x_size, y_size=y_size,
            x_stride=stride, sram_base=int(rng.integers(0, depth - x_size * y_size + 1)),
            dram_base=area + int(rng.integers(0, AREA_ELEMS - y_size * stride)),
        )  # fmt: skip

    def loops(self, opcode: Opcode) -> None:
        rng, config = self.rng, self.config
        bgn = int(rng.integers(0, len(self.uops)))
        end = int(rng.integers(bgn, min(len(self.uops), bgn + 14) + 1))
        iters = [int(n) for n in rng.integers(0 if rng.integers(9) == 0 else 1, 7, 2)]
        fields = {"uop_bgn": bgn, "uop_end": end, "iter_out": iters[0], "iter_in": iters[1]}
        chosen = self.uops[bgn:end]
        depths = {"dst": config.acc_depth, "src": config.inp_depth, "wgt": config.wgt_depth}
        if opcode == Opcode.ALU:
            depths = {"dst": config.acc_depth, "src": config.acc_depth}
            fields |= {
                "alu_opcode": int(rng.integers(5)),
                "use_imm": int(rng.integers(2)),
                "imm": int(rng.choice([rng.integers(-32768, 32768), rng.integers(-40, 40)])),
            }
            if self.hls and fields["alu_opcode"] == AluOp.SHR and config.acc_width != 32:
                fields["alu_opcode"] = int(AluOp.MAX)  # only the 32-bit shifter is documented
        elif opcode == Opcode.REQUANT:
            depths = {"dst": config.acc_depth, "src": config.acc_depth}
            fields |= {
                "use_bias": int(rng.integers(2)),
                "use_mul": int(rng.integers(2)),
                "shift": int(rng.choice([rng.integers(32), rng.integers(8)])),
                "clip_lo": int(rng.choice([-128, rng.integers(-128, 128)])),
                "clip_hi": int(rng.choice([127, rng.integers(128)])),
            }
        else:
            fields["reset"] = int(rng.integers(4) == 0)
        for name, depth in depths.items():
            slack = depth - 1 - int(chosen[f"{name}_idx"].max(initial=0))
            for count, loop in zip(iters, ("out", "in"), strict=True):
                top = slack // (count - 1) if count > 1 else depth - 1
                factor = int(rng.integers(0, min(top, 7) + 1))
                fields[f"{name}_factor_{loop}"] = factor
                slack -= factor * max(0, count - 1)
        self.add(opcode=opcode, **fields)


def _area(kind: MemType) -> int:
    return REGION_BYTES * (1 + kind)


def random_stream(
    rng: np.random.Generator, config: HwConfig, hls: bool = False, length: int = 24
) -> InstructionStream:
    """A stream of about `length` instructions whose result does not depend on timing."""
    build = _Builder(config, rng, hls)
    for kind in (MemType.UOP, MemType.ACC, MemType.INP, MemType.WGT):
        build.load(kind)
    for _ in range(length):
        choice = rng.integers(10)
        if choice < 3:
            build.loops(Opcode.GEMM)
        elif choice < 6:
            able = config.has(Capability.ALU_REQUANT)
            build.loops(Opcode.REQUANT if able and rng.integers(3) == 0 else Opcode.ALU)
        elif choice < 8:
            kinds = [MemType.INP, MemType.WGT, MemType.ACC, MemType.ACC_8BIT]
            build.load(MemType(rng.choice(kinds)))
        else:
            build.store()
    build.store()
    build.add(opcode=Opcode.LOAD, memory_type=MemType.UOP)
    build.add(opcode=Opcode.FINISH)
    words = encode(in_order(build.insns), config)
    segments = [Segment("insn", "INSN", INSN_PHYS, words.nbytes, words.view(np.uint8).reshape(-1))]
    for kind in MemType:
        size = AREA_ELEMS * elem_bytes(config, kind)
        data = rng.integers(0, 256, size, np.uint8)
        if kind == MemType.UOP:
            data = encode_uops(build.uops, config).view(np.uint8)
            size = data.size
        segments.append(Segment(kind.name, kind.name, _area(kind), size, data))
    return InstructionStream("random", config, words, tuple(segments))
