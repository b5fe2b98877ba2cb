"""The cycle model a second time, slowly: cycle by cycle, one instruction at a time.

Written from the tables of the instruction-set specification with their literal numbers for the
default configuration. It shares nothing with vta_pynq.timing but the token names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from vta_pynq.isa.table import TOKENS, MemType, Opcode

LOAD, COMPUTE, STORE = 0, 1, 2
_PRODUCED = {
    LOAD: {0: "push_next"},
    COMPUTE: {1: "push_prev", 2: "push_next"},
    STORE: {3: "push_prev"},
}
_CONSUMED = {LOAD: {1: "pop_next"}, COMPUTE: {0: "pop_prev", 3: "pop_next"}, STORE: {2: "pop_prev"}}
assert [t.name for t in TOKENS] == ["l2g", "g2l", "g2s", "s2g"]


@dataclasses.dataclass
class Cost:
    """Cycles alone; first beat and beats on the shared port (none: `beats` 0)."""

    cycles: int
    first_beat: int = 0
    beats: int = 0


@dataclasses.dataclass
class Machine:
    """One implementation: costs and the numbers of fetch, queues and tokens."""

    cost: Callable[[np.void, int], Cost]
    fetch_chunk: int
    fetch_fixed: int
    queue: int
    capacity: int
    saturates: bool
    token_latency: int
    done_visible: int
    poll: int


def module(record: np.void) -> int:
    """Queue of an instruction."""
    if record["opcode"] == Opcode.STORE:
        return STORE
    return LOAD if record["opcode"] == Opcode.LOAD and record["memory_type"] in (1, 2) else COMPUTE


def _uops(record: np.void) -> int:
    count = max(0, int(record["uop_end"]) - int(record["uop_bgn"]))
    return count * int(record["iter_out"]) * int(record["iter_in"])


def _fields(record: np.void, *names: str) -> list[int]:
    return [int(record[name]) for name in names]


def hls_cost(bus_bytes: int) -> Callable[[np.void, int], Cost]:
    """Costs of the HLS design with a 16-byte bus, or with 8 bytes, where each element takes two."""
    k = 16 // bus_bytes

    def cost(r: np.void, latency: int) -> Cost:
        x, y, left, right, top, bottom = _fields(
            r, "x_size", "y_size", "x_pad_0", "x_pad_1", "y_pad_0", "y_pad_1"
        )
        n = _uops(r)
        if r["opcode"] == Opcode.GEMM:
            return Cost(n + 26 if n else 19)
        if r["opcode"] == Opcode.ALU:
            return Cost(2 * n + 24 if n else 17)
        if r["opcode"] == Opcode.FINISH:
            return Cost(15)
        if r["opcode"] == Opcode.STORE:
            return Cost(3 + y * (k * x + latency + 14 if x else 14))
        zeros = y * (left + right) + (left + x + right) * (top + bottom)
        memory = r["memory_type"]
        if memory == MemType.UOP:
            return Cost(x + latency + 20 if x else 15)
        if memory == MemType.INP:
            return Cost(9 + y * (k * x + latency + 19 if x else 14) + zeros)
        if memory == MemType.WGT:
            return Cost(5 + y * (32 * k * x + latency + 15 if x else 14))
        assert memory == MemType.ACC
        return Cost(13 + y * (4 * k * x + latency + 21 if x else 14) + zeros)

    return cost


def _bursts(r: np.void, element: int, unit: int) -> int:
    count = 0
    for row in range(int(r["y_size"])):
        first = (int(r["dram_base"]) + row * int(r["x_stride"])) * element
        last = first + int(r["x_size"]) * element - 1
        count += last // unit - first // unit + 1
    return count


def _walk(r: np.void, first_data: int, beats: int) -> int:
    """Cycle after start in which the zero writer is done: rows from the top, cell by cell.

    The writer starts two cycles after the instruction and pauses while data beats arrive; on
    its way to the bottom it passes rows without side padding, one a cycle, even then.
    """
    x, y, left, right, top, bottom = _fields(
        r, "x_size", "y_size", "x_pad_0", "x_pad_1", "y_pad_0", "y_pad_1"
    )
    width = left + x + right
    steps: list[bool] = [True] * (width * top)  # True: a write, which needs the memory
    for _ in range(y):
        steps += [True] * (left + right) if left + right else [False] * (bottom > 0)
    steps += [True] * (width * bottom)
    now = 2
    for writes in steps:
        while writes and first_data <= now < first_data + beats:
            now += 1
        now += 1
    return now


def chisel_cost(r: np.void, latency: int) -> Cost:
    """Costs of the Chisel design with its 8-byte bus."""
    x, y = _fields(r, "x_size", "y_size")
    if r["opcode"] in (Opcode.GEMM, Opcode.ALU):
        twice = r["opcode"] == Opcode.ALU and not r["use_imm"]
        return Cost((2 if twice else 1) * _uops(r) + 7)
    if r["opcode"] == Opcode.FINISH or x == 0:
        return Cost(2)
    if r["opcode"] == Opcode.STORE:
        bursts = _bursts(r, 16, 2048)
        return Cost(3 * x * y + bursts * (latency + 3) - (bursts - 1))
    memory = r["memory_type"]
    top = int(r["y_pad_0"])
    if memory == MemType.UOP:
        beats, cycles = _bursts(r, 4, 8), latency + 4 + y - 1
    else:
        beats = {MemType.INP: 2, MemType.WGT: 32, MemType.ACC: 8}[MemType(memory)] * x * y
        cycles = latency + 5
    data_done = cycles + beats + top
    first_data = latency + 4 + top
    pads = _walk(r, first_data, beats)
    has_pads = top or any(_fields(r, "x_pad_0", "x_pad_1", "y_pad_1"))
    # The loader ends a cycle after its last write, as it does after its last beat.
    late = max(0, pads - (first_data + beats)) if has_pads else 0
    return Cost(data_done + late, latency + 2 + top, beats)


MACHINES = {
    "hls-128bit": Machine(hls_cost(16), 0, 12, 515, 1024, False, 1, 9, 3),
    "hls-64bit": Machine(hls_cost(8), 0, 12, 515, 1024, False, 0, 15, 1),
    "chisel-64bit": Machine(chisel_cost, 128, 4, 512, 256, True, 0, 1, 1),
}


class DeadlockError(Exception):
    """Nothing can happen any more."""


@dataclasses.dataclass
class Run:
    """Start and end of each instruction, and the total."""

    start: list[int]
    end: list[int]
    total: int


def run(
    records: np.ndarray,
    name: str,
    latency: int,
    tokens_in: Sequence[int] = (0, 0, 0, 0),
    serial: bool = False,
) -> Run:
    """Step cycle by cycle until every instruction has ended; `serial` executes one at a time."""
    m = MACHINES[name]
    count = len(records)
    modules = [module(r) for r in records]
    queues: dict[int, list[int]] = {LOAD: [], COMPUTE: [], STORE: []}
    running: dict[int, int] = {}
    blocked: set[int] = set()
    tokens = [[0] * n for n in tokens_in]
    start, end = [-1] * count, [-1] * count
    fetched, next_fetch, in_chunk, port_free = 0, m.fetch_fixed + latency, 0, 0
    request_at = 0 if m.fetch_chunk else None
    now = done = quiet = 0

    def can_push(i: int) -> bool:
        kinds = [k for k, flag in _PRODUCED[modules[i]].items() if records[i][flag]]
        return m.saturates or all(len(tokens[k]) < m.capacity for k in kinds)

    def next_in_turn() -> int | None:
        if running.keys() - blocked:
            return None
        heads = [queues[who][0] for who in queues if queues[who] and who not in running]
        able = [
            i
            for i in heads
            if all(tokens[k] for k, flag in _CONSUMED[modules[i]].items() if records[i][flag])
        ]
        return min(able, default=None)

    while done < count:
        busy = False
        again = True
        while again:
            again = False
            for who, i in list(running.items()):
                if end[i] <= now and (end[i] == now or who in blocked):
                    if not can_push(i):
                        blocked.add(who)
                        continue
                    blocked.discard(who)
                    end[i] = now
                    for k, flag in _PRODUCED[who].items():
                        if records[i][flag] and len(tokens[k]) < m.capacity:
                            tokens[k].append(now + m.token_latency)
                    del running[who]
                    queues[who].pop(0)
                    done += 1
                    again = True
            if request_at is not None and request_at <= now and fetched < count:
                in_chunk = min(m.fetch_chunk, count - fetched)
                first_beat = max(now + 2 + latency, port_free)
                port_free = first_beat + 2 * in_chunk
                next_fetch = first_beat + 2 * in_chunk + m.fetch_fixed - 2
                request_at = None
            ready = fetched < count and request_at is None and next_fetch <= now
            if ready and len(queues[modules[fetched]]) < m.queue:
                queues[modules[fetched]].append(fetched)
                fetched += 1
                next_fetch = now + 1
                if m.fetch_chunk:
                    in_chunk -= 1
                    request_at = now if in_chunk == 0 else None
                again = True
            if again:
                continue
            for who in (LOAD, COMPUTE, STORE):
                if who in running or not queues[who]:
                    continue
                i = queues[who][0]
                kinds = [k for k, flag in _CONSUMED[who].items() if records[i][flag]]
                if not all(tokens[k] and tokens[k][0] <= now for k in kinds):
                    continue
                if serial and i != next_in_turn():
                    continue
                for k in kinds:
                    tokens[k].pop(0)
                cost = m.cost(records[i], latency)
                wait = 0
                if cost.beats:
                    wait = max(0, port_free - (now + cost.first_beat))
                    port_free = now + cost.first_beat + wait + cost.beats
                start[i], end[i] = now, now + cost.cycles + wait
                running[who] = i
                again = True
                break
        busy = any(end[i] > now for i in running.values())
        busy |= any(queue and queue[0] > now for queue in tokens)
        busy |= fetched < count and next_fetch > now
        quiet = 0 if busy else quiet + 1
        if quiet > 4 and done < count:
            raise DeadlockError
        now += 1
    finish = [i for i, r in enumerate(records) if r["opcode"] == Opcode.FINISH]
    total = max(end, default=0)
    if finish:
        total = -(-(start[finish[0]] + m.done_visible) // m.poll) * m.poll
    return Run(start, end, total)
