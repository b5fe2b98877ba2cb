"""A short numpy interpreter of the instruction set: DRAM image in, DRAM image out.

It is the yardstick of the engines, of the HLS design and of hardware under self-test, so it shares
nothing with any of them but the instruction table. Profiles: `functional` (the instruction set's
own semantics), `hls` (the published HLS design) and `chisel` (the current Chisel design).
docs/isa.md, "Implementation differences", lists where they part. Pipelines are not modelled: an
instruction's micro-ops act one after the other, and are computed together where none reads what
another one wrote.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.encode import decode, decode_uops
from vta_pynq.isa.table import TOKENS, AluOp, MemType, Module, Opcode, elem_bytes, module_of
from vta_pynq.selftest.memory import Dram, Ints, element_shape, pack, unpack, wrap
from vta_pynq.selftest.requant import in_order
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import CHISEL_64BIT

__all__ = [
    "MODULES", "Deadlock", "Hang", "Machine", "Profile", "ReferenceFault", "Result", "run_stream",
]  # fmt: skip

Profile = Literal["functional", "hls", "chisel"]

MODULES = (Module.LOAD, Module.COMPUTE, Module.STORE)
_CHISEL_UOP_DEPTH = CHISEL_64BIT.uop_depth_limit or 0
_SHIFT_BITS = 5  # of the shift amount that hardware looks at
_TOGETHER = 256
"""Micro-ops of a GEMM that are computed at a time; each takes a copy of its weight tile."""


class ReferenceFault(Exception):
    """The stream does what no implementation defines; `insn` is the instruction's index."""

    def __init__(self, insn: int, what: str) -> None:
        super().__init__(f"insn {insn}: {what}")
        self.insn = insn


class Deadlock(ReferenceFault):
    """No module can go on; `heads` gives the instruction each module waits in."""

    def __init__(self, heads: dict[Module, int]) -> None:
        waits = ", ".join(f"{module.name} at insn {insn}" for module, insn in heads.items())
        super().__init__(min(heads.values()), f"deadlock: {waits}")
        self.heads = heads


class Hang(ReferenceFault):
    """The hardware of this profile stops for ever on this instruction."""


@dataclasses.dataclass
class Result:
    """What is left after a run."""

    dram: Dram
    tokens: dict[str, int]
    trace: list[int]
    """Instruction indices in the order of execution."""
    finished: bool
    """Whether a FINISH was executed."""
    machine: Machine


def run_stream(
    stream: InstructionStream,
    profile: Profile = "functional",
    dram: Dram | None = None,
    order: Sequence[Module] = MODULES,
    queue_depth: int | None = None,
    machine_type: type[Machine] | None = None,
) -> Result:
    """Execute a stream on a copy of `dram` (default: the stream's segments).

    `order` is the order in which ready modules take turns, one instruction each; a stream whose
    tokens order all it shares gives the same DRAM for every order. `queue_depth` bounds the
    instruction queues. `machine_type` executes the instructions, one with faults in tests.

    Raises
    ------
    ReferenceFault
        An access out of bounds, an undefined operation, a hang or a deadlock.
    """
    if dram is None:
        dram = Dram((s.phys, s.data) for s in stream.segments if s.data is not None)
    machine = (machine_type or Machine)(stream.config, profile, dram.copy())
    insns = decode(stream.words, stream.config)
    tokens = dict(zip((t.name for t in TOKENS), stream.tokens_in, strict=True))
    queues: dict[Module, deque[int]] = {module: deque() for module in MODULES}
    trace: list[int] = []
    fetched = 0
    while fetched < len(insns) or any(queues.values()):
        progress = False
        while fetched < len(insns):
            module = module_of(int(insns["opcode"][fetched]), int(insns["memory_type"][fetched]))
            if module is None or not machine.knows(insns["opcode"][fetched]):
                raise ReferenceFault(fetched, f"opcode {insns[fetched]['opcode']} is not defined")
            if queue_depth is not None and len(queues[module]) >= queue_depth:
                break
            queues[module].append(fetched)
            fetched += 1
        for module in order:
            if queues[module] and _pop_tokens(module, insns[queues[module][0]], tokens):
                index = queues[module].popleft()
                machine.execute(index, insns[index])
                for token in TOKENS:
                    tokens[token.name] += token.producer == module and insns[index][token.push_flag]
                trace.append(index)
                progress = True
        if not progress:
            raise Deadlock({module: queue[0] for module, queue in queues.items() if queue})
    finished = bool(np.any(insns["opcode"] == Opcode.FINISH))
    return Result(machine.dram, {k: int(v) for k, v in tokens.items()}, trace, finished, machine)


def _pop_tokens(module: Module, insn: np.void, tokens: dict[str, int]) -> bool:
    """Take every token the instruction waits for, or none. Flags without a partner mean nothing."""
    popped = [t.name for t in TOKENS if t.consumer == module and insn[t.pop_flag]]
    if any(tokens[name] < 1 for name in popped):
        return False
    for name in popped:
        tokens[name] -= 1
    return True


class Machine:
    """The SRAMs and the meaning of one instruction."""

    def __init__(self, config: HwConfig, profile: Profile, dram: Dram) -> None:
        self.config, self.profile, self.dram = config, profile, dram
        depth = {
            MemType.UOP: config.uop_depth,
            MemType.WGT: config.wgt_depth,
            MemType.INP: config.inp_depth,
            MemType.ACC: config.acc_depth,
            MemType.OUT: config.out_depth,
        }
        if profile == "chisel":
            depth[MemType.UOP] = min(depth[MemType.UOP], _CHISEL_UOP_DEPTH)
        self.sram = {
            kind: np.zeros((count, *element_shape(config, kind)[0]), np.int64)
            for kind, count in depth.items()
        }

    def execute(self, index: int, insn: np.void) -> None:
        """Carry out one instruction, tokens aside."""
        try:
            meaning = {
                Opcode.LOAD: self.load,
                Opcode.STORE: self.store,
                Opcode.GEMM: self.gemm,
                Opcode.ALU: self.alu,
                Opcode.REQUANT: self.requant,
            }.get(insn["opcode"])
            if meaning is not None:  # FINISH only ends the stream
                meaning(insn)
        except (IndexError, NotImplementedError) as error:
            fault = Hang if isinstance(error, NotImplementedError) else ReferenceFault
            raise fault(index, str(error)) from error

    # ---- memory --------------------------------------------------------------------------

    def _span(self, kind: MemType, begin: int, count: int) -> slice:
        if begin + count > len(self.sram[kind]):
            raise IndexError(f"{kind.name} elements {begin}..{begin + count - 1} do not exist")
        return slice(begin, begin + count)

    def _read_row(self, kind: MemType, dram_base: int, count: int) -> Ints:
        size = elem_bytes(self.config, kind)
        shape, bits = element_shape(self.config, kind)
        return unpack(self.dram.read(dram_base * size, count * size), bits).reshape(-1, *shape)

    def load(self, insn: np.void) -> None:
        """LOAD: the padded image of DRAM rows goes to SRAM, row after row."""
        y_size, x_size, x_stride, dram, base = (
            int(insn[n]) for n in ("y_size", "x_size", "x_stride", "dram_base", "sram_base")
        )
        top, bottom, left, right = (
            int(insn[n]) for n in ("y_pad_0", "y_pad_1", "x_pad_0", "x_pad_1")
        )
        if x_size == 0 and self.profile != "hls":
            return
        if insn["memory_type"] not in (*self.sram, MemType.ACC_8BIT):
            raise IndexError(f"memory type {insn['memory_type']} is not defined")
        kind = target = MemType(insn["memory_type"])
        if kind == MemType.OUT:
            raise IndexError("LOAD of OUT is not defined")
        if kind == MemType.ACC_8BIT:
            target = MemType.ACC
            if not self.config.has(Capability.LOAD_ACC8):
                if self.profile == "chisel":
                    raise NotImplementedError("the fetch decoder does not know ACC_8BIT")
                if self.profile == "hls":
                    return
        if self.profile == "hls" and kind in (MemType.UOP, MemType.WGT):
            top = bottom = left = right = 0
            if kind == MemType.UOP:
                y_size = 1
        width = left + x_size + right
        image = np.zeros((top + y_size + bottom, width, *self.sram[target].shape[1:]), np.int64)
        for y in range(y_size if x_size else 0):
            image[top + y, left : left + x_size] = self._read_row(kind, dram + y * x_stride, x_size)
        count = image.shape[0] * width
        if self.profile == "chisel" and kind == MemType.UOP:
            rows = np.arange(base, base + count) % len(self.sram[kind])
            self.sram[kind][rows] = image.reshape(-1)
        else:
            flat = image.reshape(count, *image.shape[2:])
            self.sram[target][self._span(target, base, count)] = flat

    def store(self, insn: np.void) -> None:
        """STORE: SRAM elements go to DRAM rows."""
        if not insn["x_size"] or not insn["y_size"]:
            return
        if insn["memory_type"] != MemType.OUT:
            raise IndexError(f"STORE of memory type {insn['memory_type']} is not defined")
        source = MemType.ACC if self.profile == "functional" else MemType.OUT
        x_size, size = int(insn["x_size"]), self.config.out_bytes
        for y in range(int(insn["y_size"])):
            values = self.sram[source][
                self._span(source, int(insn["sram_base"]) + y * x_size, x_size)
            ]
            phys = (int(insn["dram_base"]) + y * int(insn["x_stride"])) * size
            self.dram.write(phys, pack(values, self.config.out_width))

    # ---- compute -------------------------------------------------------------------------

    def _indices(self, insn: np.void) -> dict[str, Ints]:
        """Accumulator, source and weight index of every micro-op, in the order of execution."""
        counts = [int(insn["iter_out"]), int(insn["iter_in"])]
        bgn, end = int(insn["uop_bgn"]), int(insn["uop_end"])
        if self.profile == "chisel" and (0 in counts or bgn >= end):
            raise NotImplementedError("zero iterations wrap the loop counter")
        numbers = np.arange(bgn, max(bgn, end))
        if self.profile == "chisel":
            numbers %= len(self.sram[MemType.UOP])
        elif end > len(self.sram[MemType.UOP]):
            raise IndexError(f"micro-op {end - 1} does not exist")
        uops = decode_uops(self.sram[MemType.UOP][numbers].astype(np.uint32), self.config)
        outer, inner = np.ogrid[: counts[0], : counts[1]]
        return {
            name: (
                (outer * int(insn[f"{name}_factor_out"]) + inner * int(insn[f"{name}_factor_in"]))
                .reshape(-1, 1)
                .astype(np.int64)
                + uops[f"{name}_idx"]
            ).reshape(-1)
            for name in ("dst", "src", "wgt")
        }

    def _check(self, kind: MemType, indices: Ints) -> None:
        if indices.size and indices.max() >= len(self.sram[kind]):
            raise IndexError(f"{kind.name} element {indices.max()} does not exist")

    def _put(self, dst: Any, values: Ints, out: Ints) -> None:
        """Write accumulators and the output buffer; `dst` is one index or several."""
        self.sram[MemType.ACC][dst] = values
        self.sram[MemType.OUT][dst] = wrap(out, self.config.out_width)

    def gemm(self, insn: np.void) -> None:
        """GEMM: clear accumulators, or add products of inputs and weight tiles to them."""
        at = self._indices(insn)
        self._check(MemType.ACC, at["dst"])
        if not insn["reset"] or self.profile == "hls":
            self._check(MemType.INP, at["src"])
            self._check(MemType.WGT, at["wgt"])
        else:  # the reset alone; the OUT buffer keeps what it has
            self.sram[MemType.ACC][at["dst"]] = 0
            return
        for begin in range(0, len(at["dst"]), _TOGETHER):
            part = slice(begin, begin + _TOGETHER)
            tiles = self.sram[MemType.WGT][at["wgt"][part]]
            # One product of a batch of rows and a tile for each micro-op.
            products = self.sram[MemType.INP][at["src"][part]] @ tiles.swapaxes(1, 2)
            if insn["reset"]:
                self._reset_in_order(at["dst"][part], products)
            else:
                self._accumulate(at["dst"][part], products)

    def _accumulate(self, dst: Ints, products: Ints) -> None:
        """Add each product to its accumulator; sums modulo 2^wA come out in any order."""
        order = np.argsort(dst, kind="stable")
        places, begins = np.unique(dst[order], return_index=True)
        sums = self.sram[MemType.ACC][places] + np.add.reduceat(products[order], begins, axis=0)
        total = wrap(sums, self.config.acc_width)
        self._put(places, total, total)

    def _reset_in_order(self, dst: Ints, products: Ints) -> None:
        """The published HLS design: OUT gets the sum that the accumulator would have had."""
        acc = self.sram[MemType.ACC]
        for place, product in zip(dst, products, strict=True):
            self._put(place, np.zeros_like(product), acc[place] + product)

    def alu(self, insn: np.void) -> None:
        """ALU: one operation on accumulators, with an immediate or other accumulators."""
        at = self._indices(insn)
        imm, use_imm, op = int(insn["imm"]), bool(insn["use_imm"]), int(insn["alu_opcode"])
        self._check(MemType.ACC, at["dst"])
        if not use_imm or self.profile == "chisel":
            self._check(MemType.ACC, at["src"])
        if self.profile == "chisel" and self.config.batch > 1:
            raise NotImplementedError("the ALU works for a batch of 1 only")
        if self.profile == "chisel":
            self._alu_in_order(insn, at)
        elif self._is_independent(at, use_imm):
            self._alu_step(op, imm, use_imm, at["dst"], at["src"])
        else:
            for dst, src in zip(at["dst"], at["src"], strict=True):
                self._alu_step(op, imm, use_imm, dst, src)

    def _is_independent(self, at: dict[str, Ints], use_imm: bool) -> bool:
        """Whether every micro-op reads what was there before the first one wrote."""
        order = np.arange(len(at["dst"]))
        writer = np.full(len(self.sram[MemType.ACC]), len(order))
        writer[at["dst"]] = order  # where one is written twice, the last of its writers
        unique = np.array_equal(writer[at["dst"]], order)
        return unique and (use_imm or bool(np.all(writer[at["src"]] >= order)))

    def _alu_step(self, op: int, imm: int, use_imm: bool, dst: Any, src: Any) -> None:
        """One micro-op, or several that are independent."""
        x = self.sram[MemType.ACC][dst]
        self._alu_write(op, imm, dst, x, np.int64(imm) if use_imm else self.sram[MemType.ACC][src])

    def _alu_write(self, op: int, imm: int, dst: Any, x: Ints, y: Any) -> None:
        if op == AluOp.MUL and not self._multiplies():
            self._put(dst, x, self._without_mul(x))
            return
        result = wrap(self._operate(op, x, y, imm), self.config.acc_width)
        self._put(dst, result, result)

    def _alu_in_order(self, insn: np.void, at: dict[str, Ints]) -> None:
        """The Chisel design has no bypass to the source operand, which an immediate uses too."""
        imm, use_imm, op = int(insn["imm"]), bool(insn["use_imm"]), int(insn["alu_opcode"])
        acc = self.sram[MemType.ACC]
        written, overwritten = -1, acc[0]
        for dst, src in zip(at["dst"], at["src"], strict=True):
            operand = overwritten if src == written else acc[src]
            written, overwritten = dst, acc[dst].copy()
            x = operand if use_imm else acc[dst]
            self._alu_write(op, imm, dst, x, np.int64(imm) if use_imm else operand)

    def requant(self, insn: np.void) -> None:
        """REQUANT: bias, multiplier, rounding shift and clip, with other accumulators."""
        at = self._indices(insn)
        self._check(MemType.ACC, at["dst"])
        if insn["use_bias"] or insn["use_mul"]:
            self._check(MemType.ACC, at["src"])
        acc = self.sram[MemType.ACC]
        for dst, result in in_order(insn, at["dst"], at["src"], acc, self.config.acc_width):
            self._put(dst, result, result)

    def knows(self, opcode: int) -> bool:
        """Whether a build of the configuration has an opcode at all."""
        return opcode != Opcode.REQUANT or self.config.has(Capability.ALU_REQUANT)

    def _multiplies(self) -> bool:
        return self.profile == "functional" or self.config.has(Capability.ALU_MUL)

    def _without_mul(self, x: Ints) -> Ints:
        if self.profile == "chisel":
            raise NotImplementedError("the fetch decoder does not know MUL")
        return np.zeros_like(x)  # the HLS C simulation leaves its initial value here; undefined

    def _operate(self, op: int, x: Ints, y: Any, imm: int) -> Any:
        if op == AluOp.MIN:
            return np.minimum(x, y)
        if op == AluOp.MAX:
            return np.maximum(x, y)
        if op == AluOp.ADD:
            return x + y
        if op == AluOp.SHR:
            return self._shift(x, y, imm)
        if op == AluOp.MUL:
            return x * y
        raise IndexError(f"ALU opcode {op} is not defined")

    def _shift(self, x: Ints, y: Any, imm: int) -> Any:
        """floor(x / 2^y): exact for every amount, so 32 and more leave the sign or nothing."""
        if self.profile == "hls":
            y = wrap(y, _SHIFT_BITS)
        elif self.profile == "chisel":
            low = (1 << _SHIFT_BITS) - 1
            y = -((-y) & low) if imm < 0 else y & low
        most = np.int64(self.config.acc_width)
        right = x >> np.clip(y, 0, most)
        left = x << np.clip(-y, 0, most)
        return np.where(y >= 0, right, left)
