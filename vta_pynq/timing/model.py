"""The cycle model: when each instruction of a stream starts and ends, and what it waits for.

An instruction starts when it is at the head of its queue, its module is free and its tokens are
there; tokens are pushed at its end (docs/isa.md, "Modules, queues, tokens" and "Timing").
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.encode import as_words, decode
from vta_pynq.isa.table import TOKENS, Opcode
from vta_pynq.timing.costs import instruction_costs, timing_of
from vta_pynq.timing.deadlock import explain_deadlock
from vta_pynq.timing.engine import engine_insns, run_engine
from vta_pynq.timing.profiles import HwProfile
from vta_pynq.timing.report import CycleReport

__all__ = ["TimedStream", "simulate"]

_LONGEST_RUN_CYCLES = 1 << 62  # times are 64-bit integers
_MOST_TOKENS = 1 << 20


class TimedStream(Protocol):
    """What the model needs of a stream; `vta_pynq.stream.InstructionStream` is one."""

    @property
    def words(self) -> npt.NDArray[np.uint64]:
        """Encoded instructions, shape (n, 2)."""

    @property
    def config(self) -> HwConfig:
        """The configuration that they are encoded for."""

    @property
    def tokens_in(self) -> tuple[int, int, int, int]:
        """Initial count of each token, in the order of `vta_pynq.isa.TOKENS`."""


def simulate(
    stream: TimedStream | npt.NDArray[np.generic] | bytes,
    profile: HwProfile | str,
    *,
    config: HwConfig | None = None,
    memory_latency_cycles: int | None = None,
    detail: bool = False,
    tokens_in: tuple[int, int, int, int] | None = None,
    serial: bool = False,
) -> CycleReport:
    """Time an instruction stream on a design. Deterministic; DRAM contents play no part.

    Parameters
    ----------
    stream
        An `InstructionStream`, or encoded instructions: uint64 (n, 2) or raw bytes.
    profile
        Profile or its name, such as `hls-64bit`.
    config
        The configuration that the instructions are encoded for; None takes the stream's, or the
        default for plain instructions.
    memory_latency_cycles
        L: cycles from a read's address handshake to its first data beat; None takes the
        profile's (32 for `hls-64bit`; 10, that of the measurements, for the other designs).
    detail
        Whether `CycleReport.detail` gives times and stalls of each instruction.
    tokens_in
        Initial token counts; None takes the stream's, or zero for plain instructions.
    serial
        Without latency hiding: load, compute and store execute one instruction at a time. Of
        those that are fetched and have their tokens the earliest in the stream is next.

    Returns
    -------
    report
        Cycles and stalls in total, by module and on request by instruction.

    Raises
    ------
    ConfigError
        There is no profile of that name.
    SimError
        The stream dead-locks, would hang this design, or the profile has no notion of time.
    """
    words, config, tokens = _arguments(stream, config, tokens_in)
    profile, timing = timing_of(profile)
    latency = timing.memory_latency if memory_latency_cycles is None else memory_latency_cycles
    records = decode(words, config)
    costs = instruction_costs(records, profile, config, latency)
    if len(words) and float(costs.cycles.sum(dtype=np.float64)) >= _LONGEST_RUN_CYCLES:
        raise SimError(
            f"cycle model: stream must take fewer than {_LONGEST_RUN_CYCLES} cycles; "
            "look for loop counts that wrap"
        )
    insns = engine_insns(records, costs, timing)
    times, result = run_engine(insns, profile, timing, latency, tokens, serial)
    if result["done"] != len(words):
        raise SimError(explain_deadlock(records, insns, profile, result))
    finishes = np.flatnonzero(records["opcode"] == Opcode.FINISH)
    finish = int(finishes[0]) if finishes.size else None
    report = CycleReport.of(insns["module"], costs, times, finish, result, profile.name, timing)
    return dataclasses.replace(report, detail=report.rows) if detail else report


def _arguments(
    stream: TimedStream | npt.NDArray[np.generic] | bytes,
    config: HwConfig | None,
    tokens_in: tuple[int, int, int, int] | None,
) -> tuple[npt.NDArray[np.uint64], HwConfig, tuple[int, ...]]:
    if isinstance(stream, (np.ndarray, bytes, bytearray, memoryview)):
        words = as_words(stream)
        tokens: tuple[int, ...] = (0,) * len(TOKENS) if tokens_in is None else tuple(tokens_in)
        config = HwConfig() if config is None else config
    else:
        words = as_words(stream.words)
        tokens = tuple(stream.tokens_in if tokens_in is None else tokens_in)
        config = stream.config if config is None else config
    fits = len(tokens) == len(TOKENS) and all(0 <= int(t) <= _MOST_TOKENS for t in tokens)
    if not fits:
        raise SimError(
            f"cycle model: tokens_in must be {len(TOKENS)} counts in 0..{_MOST_TOKENS}, "
            f"not {tokens!r}"
        )
    return words, config, tokens
