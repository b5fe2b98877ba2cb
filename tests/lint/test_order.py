"""Deadlock and race detection against brute force on random streams."""

from __future__ import annotations

import dataclasses
import random
from collections import deque

import pytest

from tests.lint.programs import OUT_PHYS, UOP_PHYS, Fields, finish, stream
from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.lint import lint_stream
from vta_pynq.timing.profiles import get_profile

CONFIG = HwConfig()
CHAIN = ("load", "compute", "store")


def home(insn: Fields) -> int:
    """Position of the instruction's module in `CHAIN`."""
    if insn["opcode"] == Opcode.STORE:
        return 2
    return 0 if insn.get("memory_type") in (MemType.INP, MemType.WGT) else 1


def links(insn: Fields, verb: str) -> list[tuple[int, int]]:
    """Counters (from module, to module) that an instruction pops or pushes."""
    m = home(insn)
    found = []
    for side, flag in ((-1, f"{verb}_prev"), (1, f"{verb}_next")):
        if insn.get(flag) and 0 <= m + side <= 2:
            found.append((m + side, m) if verb == "pop" else (m, m + side))
    return found


def run_queues(insns: list[Fields], room: int | None, capacity: int | None,
               initial: dict[tuple[int, int], int], rng: random.Random) -> bool:  # fmt: skip
    """Whether a stream ends: bounded queues and counters, modules in random order."""
    queues: list[deque[Fields]] = [deque(), deque(), deque()]
    blocked: list[list[tuple[int, int]] | None] = [None, None, None]
    tokens = {(0, 1): 0, (1, 0): 0, (1, 2): 0, (2, 1): 0, **initial}
    waiting = deque(insns)
    while True:
        moved = False
        while waiting and (room is None or len(queues[home(waiting[0])]) < room):
            queues[home(waiting[0])].append(waiting.popleft())
            moved = True
        for m in rng.sample(range(3), 3):
            if not queues[m]:
                continue
            if blocked[m] is None and all(tokens[t] for t in links(queues[m][0], "pop")):
                for t in links(queues[m][0], "pop"):
                    tokens[t] -= 1
                blocked[m] = links(queues[m][0], "push")
                moved = True
            pending = blocked[m]
            if pending is not None and all(
                capacity is None or tokens[t] < capacity for t in pending
            ):
                for t in pending:
                    tokens[t] += 1
                blocked[m] = None
                queues[m].popleft()
                moved = True
        if not moved:
            return not waiting and not any(queues)


def random_syncs(rng: random.Random, count: int) -> list[Fields]:
    """No-op instructions with random flags that a module has a partner for."""
    insns = []
    for _ in range(count):
        m = rng.randrange(3)
        opcode, memory = [
            (Opcode.LOAD, MemType.INP), (Opcode.LOAD, MemType.UOP), (Opcode.STORE, MemType.OUT),
        ][m]  # fmt: skip
        flags = {
            f"{verb}_{side}": int(rng.random() < chance)
            for verb, chance in (("pop", 0.3), ("push", 0.4))
            for side, exists in (("prev", m > 0), ("next", m < 2))
            if exists
        }
        insns.append({"opcode": opcode, "memory_type": memory, **flags})
    return insns


DEADLOCK_RULES = {"token-deadlock", "queue-deadlock", "token-capacity"}


@pytest.mark.parametrize("seed", range(8))
def test_lint_stream_deadlock_agrees_with_queue_simulation(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    ended = 0
    for _ in range(150):
        insns = random_syncs(rng, rng.randrange(1, 24))
        room, capacity = rng.choice([None, 1, 2, 3, 5]), rng.choice([None, 1, 2, 3])
        counts = [rng.choice([0, 0, 0, 1, 2]) for _ in range(4)]
        if capacity is not None:
            counts = [min(c, capacity) for c in counts]
        l2g, g2l, g2s, s2g = counts
        initial = {(0, 1): l2g, (1, 0): g2l, (1, 2): g2s, (2, 1): s2g}
        profile = dataclasses.replace(
            get_profile("hls-64bit"),
            insn_queue_depth=room, insn_queue_skid=0, token_capacity=capacity,
        )  # fmt: skip
        report = lint_stream(stream(insns, tokens_in=(l2g, g2l, g2s, s2g)), profile)
        stuck = bool(DEADLOCK_RULES & {f.rule for f in report.findings})
        fine = run_queues(insns, room, capacity, initial, rng)
        assert stuck != fine, (insns, room, capacity, counts, report.findings)
        ended += fine
    assert 15 < ended < 135  # both answers occur


@dataclasses.dataclass(frozen=True)
class Access:
    """What one instruction touches: (space, element) pairs."""

    reads: frozenset[tuple[str, int]]
    writes: frozenset[tuple[str, int]]


def random_access(rng: random.Random) -> tuple[Fields, Access]:
    """A small instruction with random flags and the SRAM and DRAM elements that it touches."""
    insn = random_syncs(rng, 1)[0]
    m, at, width = home(insn), rng.randrange(4), rng.randrange(1, 3)
    span = range(at, at + width)
    size = {"sram_base": at, "x_size": width, "y_size": 1, "x_stride": width}
    if m == 0:
        place = rng.randrange(4)
        insn |= {**size, "dram_base": OUT_PHYS // 16 + place}
        reads = {("dram", place + k) for k in range(width)}
        return insn, Access(frozenset(reads), frozenset(("inp", e) for e in span))
    if m == 2:
        place = rng.randrange(4)
        insn |= {**size, "dram_base": OUT_PHYS // 16 + place}
        writes = {("dram", place + k) for k in range(width)}
        return insn, Access(frozenset(("out", e) for e in span), frozenset(writes))
    flags = {k: v for k, v in insn.items() if "_prev" in k or "_next" in k}
    source = rng.randrange(4)
    loops = {"uop_bgn": 4 * at + source, "uop_end": 4 * at + source + 1}
    steps = {"iter_out": 1, "iter_in": width, "dst_factor_in": 1, "src_factor_in": 1}
    insn = {"opcode": Opcode.GEMM, **loops, **steps, **flags}
    reads = {("inp", source + k) for k in range(width)}
    return insn, Access(frozenset(reads), frozenset(("out", e) for e in span))


def reachable(insns: list[Fields]) -> tuple[set[tuple[int, int, int]], list[list[int]], bool]:
    """All states (instructions done by module) that some interleaving passes, and if it ends."""
    queues: list[list[int]] = [[], [], []]
    for i, insn in enumerate(insns):
        queues[home(insn)].append(i)
    seen = {(0, 0, 0)}
    todo = [(0, 0, 0)]
    while todo:
        state = todo.pop()
        tokens = {(0, 1): 0, (1, 0): 0, (1, 2): 0, (2, 1): 0}
        for m in range(3):
            for i in queues[m][: state[m]]:
                for t in links(insns[i], "pop"):
                    tokens[t] -= 1
                for t in links(insns[i], "push"):
                    tokens[t] += 1
        for m in range(3):
            if state[m] < len(queues[m]) and all(
                tokens[t] > 0 for t in links(insns[queues[m][state[m]]], "pop")
            ):
                after = (*state[:m], state[m] + 1, *state[m + 1 :])
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
    return seen, queues, tuple(map(len, queues)) in seen


def races(insns: list[Fields], accesses: list[Access]) -> set[str] | None:
    """Spaces in which two accesses can happen in either order; None where the stream is stuck."""
    states, queues, ends = reachable(insns)
    if not ends:
        return None
    found = set()
    for p in range(3):
        for q in range(p + 1, 3):
            for j, a in enumerate(queues[p]):
                for k, b in enumerate(queues[q]):
                    one, two = accesses[a], accesses[b]
                    clash = (one.writes & (two.reads | two.writes)) | (one.reads & two.writes)
                    first = any(s[p] > j and s[q] <= k for s in states)
                    second = any(s[p] <= j and s[q] > k for s in states)
                    if clash and first and second:
                        found |= {"dram" if space == "dram" else "sram" for space, _ in clash}
    return found


@pytest.mark.parametrize("seed", range(6))
def test_lint_stream_races_agree_with_all_interleavings(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    uops = [(d, s, 0) for d in range(4) for s in range(4)]
    start = {"opcode": Opcode.LOAD, "memory_type": MemType.UOP, "x_size": 16, "y_size": 1,
             "x_stride": 16, "dram_base": UOP_PHYS // 4}  # fmt: skip
    quiet = Access(frozenset(), frozenset())
    answers = []
    while len(answers) < 100:
        parts = [random_access(rng) for _ in range(rng.randrange(3, 9))]
        insns = [start, *(insn for insn, _ in parts), finish()]
        expected = races(insns, [quiet, *(access for _, access in parts), quiet])
        if expected is None:
            continue
        rules = {f.rule for f in lint_stream(stream(insns, uops)).findings}
        got = {space for space in ("dram", "sram") if f"race-{space}" in rules}
        assert got == expected, insns
        answers.append(frozenset(expected))
    assert len(set(answers)) == 4  # every combination occurs
