"""Tokens that a program needs, found by tracking what each instruction reads and writes.

Every module executes in order, so "instruction s of module p is done" says the same of all before
it. For each module the tracker keeps how far it is known to have waited for the others (a vector
clock); a dependency that the clock already covers needs no token. A push always comes before its
pop in program order and the k-th pop of a counter takes the k-th push, so no stream can
deadlock, whatever the depth of the queues.
"""

from __future__ import annotations

import array
from bisect import bisect_right
from collections.abc import Callable

from vta_pynq.isa.table import TOKENS, Module

__all__ = ["Dependencies", "FlagBits"]

FlagBits = dict[str, int]
"""Bit of each dependency flag in word 0, by field name."""

Clock = list[int]
_Key = tuple[int, int]  # producer, consumer


class Dependencies:
    """Inserts tokens between the three queues.

    Modules are numbered by `Module`; instructions of a module count from 1.

    Parameters
    ----------
    words
        The program so far, two words an instruction; pushes are added to earlier instructions.
    bits
        Where the dependency flags lie.
    capacity
        Tokens that one counter holds, or None.
    emit_nop
        Appends an instruction of a module that only passes tokens; it takes `pops` of that
        module and calls `commit`.
    """

    def __init__(
        self,
        words: array.array[int],
        bits: FlagBits,
        capacity: int | None,
        emit_nop: Callable[[Module], None],
    ) -> None:
        self._words, self._emit_nop = words, emit_nop
        # One token less than the counter holds: a merged push may come on top (see `wait`).
        self._limit = None if capacity is None else max(1, capacity - 1)
        self._push: dict[_Key, int] = {(t.producer, t.consumer): bits[t.push_flag] for t in TOKENS}
        self._pop: dict[_Key, int] = {(t.producer, t.consumer): bits[t.pop_flag] for t in TOKENS}
        size = max(Module) + 1
        self.pops = [0] * size
        """Pop flags that the next instruction of each module must carry."""
        self.count = [0] * size
        """Instructions of each module so far."""
        self.known: list[Clock] = [[0] * size for _ in range(size)]
        """`known[c][p]`: instructions of p that the next one of c is known to come after."""
        self._place: list[list[int]] = [[] for _ in range(size)]
        self._changed: list[list[int]] = [[0] for _ in range(size)]
        self._clocks: list[list[tuple[int, ...]]] = [[(0,) * size] for _ in range(size)]
        self._stale = [False] * size
        self._pushes: dict[_Key, int] = dict.fromkeys(self._push, 0)
        self._proven: dict[_Key, int] = dict.fromkeys(
            self._push, 0
        )  # pops that surely came before the next push
        self._pop_seqs: dict[_Key, list[int]] = {key: [] for key in self._push}
        self._meet: dict[int, int] = {}

    def commit(self, module: int, index: int) -> int:
        """Record that instruction `index` is the next of `module`; its number in the module."""
        self.count[module] += 1
        seq = self.count[module]
        self._place[module].append(index)
        self.pops[module] = 0
        if self._stale[module]:
            self._stale[module] = False
            self._changed[module].append(seq)
            self._clocks[module].append(tuple(self.known[module]))
        return seq

    def before(self, module: int) -> None:
        """Call first for each instruction: a module that ran far ahead meets its consumer."""
        if self._meet and module in self._meet:
            consumer = self._meet.pop(module)
            self.wait(module, consumer, self.count[consumer])

    def wait(self, consumer: int, producer: int, seq: int) -> None:
        """Make the next instruction of `consumer` come after instruction `seq` of `producer`."""
        if self.known[consumer][producer] >= seq:
            return
        key = (producer, consumer)
        if key not in self._push:  # LOAD and STORE: by way of COMPUTE
            self.wait(Module.COMPUTE, producer, seq)
            self._emit_nop(Module.COMPUTE)
            self.wait(consumer, Module.COMPUTE, self.count[Module.COMPUTE])
            return
        if self.pops[consumer] & self._pop[key]:
            self._emit_nop(Module(consumer))
        if self._limit is not None and self._pushes[key] - self._proven[key] >= self._limit:
            seq = self._relieved(key, seq)
        self._words[2 * self._place[producer][seq - 1]] |= self._push[key]
        self._pushes[key] += 1
        self.pops[consumer] |= self._pop[key]
        self._pop_seqs[key].append(self.count[consumer] + 1)
        known = self.known[consumer]
        for module, value in enumerate(self._clock(producer, seq)):
            if value > known[module]:
                known[module] = value
        known[producer] = seq
        self._stale[consumer] = True

    def _clock(self, module: int, seq: int) -> tuple[int, ...]:
        return self._clocks[module][bisect_right(self._changed[module], seq) - 1]

    def _relieved(self, key: _Key, seq: int) -> int:
        """The instruction to push from so that the counter cannot overflow.

        Where it could, the push moves to the producer's last instruction, which covers all
        before it, and the producer's next instruction waits for this consumer.
        """
        producer, consumer = key
        done = self._clock(producer, seq)[consumer]
        self._proven[key] = bisect_right(self._pop_seqs[key], done)
        if self._limit is not None and self._pushes[key] - self._proven[key] < self._limit:
            return seq
        self._meet[producer] = consumer
        return self.count[producer]

    def all_done(self) -> None:
        """Record that every instruction so far is done: a FINISH was waited for."""
        for module, known in enumerate(self.known):
            known[:] = self.count
            self._stale[module] = True
        self._meet.clear()
