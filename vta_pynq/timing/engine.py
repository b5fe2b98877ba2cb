"""The event engine in C (csrc/) from Python: what goes in, what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import SimError
from vta_pynq.isa.table import INSN_BYTES, TOKENS, Module, module_of
from vta_pynq.timing.costs import InstructionCosts
from vta_pynq.timing.parameters import Client, Timing
from vta_pynq.timing.profiles import HwProfile

__all__ = ["ENGINE_MODULES", "engine_insns", "run_engine"]

ENGINE_MODULES = (Module.LOAD, Module.COMPUTE, Module.STORE)
"""The modules by the numbers that the engine gives them."""
_MODULE_OF_CLIENT: dict[Client, Module] = {
    "fetch": Module.FETCH,
    "uop": Module.COMPUTE,
    "wgt": Module.LOAD,
    "inp": Module.LOAD,
    "acc": Module.COMPUTE,
    "out": Module.STORE,
}

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
        ("turn_wait", "i8"),
        ("last_token", "i1"),
    ],
    align=True,
)


def engine_insns(
    records: npt.NDArray[np.void], costs: InstructionCosts, timing: Timing
) -> npt.NDArray[np.void]:
    """Decoded instructions and their costs as the engine takes them: `timing_insn` records."""
    insns = np.zeros(len(records), _INSN_DTYPE)
    insns["cycles"], insns["beats"] = costs.cycles, costs.beats
    insns["first_beat"] = costs.first_beat
    shared = np.array([_contended(port.clients) for port in timing.ports] + [False])
    insns["port"] = np.where(shared[costs.port], costs.port, -1)
    module = _MODULE_TABLE[records["opcode"], records["memory_type"]]
    insns["module"] = module
    for k, token in enumerate(TOKENS):
        pops = records[token.pop_flag] & (module == ENGINE_MODULES.index(token.consumer))
        pushes = records[token.push_flag] & (module == ENGINE_MODULES.index(token.producer))
        insns["pops"] |= pops << k
        insns["pushes"] |= pushes << k
    return insns


def _module_table() -> npt.NDArray[np.uint8]:
    """Module of every opcode and memory type; published fetch units send the rest to compute."""
    table = np.zeros((8, 8), np.uint8)
    for opcode in range(8):
        for memory in range(8):
            module = module_of(opcode, memory) or Module.COMPUTE
            table[opcode, memory] = ENGINE_MODULES.index(module)
    return table


_MODULE_TABLE = _module_table()


def _contended(clients: tuple[Client, ...]) -> bool:
    return len({_MODULE_OF_CLIENT[client] for client in clients}) > 1


def run_engine(
    insns: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    latency: int,
    tokens: tuple[int, ...],
    serial: bool = False,
) -> tuple[npt.NDArray[np.void], dict[str, Any]]:
    """Run the engine: `timing_times` records, shape (n,), and the fields of `timing_result`."""
    try:
        from vta_pynq.timing import _cycles  # here, so that profiles and costs work unbuilt
    except ImportError as error:
        raise SimError(
            f"cycle model: vta_pynq.timing._cycles must be built ({error}); "
            "run 'pip install .' or 'python setup.py build_ext --inplace'"
        ) from None

    ffi, count = _cycles.ffi, len(insns)
    unbounded = max(count, 1) + max(tokens)
    setup = ffi.new("timing_setup *")
    depth = profile.insn_queue_depth
    queue = unbounded if depth is None else depth + profile.insn_queue_skid
    capacity = unbounded if profile.token_capacity is None else profile.token_capacity
    if profile.tokens_saturate and profile.tokens_tolerated is not None:
        capacity = profile.tokens_tolerated
    ring_size = max(min(capacity, unbounded), max(tokens), 1)
    setup.queue_capacity = [queue] * len(ENGINE_MODULES)
    setup.token_capacity = min(capacity, ring_size)
    setup.token_latency = timing.token_latency
    setup.tokens_in = list(tokens)
    setup.tokens_saturate = profile.tokens_saturate
    setup.serial = serial
    port = timing.port_of("fetch")
    latency += port.extra_latency
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
    names = (
        "head",
        "missing",
        "full",
        "tokens",
        "lost",
        "port_cycles",
        "ended",
        "last_end",
        "busy",
    )
    values: dict[str, Any] = {name: list(getattr(result, name)) for name in names}
    values["stalls"] = [list(stalls) for stalls in result.stalls]
    return times, {"done": result.done, "fetched": result.fetched, **values}
