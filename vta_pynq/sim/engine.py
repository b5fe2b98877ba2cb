"""The functional engine: executes instruction streams out of simulated DRAM.

The work is done in C (`csrc/`), without the interpreter lock. See docs/simulator.md.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, TOKENS, MemType, Module
from vta_pynq.sim._engine import ffi, lib
from vta_pynq.sim.faults import FaultKind, StreamError, fault_of
from vta_pynq.sim.segments import Dram
from vta_pynq.sim.settings import c_settings, c_slots
from vta_pynq.timing.profiles import DEFAULT_PROFILE, get_profile

__all__ = [
    "DEFAULT_BUDGET",
    "PATH_VARIABLE",
    "BasePointers",
    "Counters",
    "Dram",
    "Engine",
    "FaultKind",
    "RunResult",
    "StreamError",
    "available_paths",
]

PATH_VARIABLE = "VTA_SIM_PATH"
"""Environment variable that forces a dispatch path."""
DEFAULT_BUDGET = 1 << 30
"""Units of work a run may take unless told otherwise; see `Engine.run`."""

Tokens = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class BasePointers:
    """Byte addresses that are added to every access of a memory type, as the registers hold."""

    uop: int = 0
    inp: int = 0
    wgt: int = 0
    acc: int = 0
    out: int = 0


@dataclasses.dataclass(frozen=True)
class Counters:
    """What one run did; exact. Dictionaries are by memory type or module name.

    Attributes
    ----------
    insns
        Instructions executed by module; FETCH counts all that were read.
    nops
        LOAD and STORE that neither move nor pad anything.
    insn_bytes, read_bytes, written_bytes
        Bytes read as instructions, read by LOAD (by memory type), written by STORE.
    moved_elems, padding_elems
        Elements loaded (stored, for OUT), and zero elements written by padding.
    gemm_uops, gemm_reset_uops, gemm_macs
        GEMM micro-op executions without and with reset; multiply-accumulates of the former.
    alu_uops, alu_ops
        Micro-op executions of the ALU, REQUANT included, and operations on single values.
    work
        Units of the budget that were spent.
    """

    insns: dict[str, int]
    nops: int
    insn_bytes: int
    read_bytes: dict[str, int]
    written_bytes: int
    moved_elems: dict[str, int]
    padding_elems: dict[str, int]
    gemm_uops: int
    gemm_reset_uops: int
    gemm_macs: int
    alu_uops: int
    alu_ops: int
    work: int

    @classmethod
    def _of(cls, c_counters: Any) -> Counters:
        def by_type(values: Any) -> dict[str, int]:
            return {memory_type.name: int(values[memory_type]) for memory_type in MemType}

        values = {f.name: getattr(c_counters, f.name) for f in dataclasses.fields(cls)}
        values["insns"] = {module.name: int(values["insns"][module]) for module in Module}
        for name in ("read_bytes", "moved_elems", "padding_elems"):
            values[name] = by_type(values[name])
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class RunResult:
    """One finished run: its counters, the engine's own CPU time, the order if asked for."""

    counters: Counters
    seconds: float
    """CPU time of the calling thread in the C engine, in seconds."""
    trace: npt.NDArray[np.uint32] | None = None
    """Instruction indices in the order of execution."""


def available_paths() -> tuple[str, ...]:
    """Dispatch paths that this build and this machine have, best last."""
    return tuple(name for number, name in _paths() if lib.sim_path_available(number))


def _paths() -> list[tuple[int, str]]:
    paths: list[tuple[int, str]] = []
    while (name := lib.sim_path_name(len(paths))) != ffi.NULL:
        paths.append((len(paths), ffi.string(name).decode()))
    return paths


def _path_number(path: str | None) -> int:
    wanted = path or os.environ.get(PATH_VARIABLE) or available_paths()[-1]
    for number, name in _paths():
        if name == wanted and lib.sim_path_available(number):
            return number
    source = "path" if path else PATH_VARIABLE
    raise SimError(
        f"engine: {source} must be one of {', '.join(available_paths())} on this machine, "
        f"not {wanted!r}"
    )


class Engine:
    """The four modules of one accelerator, with their SRAMs, queues and tokens.

    SRAMs, the output buffer and the tokens keep what they hold from run to run, as hardware does.

    Parameters
    ----------
    config
        The hardware configuration; any.
    semantics
        `"functional"`, or `"hls"`: the published HLS design where it differs (docs/isa.md,
        "Implementation differences").
    strict
        Refuse what is undefined or what hardware does otherwise, accesses that no token orders
        included.
    path
        Dispatch path, one of `available_paths`; default: `VTA_SIM_PATH`, else the best. Results
        do not depend on it.
    profile
        Name of the hardware profile whose limits strict mode checks.
    bounded
        Let the profile's queue depth and token capacity hold in any mode: what fills them up
        stops fetch or the pushing module, as in hardware.

    Raises
    ------
    SimError
        The path is not available, the semantics is unknown, or memory is short.
    """

    def __init__(
        self,
        config: HwConfig,
        semantics: Literal["functional", "hls"] | str = "functional",
        strict: bool = False,
        path: str | None = None,
        profile: str = DEFAULT_PROFILE,
        bounded: bool = False,
    ) -> None:
        if semantics not in ("functional", "hls"):
            raise SimError(f"engine: semantics must be functional or hls, not {semantics!r}")
        self.config = config
        self.semantics = semantics
        self.strict = strict
        self.profile = get_profile(profile)
        settings = c_settings(
            config, hls=semantics == "hls", strict=strict, profile=self.profile, bounded=bounded
        )
        number = _path_number(path)
        self.path: str = ffi.string(lib.sim_path_name(number)).decode()
        slots, _alive = c_slots(config)
        engine = lib.sim_new(settings, slots, number)
        if engine == ffi.NULL:
            raise SimError(f"engine: the SRAMs of {config.name} must fit this machine's memory")
        self._engine = ffi.gc(engine, lib.sim_free)
        self._lock = threading.Lock()

    def run(
        self,
        dram: Dram,
        insn_phys: int,
        insn_count: int,
        bases: BasePointers = BasePointers(),
        budget: int | None = None,
        order_seed: int = 0,
        trace: bool = False,
    ) -> RunResult:
        """Execute a stream to its end: FINISH, and nothing left in the queues.

        The oldest instruction whose tokens are there runs next. A stream that leaves an order
        open which matters gets the one of the stream, if that is possible; strict mode refuses
        it, and other orders show it.

        Parameters
        ----------
        dram
            All memory that the stream may touch; STORE writes into its arrays.
        insn_phys, insn_count
            Byte address of the first instruction, and number of instructions.
        bases
            Base pointers.
        budget
            Most work: one unit for an instruction, for 64 bytes moved, for a GEMM micro-op (more
            with more than 256 multiply-accumulates), for an ALU micro-op (more with more than 64
            lanes). Default: `DEFAULT_BUDGET`, some seconds on a fast path.
        order_seed
            Other than 0: run ready modules in a pseudo-random order.
        trace
            Record the order of execution.

        Raises
        ------
        StreamError
            The stream cannot go on; DRAM, SRAM and tokens are as the instructions before left
            them. `reset` makes the engine new.
        SimError
            Another thread runs this engine, or an argument is out of range.
        """
        budget = DEFAULT_BUDGET if budget is None else budget
        for what, value, bits in (
            ("insn_phys", insn_phys, 32),
            ("insn_count", insn_count, 32),
            ("budget", budget, 63),
            ("order_seed", order_seed, 63),
        ):
            if not isinstance(value, (int, np.integer)) or not 0 <= value <= 1 << bits:
                raise SimError(f"engine: {what} must be an integer in 0..2^{bits}, not {value!r}")
        job = ffi.new("sim_job *")
        job.insn_phys, job.insn_count = insn_phys, insn_count
        job.budget = budget
        job.order_seed = order_seed
        self._set_bases(job, bases)
        order = np.zeros(min(insn_count, DRAM_BYTES // INSN_BYTES) if trace else 0, "u4")
        buffer = ffi.from_buffer("uint32_t[]", order)
        job.trace, job.trace_size = buffer, order.size
        counters, fault = ffi.new("sim_counters *"), ffi.new("sim_fault *")
        with self._exclusive():
            begin = time.thread_time()
            kind = lib.sim_run(
                self._engine, dram.c_segments, len(dram.segments), job, counters, fault
            )
            seconds = time.thread_time() - begin
        if kind != lib.SIM_OK:
            error = fault_of(fault, self.config, self.profile.name)
            error.executed = tuple(int(counters.insns[module]) for module in Module)
            raise error
        return RunResult(Counters._of(counters), seconds, order if trace else None)

    @staticmethod
    def _set_bases(job: Any, bases: BasePointers) -> None:
        for memory_type, base in (
            (MemType.UOP, bases.uop),
            (MemType.INP, bases.inp),
            (MemType.WGT, bases.wgt),
            (MemType.ACC, bases.acc),
            (MemType.ACC_8BIT, bases.acc),
            (MemType.OUT, bases.out),
        ):
            if not 0 <= base < DRAM_BYTES:
                raise SimError(
                    f"engine: base pointer of {memory_type.name} must be in 0..2^32, not {base}"
                )
            job.base[memory_type] = base

    def _exclusive(self) -> _Exclusive:
        return _Exclusive(self._lock)

    @property
    def tokens(self) -> Tokens:
        """Counts of the tokens l2g, g2l, g2s, s2g. May be set."""
        counts = ffi.new("uint32_t[]", len(TOKENS))
        lib.sim_get_tokens(self._engine, counts)
        return (counts[0], counts[1], counts[2], counts[3])

    @tokens.setter
    def tokens(self, counts: Tokens) -> None:
        if len(counts) != len(TOKENS) or any(not 0 <= int(c) < 1 << 31 for c in counts):
            raise SimError(
                f"engine: tokens must be {len(TOKENS)} counts in 0..2^31, not {counts!r}"
            )
        with self._exclusive():
            lib.sim_set_tokens(self._engine, ffi.new("uint32_t[]", [int(c) for c in counts]))

    def reset(self) -> None:
        """Make all SRAMs zero and all token counts 0."""
        with self._exclusive():
            lib.sim_reset(self._engine)

    def poison(self, seed: int) -> None:
        """Fill every SRAM with pseudo-random bits, as after power-up or somebody else's run."""
        with self._exclusive():
            lib.sim_poison(self._engine, seed)

    def sram(self, memory_type: MemType) -> npt.NDArray[np.int32] | npt.NDArray[np.uint32]:
        """A copy of one SRAM's values.

        Returns
        -------
        values
            int32, sign-extended: INP, ACC and OUT (depth, batch, block), WGT (depth, block,
            block). UOP: uint32 (depth,), as encoded.
        """
        config = self.config
        memory_type = MemType.ACC if memory_type == MemType.ACC_8BIT else MemType(memory_type)
        with self._exclusive():
            count = lib.sim_sram_values(self._engine, memory_type)
            values = np.empty(count, np.int32)
            lib.sim_read_sram(self._engine, memory_type, ffi.from_buffer("int32_t[]", values))
        if memory_type == MemType.UOP:
            return values.view(np.uint32)
        rows = config.block if memory_type == MemType.WGT else config.batch
        return values.reshape(-1, rows, config.block)


class _Exclusive:
    """Holds an engine for one call; a second thread gets an error instead of a wait."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise SimError(
                "engine: one engine must be used by one thread at a time, and another one uses "
                "it; make one engine for each thread"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()
