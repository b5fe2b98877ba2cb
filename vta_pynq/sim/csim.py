"""The HLS C++ of the design as an engine: what synthesis gets, compiled for this machine.

It has the interface of `vta_pynq.sim.engine.Engine`. Function is what it shows; cycles, timing and
area it does not.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.hls_macros import OPERATIONS
from vta_pynq.isa.control_block import HARDWARE_ERRORS
from vta_pynq.isa.encode import as_words, decode
from vta_pynq.isa.table import INSN_BYTES, TOKENS, MemType, Module, elem_bytes, module_of
from vta_pynq.sim.csim_build import build_csim
from vta_pynq.sim.engine import BasePointers, Dram, FaultKind, StreamError, Tokens
from vta_pynq.timing.profiles import get_profile

__all__ = ["DEFAULT_TIMEOUT_S", "DESIGN_PROFILE", "CsimEngine", "CsimResult"]

DESIGN_PROFILE = "vta1"
"""Name of the hardware profile of the design."""
DEFAULT_TIMEOUT_S = 600.0
"""Deadline of a run unless told otherwise, in seconds."""

_NO_BASES = BasePointers()
_HEADER = Path(__file__).resolve().parents[2] / "hls" / "sim" / "engine.h"
# What the bits of a module's error register mean here, the lowest first.
_KINDS = (
    FaultKind.OPCODE,
    FaultKind.MEMORY_TYPE,
    FaultKind.ALU_OPCODE,
    FaultKind.SRAM_RANGE,
)


@dataclasses.dataclass(frozen=True)
class CsimResult:
    """One finished run.

    Attributes
    ----------
    insns
        Instructions executed, by module name.
    busy
        Turns of the loops that are meant to have an initiation interval of 1, by module name.
    tokens
        Counts of the tokens that are left over, in the order of `TOKENS`.
    seconds
        Wall-clock time of the simulation.
    """

    insns: dict[str, int]
    busy: dict[str, int]
    tokens: Tokens
    seconds: float


@functools.cache
def _ffi() -> cffi.FFI:
    text = _HEADER.read_text(encoding="utf-8")
    ffi = cffi.FFI()
    begin = text.index("*/", text.index("BEGIN:")) + 2
    ffi.cdef(text[begin : text.index("/* END */")])
    return ffi


def _built(config: HwConfig) -> HwConfig:
    """The configuration without the capabilities that make no difference to the C++."""
    return config.with_capabilities(*(c for c in config.capabilities if c in OPERATIONS))


@functools.cache
def _library(config: HwConfig, more: tuple[str, ...]) -> Any:
    return _ffi().dlopen(str(build_csim(config, more)))


class CsimEngine:
    """The four modules of the HLS design as threads, with FIFOs of the real depth.

    SRAMs, queues and tokens keep what they hold from run to run. The first engine of a
    configuration compiles it, which takes some seconds.

    Parameters
    ----------
    config
        The hardware configuration. What it has no capability for is not built: the instruction
        sets an error bit.
    profile
        Name of the hardware profile whose queue and token depths the FIFOs get; where it has
        no limit, they are as deep as memory allows.
    more
        Further options of the compiler.

    Raises
    ------
    SimError
        The design cannot be built here, or memory is short.
    """

    def __init__(
        self, config: HwConfig, profile: str = DESIGN_PROFILE, more: tuple[str, ...] = ()
    ) -> None:
        limits = get_profile(profile)
        unbounded = (1 << 63) - 1
        self.config = config
        self._lib = _library(_built(config), more)
        engine = self._lib.csim_new(
            limits.insn_queue_depth or unbounded, limits.token_capacity or unbounded
        )
        if engine == _ffi().NULL:
            raise SimError(f"csim: the SRAMs of {config.name} must fit this machine's memory")
        self._engine = _ffi().gc(engine, self._lib.csim_free)
        self._lock = threading.Lock()

    def run(
        self,
        dram: Dram,
        insn_phys: int,
        insn_count: int,
        bases: BasePointers = _NO_BASES,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> CsimResult:
        """Run a stream until every module waits for its next instruction.

        Raises
        ------
        StreamError
            Deadlock, an access outside DRAM, an instruction that the design reports as an error,
            no FINISH, or `timeout_s` is over. `reset` makes the engine new.
        SimError
            Another thread runs this engine, or the design broke a rule of its interfaces.
        """
        ffi = _ffi()
        segments = ffi.new("csim_segment[]", max(1, len(dram.segments)))
        keep = []
        for entry, (phys, data) in zip(segments, dram.segments, strict=False):
            buffer = ffi.from_buffer("uint8_t[]", data)
            keep.append(buffer)
            entry.phys, entry.size, entry.data = phys, data.size, buffer
            entry.writable = data.flags.writeable
        job, result = ffi.new("csim_job *"), ffi.new("csim_result *")
        job.insn_phys, job.insn_count, job.timeout_s = insn_phys, insn_count, timeout_s
        for field in dataclasses.fields(bases):
            setattr(job, f"base_{field.name}", getattr(bases, field.name))
        if not self._lock.acquire(blocking=False):
            raise SimError("csim: one engine must be used by one thread at a time")
        try:
            begin = time.perf_counter()
            self._lib.csim_run(self._engine, segments, len(dram.segments), job, result)
            seconds = time.perf_counter() - begin
        finally:
            self._lock.release()
        self._judge(result, dram, insn_phys, insn_count, timeout_s)
        by_module = {module.name: int(result.insns[module]) for module in Module}
        busy = {module.name: int(result.busy[module]) for module in Module}
        return CsimResult(by_module, busy, self.tokens, seconds)

    def _judge(
        self, result: Any, dram: Dram, insn_phys: int, insn_count: int, timeout_s: float
    ) -> None:
        """Raise what a run ended with unless it is rest after FINISH."""
        message = _ffi().string(result.message).decode()
        module = Module(result.fault_module)
        kind = None
        if result.outcome == self._lib.CSIM_DEADLOCK:
            kind = FaultKind.DEADLOCK
            message = (
                f"stream: modules must not wait for each other for ever (after fetching "
                f"{result.insns[Module.FETCH]} instructions): {message}; "
                "push the token before it is needed"
            )
        elif result.outcome == self._lib.CSIM_TIMEOUT:
            kind = FaultKind.BUDGET
            message = f"stream: a run must end within {timeout_s:g} s; use a shorter stream"
        elif result.outcome == self._lib.CSIM_FAULT:
            if result.fault_code == self._lib.CSIM_INTERNAL:
                raise SimError(f"csim: {module.name}: {message}; compare with the fast engine")
            kind = FaultKind.INSN_RANGE if module is Module.FETCH else FaultKind.DRAM_RANGE
            if result.fault_code == self._lib.CSIM_READ_ONLY:
                kind = FaultKind.DRAM_READONLY
            message = f"{module.name}: {message}; check addresses and buffers"
        else:
            for number, (error, rule) in enumerate(
                zip(_KINDS, HARDWARE_ERRORS.values(), strict=True)
            ):
                found = [m for m in Module if result.raised[m] >> number & 1]
                if found:
                    kind, module = error, found[0]
                    message = f"{module.name}: {rule}; run 'vta lint' to find the instruction"
                    break
            else:
                if not result.finished:
                    kind = FaultKind.NO_FINISH
                    message = (
                        "stream: last instruction must be FINISH, and there is none; append it"
                    )
        if kind is None:
            return
        executed = tuple(int(n) for n in result.insns)
        insn = self._next_of(module, executed, dram, insn_phys, insn_count)
        error_ = StreamError(message, kind, insn, module)
        error_.executed = executed
        error_.errors = tuple(int(bits) for bits in result.raised)
        error_.busy = tuple(int(turns) for turns in result.busy)
        raise error_

    def _next_of(
        self, module: Module, executed: tuple[int, ...], dram: Dram, phys: int, count: int
    ) -> int:
        """Index of the instruction after those that a module has executed."""
        if module is Module.FETCH:
            return executed[module]
        try:
            words = as_words(dram.view(phys, count * INSN_BYTES))
        except SimError:
            return 0
        insns = decode(words, self.config)
        mine = [
            i
            for i, insn in enumerate(insns)
            if module_of(insn["opcode"], insn["memory_type"]) is module
        ]
        return mine[min(executed[module], len(mine) - 1)] if mine else 0

    @property
    def tokens(self) -> Tokens:
        """Counts of the tokens l2g, g2l, g2s, s2g. May be set."""
        counts = _ffi().new("uint32_t[]", len(TOKENS))
        self._lib.csim_get_tokens(self._engine, counts)
        return (counts[0], counts[1], counts[2], counts[3])

    @tokens.setter
    def tokens(self, counts: Tokens) -> None:
        if len(counts) != len(TOKENS) or any(not 0 <= int(c) < 1 << 31 for c in counts):
            raise SimError(f"csim: tokens must be {len(TOKENS)} counts in 0..2^31, not {counts!r}")
        values = _ffi().new("uint32_t[]", [int(count) for count in counts])
        self._lib.csim_set_tokens(self._engine, values)

    def soft_reset(self) -> None:
        """Clear queues, tokens and errors, as the reset input of the design; SRAMs stay."""
        self._lib.csim_soft_reset(self._engine)

    def reset(self) -> None:
        """Make the engine new: `soft_reset`, and all SRAMs zero."""
        self.soft_reset()
        self._lib.csim_clear_sram(self._engine)

    def poison(self, seed: int) -> None:
        """Fill every SRAM with pseudo-random bits, as after power-up or somebody else's run."""
        self._lib.csim_poison(self._engine, seed & (1 << 64) - 1)

    def sram(self, memory_type: MemType) -> npt.NDArray[np.uint8]:
        """A copy of one SRAM: uint8 (depth, bytes of an element), packed as in DRAM."""
        kind = MemType.ACC if memory_type == MemType.ACC_8BIT else MemType(memory_type)
        size = self._lib.csim_read_sram(self._engine, kind, _ffi().NULL)
        data = np.zeros(size, np.uint8)
        self._lib.csim_read_sram(self._engine, kind, _ffi().from_buffer("uint8_t[]", data))
        return data.reshape(-1, elem_bytes(self.config, kind))
