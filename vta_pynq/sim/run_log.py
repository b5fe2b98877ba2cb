"""What the counters of the own design show: the cycle model's account of the runs so far.

A run is only noted; the model works when somebody asks. A functional engine has no cycles, and
what it does has no influence on the account.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.control_block import COUNTERS, CounterKind
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import INSN_BYTES, TOKENS, Module
from vta_pynq.timing.profiles import HwProfile

__all__ = ["CYCLES", "RunLog", "count_cycles"]

CYCLES = "CYCLES"
"""Name of the count of all cycles, beside those of the counters' registers."""

_MOST_STREAMS = 256
"""Different streams that are kept before they are counted."""

Tokens = tuple[int, int, int, int]


class RunLog:
    """The runs since it was cleared.

    Parameters
    ----------
    config
        What the streams are encoded for.
    profile
        The implementation whose cycles count; one without timing counts nothing.
    """

    def __init__(self, config: HwConfig, profile: HwProfile) -> None:
        self._config = config
        self._profile = profile
        self._noted: collections.Counter[tuple[bytes, Tokens]] = collections.Counter()
        self._counted: collections.Counter[str] = collections.Counter()

    def add(self, words: bytes, tokens: Tokens) -> None:
        """Note a run of these instructions from these token counts."""
        self._noted[words, tokens] += 1
        if len(self._noted) > _MOST_STREAMS:
            self._count()

    def clear(self) -> None:
        """Forget every run."""
        self._noted.clear()
        self._counted.clear()

    def totals(self) -> Mapping[str, int]:
        """Cycles, and the counters by their registers' names; those that are 0 may be absent.

        Runs that the cycle model cannot follow, such as one that dead-locks, count nothing.
        """
        self._count()
        return self._counted

    def _count(self) -> None:
        for (words, tokens), times in self._noted.items():
            for name, value in count_cycles(words, tokens, self._config, self._profile).items():
                self._counted[name] += times * value
        self._noted.clear()


@functools.lru_cache(maxsize=64)
def count_cycles(
    words: bytes, tokens: Tokens, config: HwConfig, profile: HwProfile
) -> Mapping[str, int]:
    """What the counters show after one run; empty where the cycle model cannot follow it."""
    from vta_pynq.timing import StallReason, simulate

    if profile.timing is None:
        return {}
    insns = np.frombuffer(words, np.uint64).reshape(-1, 2)
    try:
        report = simulate(insns, profile, config=config, tokens_in=tokens)
    except SimError:
        return {}
    found = {CYCLES: report.total_cycles}
    rows = report.rows
    token_of = {t.name: StallReason[t.name.upper()] for t in TOKENS}
    for counter in COUNTERS:
        if counter.module is Module.FETCH:
            found[counter.register] = _fetch(counter.kind, counter.channel, rows, profile)
            continue
        account = report.modules[counter.module]
        if counter.kind is CounterKind.BUSY:  # the taps cannot tell work from a busy port
            value = account.busy + account.stalls[StallReason.PORT]
        elif counter.kind is CounterKind.STARVED:
            value = account.stalls[StallReason.FETCH] + account.idle
        elif counter.kind is CounterKind.WAIT:
            value = account.stalls[token_of[counter.channel]]
        else:
            value = _pushes(counter.module, counter.channel, rows, insns, config)
        found[counter.register] = value
    return found


def _fetch(kind: CounterKind, queue: str, rows: npt.NDArray[np.void], profile: HwProfile) -> int:
    """A counter of fetch, from the times at which instructions entered their queues."""
    assert profile.timing is not None
    port = profile.timing.port_of("fetch")
    if kind is CounterKind.BUSY:
        return len(rows) * -(-INSN_BYTES // port.bus_bytes)
    issue = rows["issue"]
    if kind is CounterKind.STARVED:
        return int(issue[0]) if len(issue) else 0
    # Fetch hands out an instruction in each interval unless the queue of the next one is full.
    late = np.maximum(np.diff(issue, prepend=issue[:1]) - profile.timing.fetch.interval, 0)
    return int(late[rows["module"] == Module[queue.upper()]].sum())


def _pushes(
    module: Module,
    channel: str,
    rows: npt.NDArray[np.void],
    insns: npt.NDArray[np.uint64],
    config: HwConfig,
) -> int:
    """Cycles in which a module could not push; of two tokens the later one gets them."""
    waits = (rows["module"] == module) & (rows["push_stall"] > 0)
    if not waits.any():
        return 0
    flags = decode(insns[waits], config)
    mine = [t for t in TOKENS if t.producer is module]
    last = mine[-1]
    to_last = flags[last.push_flag].astype(bool) if len(mine) > 1 else np.ones(len(flags), bool)
    chosen = to_last if channel == last.name else ~to_last
    return int(rows["push_stall"][waits][chosen].sum())
