"""The cycle model: when each instruction of a stream starts and ends, and what it waits for.

An instruction starts when it is at the head of its queue, its module is free and its tokens are
there; tokens are pushed at its end (docs/isa.md, "Modules, queues, tokens" and "Timing").
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.encode import as_words, decode
from vta_pynq.isa.table import INSN_BYTES, TOKENS, MemType, Module, Opcode, module_of
from vta_pynq.timing.costs import InstructionCosts, instruction_costs, timing_of
from vta_pynq.timing.parameters import Client, Timing
from vta_pynq.timing.profiles import HwProfile
from vta_pynq.timing.report import CycleReport

__all__ = ["TimedStream", "simulate"]

_ENGINE_MODULES = (Module.LOAD, Module.COMPUTE, Module.STORE)
_MODULE_OF_CLIENT: dict[Client, Module] = {
    "fetch": Module.FETCH,
    "uop": Module.COMPUTE,
    "wgt": Module.LOAD,
    "inp": Module.LOAD,
    "acc": Module.COMPUTE,
    "out": Module.STORE,
}
_LONGEST_RUN_CYCLES = 1 << 62  # times are 64-bit integers
_MOST_TOKENS = 1 << 20

# The layouts of `timing_insn` and `timing_times` in csrc/engine.h.
_INSN_DTYPE = np.dtype(
    [
        ("cycles", "i8"),
        ("first_beat", "i8"),
        ("beats", "i8"),
        ("port", "i1"),
        ("module", "u1"),
        ("pops", "u1"),
        ("pushes", "u1"),
    ],
    align=True,
)
_TIMES_DTYPE = np.dtype(
    [
        ("issue", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("port_wait", "i8"),
        ("push_wait", "i8"),
        ("last_token", "i1"),
    ],
    align=True,
)


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
        profile's (32).
    detail
        Whether `CycleReport.detail` gives times and stalls of each instruction.
    tokens_in
        Initial token counts; None takes the stream's, or zero for plain instructions.

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
    insns = _engine_insns(records, costs, timing)
    times, result = _run_engine(insns, profile, timing, config, latency, tokens)
    if result["done"] != len(words):
        raise SimError(_explain_deadlock(records, insns, profile, result))
    return CycleReport.of(records, insns["module"], costs, times, result, profile.name, timing, detail)


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


def _engine_insns(
    records: npt.NDArray[np.void], costs: InstructionCosts, timing: Timing
) -> npt.NDArray[np.void]:
    insns = np.zeros(len(records), _INSN_DTYPE)
    insns["cycles"], insns["beats"] = costs.cycles, costs.beats
    insns["first_beat"] = costs.first_beat
    shared = np.array([_contended(port.clients) for port in timing.ports] + [False])
    insns["port"] = np.where(shared[costs.port], costs.port, -1)
    module = _MODULE_TABLE[records["opcode"], records["memory_type"]]
    insns["module"] = module
    for k, token in enumerate(TOKENS):
        pops = records[token.pop_flag] & (module == _ENGINE_MODULES.index(token.consumer))
        pushes = records[token.push_flag] & (module == _ENGINE_MODULES.index(token.producer))
        insns["pops"] |= pops << k
        insns["pushes"] |= pushes << k
    return insns


def _module_table() -> npt.NDArray[np.uint8]:
    """Module of every opcode and memory type; published fetch units send the rest to compute."""
    table = np.zeros((8, 8), np.uint8)
    for opcode in range(8):
        for memory in range(8):
            module = module_of(opcode, memory) or Module.COMPUTE
            table[opcode, memory] = _ENGINE_MODULES.index(module)
    return table


_MODULE_TABLE = _module_table()


def _contended(clients: tuple[Client, ...]) -> bool:
    return len({_MODULE_OF_CLIENT[client] for client in clients}) > 1


def _run_engine(
    insns: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
    latency: int,
    tokens: tuple[int, ...],
) -> tuple[npt.NDArray[np.void], dict[str, Any]]:
    from vta_pynq.timing import _cycles  # here, so that profiles work before it is built

    ffi, count = _cycles.ffi, len(insns)
    unbounded = max(count, 1) + max(tokens)
    setup = ffi.new("timing_setup *")
    depth = profile.insn_queue_depth
    queue = unbounded if depth is None else depth + profile.insn_queue_skid
    capacity = unbounded if profile.token_capacity is None else profile.token_capacity
    if profile.tokens_saturate and profile.tokens_tolerated is not None:
        capacity = profile.tokens_tolerated
    ring_size = max(min(capacity, unbounded), max(tokens), 1)
    setup.queue_capacity = [queue] * len(_ENGINE_MODULES)
    setup.token_capacity = min(capacity, ring_size)
    setup.token_latency = timing.token_latency
    setup.tokens_in = list(tokens)
    setup.tokens_saturate = profile.tokens_saturate
    port = timing.port_of("fetch")
    fetch = timing.fetch
    setup.fetch_first = fetch.first + latency
    setup.fetch_interval = fetch.interval
    setup.fetch_chunk = fetch.chunk
    setup.fetch_read_cycles = -(-INSN_BYTES // port.bus_bytes) * port.cycles_per_beat
    setup.fetch_first_beat = fetch.request + latency
    setup.fetch_port = timing.ports.index(port) if _contended(port.clients) else -1
    times = np.zeros(count, _TIMES_DTYPE)
    ring = np.zeros(len(TOKENS) * ring_size, np.int64)
    assert insns.itemsize == ffi.sizeof("timing_insn")
    assert times.itemsize == ffi.sizeof("timing_times")
    result = ffi.new("timing_result *")
    status = _cycles.lib.timing_run(
        setup,
        count,
        ffi.cast("timing_insn *", ffi.from_buffer(insns)),
        ffi.cast("int64_t *", ffi.from_buffer(ring)),
        ring_size,
        ffi.cast("timing_times *", ffi.from_buffer(times)),
        result,
    )
    assert status != _cycles.lib.TIMING_BAD_INPUT
    names = ("head", "missing", "full", "tokens", "lost", "port_cycles")
    values: dict[str, Any] = {name: list(getattr(result, name)) for name in names}
    return times, {"done": result.done, "fetched": result.fetched, **values}


def _explain_deadlock(
    records: npt.NDArray[np.void],
    insns: npt.NDArray[np.void],
    profile: HwProfile,
    result: dict[str, Any],
) -> str:
    parts = []
    for m, module in enumerate(_ENGINE_MODULES):
        head = result["head"][m]
        if head < 0:
            continue
        where = f"insn {head} {_name(records[head])}"
        for k, token in enumerate(TOKENS):
            if result["missing"][m] >> k & 1:
                parts.append(
                    f"{module.name.lower()} waits at {where} for a {token.name} token "
                    f"from {token.producer.name.lower()}"
                )
            if result["full"][m] >> k & 1:
                parts.append(
                    f"{module.name.lower()} waits at {where} to push a {token.name} token, "
                    f"of which {token.consumer.name.lower()} has {profile.token_capacity}"
                )
    fetched = result["fetched"]
    if fetched < len(records):
        module = _ENGINE_MODULES[insns["module"][fetched]]
        parts.append(
            f"fetch waits at insn {fetched} {_name(records[fetched])} for room in the full "
            f"{module.name.lower()} queue"
        )
    lost = [f"{n} {token.name}" for n, token in zip(result["lost"], TOKENS) if n]
    if lost:
        parts.append(f"saturated counters lost tokens: {', '.join(lost)}")
    return (
        f"cycle model: stream must not dead-lock on {profile.name}, but {'; '.join(parts)}; "
        "run 'vta lint' to find the instruction that breaks the balance"
    )


def _name(record: np.void) -> str:
    opcode = int(record["opcode"])
    if opcode not in list(Opcode):
        return f"opcode {opcode}"
    name = Opcode(opcode).name
    if opcode not in (Opcode.LOAD, Opcode.STORE):
        return name
    memory = int(record["memory_type"])
    return f"{name} {MemType(memory).name if memory in list(MemType) else memory}"
