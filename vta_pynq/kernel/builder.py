"""KernelBuilder: write VTA kernels by hand, or emit them from a compiler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import encode
from vta_pynq.isa.table import AluOp, MemType, Module, Opcode
from vta_pynq.kernel.buffers import DramBuffer
from vta_pynq.kernel.debug import Debug
from vta_pynq.kernel.dump import dump_insns, dump_uops
from vta_pynq.kernel.kernel import INSN_NAME, UOP_NAME, Kernel
from vta_pynq.kernel.lowering import Hazards, Loop
from vta_pynq.kernel.moves import MemoryMoves
from vta_pynq.kernel.nests import KernelNest
from vta_pynq.kernel.plans import MicroOps, Operand, Plan, Planner
from vta_pynq.kernel.requant import CLIP_INT8, Requant
from vta_pynq.kernel.tracker import SramTracker
from vta_pynq.kernel.transfers import Transfer
from vta_pynq.kernel.uop_cache import UOP_PARITY, UopCache
from vta_pynq.kernel.writer import Writer
from vta_pynq.stream import StreamLabel
from vta_pynq.timing.profiles import DEFAULT_PROFILE, HwProfile, get_profile

__all__ = ["KernelBuilder"]

_UOPS = (1 << 32) - 1  # relocation of the micro-op buffer until its number is known


class KernelBuilder(MemoryMoves):
    """Builds one kernel.

    Parameters
    ----------
    config
        The configuration to build for.
    profile
        Name of the hardware profile (or the profile) whose limits hold.
    auto_sync
        Insert the dependency tokens. Otherwise `push` and `pop` place them.
    hazards
        What to do about accumulators that are used again too early: `"split"` reorders
        micro-ops or splits the instruction, `"error"` refuses.
    insn_limit
        Instructions that one submission may hold; a further one begins when it is full.
    debug
        Debug options.
    name
        The kernel's name.

    Raises
    ------
    KernelError
        Every method raises it for what the hardware cannot do; nothing was appended then
        unless the method's description says so.
    """

    def __init__(
        self,
        config: HwConfig,
        profile: str | HwProfile = DEFAULT_PROFILE,
        auto_sync: bool = False,
        hazards: Hazards = "split",
        insn_limit: int = 1 << 16,
        debug: Debug | None = None,
        name: str = "kernel",
    ) -> None:
        if hazards not in ("split", "error"):
            raise KernelError(f"builder: hazards must be 'split' or 'error', not {hazards!r}")
        if isinstance(profile, str):
            profile = get_profile(profile)
        self.name, self.debug, self.auto_sync = name, debug or Debug(), auto_sync
        writer = Writer(config, profile, insn_limit, self.debug, auto_sync)
        deps = writer.dependencies
        tracker = SramTracker(config, deps) if auto_sync and deps is not None else None
        super().__init__(config, profile, writer, tracker)
        limit = profile.uop_depth_limit
        self._cache = UopCache(config.uop_depth if limit is None else min(limit, config.uop_depth))
        self._planner = Planner(config, profile, self._cache, hazards)
        self._uop_unit = self._planner.uop_unit
        self._buffers: list[DramBuffer] = []
        self._labels: list[StreamLabel] = []

    def __len__(self) -> int:
        return len(self._writer)

    @property
    def uop_loads(self) -> int:
        """Loads of micro-ops so far; a kernel that is still in the SRAM costs none."""
        return self._cache.loads

    # ---- memory --------------------------------------------------------------------------

    def dram(
        self, name: str, mem: MemType, elems: int, data: npt.NDArray[np.generic] | None = None
    ) -> DramBuffer:
        """Declare a DRAM buffer of `elems` elements of a memory type.

        `data` is its initial content as memory holds it: any dtype, at most the buffer's bytes.
        Buffers must not overlap when the kernel is linked; tokens depend on that.
        """
        if name in (UOP_NAME, INSN_NAME) or any(b.name == name for b in self._buffers):
            raise KernelError(f"buffer '{name}': name must be unused, not taken; choose another")
        mem = MemType(mem)
        buffer = DramBuffer(name, mem, elems, self._elem_bytes[mem], len(self._buffers), data, self)
        self._buffers.append(buffer)
        return buffer

    # ---- compute -------------------------------------------------------------------------

    def uops(self, dst: Operand, src: Operand = 0, wgt: Operand = 0) -> MicroOps:
        """Micro-ops as a handle for the `push` methods: integers or arrays of a length.

        `dst` counts accumulator elements; `src` counts inputs for GEMM, accumulators for the
        ALU and REQUANT; `wgt` counts weights.
        """
        return MicroOps(dst, src, wgt)

    @contextlib.contextmanager
    def gemm(self, reset: bool = False) -> Iterator[KernelNest]:
        """`with b.gemm() as k:` multiply-accumulate over loops `k.loop` and micro-ops `k.uop`.

        Each micro-op adds the product of input `src` and weight `wgt` to accumulator `dst`;
        with `reset` it sets the accumulator to 0.
        """
        nest = KernelNest("GEMM", lambda uops, loops: self.push_gemm(uops, *loops, reset=reset))
        yield nest
        nest.flush()

    @contextlib.contextmanager
    def alu(self, op: AluOp, imm: int | None = None) -> Iterator[KernelNest]:
        """`with b.alu(AluOp.MAX, imm=0) as k:` element-wise operation over loops and micro-ops.

        Each micro-op does `acc[dst] = op(acc[dst], imm)`, or `op(acc[dst], acc[src])` where
        `imm` is None. SHR shifts right arithmetically, to the left by a negative amount.
        """
        nest = KernelNest(
            f"ALU {AluOp(op).name}", lambda uops, loops: self.push_alu(op, uops, *loops, imm=imm)
        )
        yield nest
        nest.flush()

    @contextlib.contextmanager
    def requant(
        self,
        shift: int = 0,
        clip: tuple[int, int] = CLIP_INT8,
        bias: bool = False,
        mul: bool = False,
    ) -> Iterator[KernelNest]:
        """`with b.requant(shift=7, bias=True) as k:` the fused operation over loops and micro-ops.

        Each micro-op adds accumulator `src` (`bias`), multiplies by the low 16 bits of the one
        after it, or of `src` itself without a bias (`mul`), shifts right rounding half up, and
        clips to the two bounds (-128..127, 0..127). Needs the capability `alu_requant`.
        """
        what = Requant(shift, *clip, bias, mul)
        nest = KernelNest(
            "REQUANT", lambda uops, loops: self.issue(self._planner.requant(what, uops, loops))
        )
        yield nest
        nest.flush()

    def push_gemm(self, uops: MicroOps, *loops: Loop, reset: bool = False) -> None:
        """Append a GEMM: `loops`, outermost first, are (count, dst, src, wgt step)."""
        self.issue(self._planner.gemm(uops, loops, reset))

    def push_alu(self, op: AluOp, uops: MicroOps, *loops: Loop, imm: int | None = None) -> None:
        """Append an ALU operation: `loops`, outermost first, are (count, dst, src step, 0)."""
        self.issue(self._planner.alu(op, imm, uops, loops))

    def push_requant(
        self,
        uops: MicroOps,
        *loops: Loop,
        shift: int = 0,
        clip: tuple[int, int] = CLIP_INT8,
        bias: bool = False,
        mul: bool = False,
    ) -> None:
        """Append a REQUANT: `loops`, outermost first, are (count, dst, src step, 0)."""
        self.issue(self.plan_requant(uops, *loops, shift=shift, clip=clip, bias=bias, mul=mul))

    def plan_gemm(self, uops: MicroOps, *loops: Loop, reset: bool = False) -> Plan:
        """What `push_gemm` would append, for `issue`."""
        return self._planner.gemm(uops, loops, reset)

    def plan_alu(self, op: AluOp, uops: MicroOps, *loops: Loop, imm: int | None = None) -> Plan:
        """What `push_alu` would append, for `issue`."""
        return self._planner.alu(op, imm, uops, loops)

    def plan_requant(
        self,
        uops: MicroOps,
        *loops: Loop,
        shift: int = 0,
        clip: tuple[int, int] = CLIP_INT8,
        bias: bool = False,
        mul: bool = False,
    ) -> Plan:
        """What `push_requant` would append, for `issue`."""
        return self._planner.requant(Requant(shift, *clip, bias, mul), uops, loops)

    def issue(self, plan: Plan) -> None:
        """Append the instructions of a plan, and loads of micro-ops that are not in the SRAM."""
        writer, tracker = self._writer, self._tracker
        for step in plan.steps:
            kernel = step.kernel
            writer.begin(Module.COMPUTE, 2)
            if self._cache.use(kernel):
                move = Transfer(kernel.sram_base, kernel.dram_base, 1, kernel.count, kernel.count)
                self._load_uops(move)
            if tracker is not None:
                tracker.compute(step.dst, step.src, step.wgt)
            word0 = step.word0 + kernel.sram_base * self._uop_unit
            writer.emit(Module.COMPUTE, word0, step.word1)
            self._out_valid[step.dst] = plan.writes_out

    def missing(self, plan: Plan) -> int:
        """Micro-ops that `issue` would have to load for a plan."""
        return sum(s.kernel.count for s in plan.steps if s.kernel.sram_base < 0)

    def prefetch(self, plans: Iterable[Plan]) -> None:
        """Load the micro-ops of plans that are not in the SRAM, in as few loads as possible.

        Each load has a fixed cost, so this is cheaper than to leave them to `issue`, which
        afterwards loads only what was evicted in between.
        """
        moves: list[Transfer] = []
        for kernel in (step.kernel for plan in plans for step in plan.steps):
            if not self._cache.use(kernel):
                continue
            begin, dram, count = kernel.sram_base, kernel.dram_base, kernel.count
            if moves:
                last = moves[-1]
                gap = begin - last.sram - last.x
                if dram - last.dram == begin - last.sram and 0 <= gap < UOP_PARITY:
                    begin, dram, count = last.sram, last.dram, last.x + gap + count
                    moves.pop()
            moves.append(Transfer(begin, dram, 1, count, count))
        for move in moves:
            self._writer.begin(Module.COMPUTE, 2)
            self._load_uops(move)

    def _load_uops(self, move: Transfer) -> None:
        self._writer.emit_ahead(*self._mem_words(Opcode.LOAD, MemType.UOP, move), _UOPS)

    # ---- tokens and submissions ----------------------------------------------------------

    def push(self, producer: Module | str, consumer: Module | None = None) -> None:
        """Let the last instruction of `producer` give a token to `consumer` when it is done.

        Also by the counter's name: `push("l2g")`. Where there is no instruction that can push,
        one that does nothing else is inserted.
        """
        if self.auto_sync:
            raise self._misplaced_token()
        self._writer.push(producer, consumer)

    def pop(self, producer: Module | str, consumer: Module | None = None) -> None:
        """Let the next instruction of `consumer` wait for a token from `producer`.

        Loads of micro-ops go ahead: the instruction after them waits.
        """
        if self.auto_sync:
            raise self._misplaced_token()
        self._writer.pop(producer, consumer)

    def _misplaced_token(self) -> KernelError:
        return KernelError(
            "builder: tokens must be left to auto_sync, not pushed or popped; use "
            "auto_sync=False to place them yourself"
        )

    def synchronize(self, keep_sram: bool = True) -> None:
        """End the submission: what comes next begins when all loads and stores are done.

        Tokens that are outstanding are popped. With `keep_sram` False, later instructions rely
        on nothing in the SRAMs: something else may run in between.
        """
        self._writer.finish(flush=True)
        if not keep_sram:
            self._cache.forget()
            self._out_valid[:] = False

    @contextlib.contextmanager
    def label(self, name: str) -> Iterator[None]:
        """Name the instructions that are appended inside, such as a layer's."""
        begin = len(self)
        yield
        if len(self) > begin:
            self._labels.append(StreamLabel(begin, len(self), name))

    def append(
        self, records: npt.NDArray[np.void], buffers: npt.NDArray[np.integer[Any]] | None = None
    ) -> None:
        """Append decoded instructions (`vta_pynq.isa.INSN_DTYPE`) as they are, tokens included.

        `buffers` gives for each the number of the buffer (`DramBuffer.index`) that `dram_base`
        counts from, or -1. Nothing is checked but the fields; FINISH and loads of micro-ops
        belong to the builder. Not with `auto_sync`, nor with debug options that change
        instructions.
        """
        if self._writer.dependencies is not None or self.debug.disable:
            raise KernelError(
                "append: builder must place no tokens and change no instructions, not use "
                "auto_sync, force_serial or disable; use load, store and the push methods"
            )
        foreign = (records["opcode"] == Opcode.FINISH) | (
            (records["opcode"] == Opcode.LOAD) & (records["memory_type"] == MemType.UOP)
            & (records["x_size"] > 0)
        )  # fmt: skip
        if foreign.any():
            raise KernelError(
                f"append: instruction {int(foreign.argmax())} must be a move, GEMM or ALU "
                "operation, not FINISH or a load of micro-ops; use synchronize() and uops()"
            )
        self._writer.extend(encode(records, self.config), records, buffers)
        self._out_valid[:] = True  # not tracked in here; the linter judges the whole stream

    # ---- result --------------------------------------------------------------------------

    def build(self) -> Kernel:
        """End the submission and hand out the kernel; the builder may go on afterwards.

        Raises
        ------
        KernelError
            There are no instructions, or a token was popped that is never pushed.
        """
        self.synchronize()
        writer = self._writer
        if not len(writer):
            raise KernelError("builder: kernel must have instructions, not none")
        buffers = list(self._buffers)
        uops = self._cache.dram()
        if uops.size:
            buffers.append(
                DramBuffer(
                    UOP_NAME, MemType.UOP, uops.size, self._elem_bytes[MemType.UOP],
                    len(buffers), uops, self,
                )
            )  # fmt: skip
        reloc = np.array(writer.reloc_buffer, np.uint32)
        reloc[reloc == _UOPS] = len(self._buffers)
        kernel = Kernel(
            self.name,
            self.config,
            self.profile.name,
            np.array(writer.words, np.dtype("<u8")).reshape(-1, 2),
            np.array(writer.reloc_insn, np.uint32),
            reloc,
            tuple(buffers),
            tuple(writer.submissions),
            tuple(self._labels),
        )
        if self.debug.dump_insns is not None:
            dump_insns(kernel, self.debug.dump_insns)
        if self.debug.dump_uops is not None:
            dump_uops(kernel, self.debug.dump_uops)
        return kernel
