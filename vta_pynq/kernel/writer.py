"""Instructions as they are emitted: words, relocations, submissions."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import MEM_FORMAT, TOKENS, MemType, Module, Opcode, module_of
from vta_pynq.kernel.debug import Debug
from vta_pynq.kernel.dependencies import Dependencies
from vta_pynq.kernel.tokens import ExplicitTokens, token_between
from vta_pynq.timing.profiles import HwProfile

__all__ = ["MIN_INSN_LIMIT", "Writer"]

MIN_INSN_LIMIT = 32
"""Smallest limit of instructions in one submission."""

_LOAD_QUEUE = [m for m in MemType if module_of(Opcode.LOAD, m) == Module.LOAD]
_RESERVE = 12  # instructions that the end of a submission and one operation's tokens may take
_NOP_TYPE = {Module.LOAD: MemType.INP, Module.COMPUTE: MemType.UOP, Module.STORE: MemType.OUT}


def _modules(records: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    store = records["opcode"] == Opcode.STORE
    load = (records["opcode"] == Opcode.LOAD) & np.isin(records["memory_type"], _LOAD_QUEUE)
    return np.where(store, Module.STORE, np.where(load, Module.LOAD, Module.COMPUTE))


class Writer:
    """Appends instructions, attaches tokens, and ends a submission when it is full.

    With `tracked`, tokens come from `dependencies`; otherwise from `push` and `pop`.
    """

    def __init__(
        self, config: HwConfig, profile: HwProfile, limit: int, debug: Debug, tracked: bool
    ) -> None:
        if limit < MIN_INSN_LIMIT:
            raise KernelError(
                f"builder: insn_limit must be at least {MIN_INSN_LIMIT} instructions, not {limit}"
            )
        self.words: array.array[int] = array.array("Q")
        self.reloc_insn = array.array("I")
        self.reloc_buffer = array.array("I")
        self.submissions: list[tuple[int, int]] = []
        self.limit = limit
        self._begin = 0
        slots = {slot.field.name: slot for slot in format_layout(config, MEM_FORMAT)}
        self._shift = {name: slot.shift for name, slot in slots.items()}
        names = {flag for token in TOKENS for flag in (token.push_flag, token.pop_flag)}
        bits = {name: 1 << slots[name].shift for name in names}
        self._opcode = slots["opcode"].mask
        self._flags = sum(bits.values())
        self._nops = {
            module: (Opcode.STORE if module == Module.STORE else Opcode.LOAD)
            | mem << self._shift["memory_type"]
            for module, mem in _NOP_TYPE.items()
        }
        self._disabled = {module: self._nops[module] for module in debug.disable}
        self.serial = debug.force_serial
        self._previous = Module.COMPUTE
        self.tokens = ExplicitTokens(self.words, bits)
        self.dependencies: Dependencies | None = None
        if tracked or self.serial:
            self.dependencies = Dependencies(self.words, bits, profile.token_capacity, self.nop)
        self._counted = {token.name: 0 for token in TOKENS}  # pushes less pops, serial mode

    def __len__(self) -> int:
        return len(self.words) >> 1

    # ---- instructions --------------------------------------------------------------------

    def emit(self, module: Module, word0: int, word1: int, buffer: int = -1) -> int:
        """Append an instruction with the pops it must carry; its index.

        `buffer` is the number of the buffer that `dram_base` counts from, or -1.
        """
        words = self.words
        index = len(words) >> 1
        deps = self.dependencies
        if deps is None:
            tokens = self.tokens
            tokens.last[module] = index
            if tokens.pending[module]:
                word0 |= tokens.take(module)
        else:
            word0 |= deps.pops[module]
            deps.commit(module, index)
            self._previous = module
        if module in self._disabled and word0 & self._opcode != Opcode.FINISH:
            word0, word1, buffer = word0 & self._flags | self._disabled[module], 0, -1
        words.append(word0)
        words.append(word1)
        if buffer >= 0:
            self.reloc_insn.append(index)
            self.reloc_buffer.append(buffer)
        return index

    def emit_ahead(self, word0: int, word1: int, buffer: int) -> None:
        """Append a load of micro-ops, which need not wait for what the next instruction needs."""
        with self.tokens.set_aside():
            self.emit(Module.COMPUTE, word0, word1, buffer)

    def nop(self, module: Module) -> None:
        """Append an instruction that only passes tokens."""
        self.emit(module, self._nops[module], 0)

    def begin(self, module: Module, count: int = 1) -> None:
        """Call before each operation: makes room for `count` instructions, and serialises."""
        room = self.limit - (len(self.words) >> 1) + self._begin - count
        if 2 * room < self.limit and room < _RESERVE + self.tokens.unmatched:
            self._make_room(room)
        deps = self.dependencies
        if deps is not None:
            deps.before(module)
            if self.serial and self._previous != module:
                deps.wait(module, self._previous, deps.count[self._previous])

    def _make_room(self, room: int) -> None:
        owing = self.tokens.owing
        if owing is None:
            self.finish()
        elif room < _RESERVE // 2 + self.tokens.unmatched:
            raise KernelError(
                f"builder: token {owing} must be pushed before the submission's "
                f"{self.limit} instructions are full, not after; push it earlier or raise "
                "insn_limit"
            )

    def extend(
        self,
        words: npt.NDArray[np.uint64],
        records: npt.NDArray[np.void],
        buffers: npt.NDArray[np.integer[Any]] | None,
    ) -> None:
        """Append encoded instructions that carry their tokens; all go into one submission."""
        if len(words) > self.limit - 2 * _RESERVE:
            raise KernelError(
                f"append: instructions must be at most {self.limit - 2 * _RESERVE} at once "
                f"(insn_limit {self.limit}), not {len(words)}; append them in parts"
            )
        self.begin(Module.LOAD, len(words))
        base = len(self)
        modules = _modules(records)
        for token in TOKENS:
            pops = np.flatnonzero((modules == token.consumer) & (records[token.pop_flag] > 0))
            pushes = np.flatnonzero((modules == token.producer) & (records[token.push_flag] > 0))
            self.tokens.account(token, (pushes + base).tolist(), len(pops))
        for module in _NOP_TYPE:
            rows = np.flatnonzero(modules == module)
            if rows.size:
                self.tokens.last[module] = base + int(rows[-1])
        self.words.frombytes(np.ascontiguousarray(words, np.uint64).tobytes())
        if buffers is not None:
            chosen = np.flatnonzero(np.asarray(buffers) >= 0)
            self.reloc_insn.frombytes((chosen + base).astype(np.uint32).tobytes())
            self.reloc_buffer.frombytes(np.asarray(buffers)[chosen].astype(np.uint32).tobytes())

    # ---- tokens --------------------------------------------------------------------------

    def push(self, producer: Module | str, consumer: Module | None) -> None:
        """Let the producer's last instruction push, or an inserted one where that cannot."""
        token = token_between(producer, consumer)
        if self.dependencies is not None:
            self._counted[token.name] += 1
        elif not self.tokens.push(token):
            self.begin(token.producer)
            self.nop(token.producer)
            self.tokens.push(token)

    def pop(self, producer: Module | str, consumer: Module | None) -> None:
        """Let the consumer's next instruction pop."""
        token = token_between(producer, consumer)
        if self.dependencies is not None:
            self._counted[token.name] -= 1
            if self._counted[token.name] < 0:
                raise KernelError(
                    f"builder: token {token.name} must be pushed before it is popped with "
                    "force_serial, not after; emit the producer first"
                )
        elif not self.tokens.pop(token):
            self.begin(token.consumer)
            self.nop(token.consumer)
            self.tokens.pop(token)

    # ---- submissions ---------------------------------------------------------------------

    def finish(self, flush: bool = False) -> None:
        """End the submission: FINISH after every load and store of it is done.

        Tokens that are outstanding are popped, and pushed again in the next submission unless
        `flush` is set; then pops that wait for an instruction are carried out as well.
        """
        if flush:
            for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
                if self.tokens.pending[module]:
                    self.nop(module)
        if len(self) == self._begin:
            return
        restore: dict[str, int] = {}
        if self.dependencies is None:
            restore = self._drain()
        else:
            self._await_all(self.dependencies)
        with self.tokens.set_aside():
            self.emit(Module.COMPUTE, int(Opcode.FINISH), 0)
        if self.dependencies is not None:
            self.dependencies.all_done()
        self.submissions.append((self._begin, len(self)))
        self._begin = len(self)
        self.tokens.forget_last()
        if not flush:
            self._restore(restore)

    def _await_all(self, deps: Dependencies) -> None:
        deps.before(Module.COMPUTE)
        for module in (Module.LOAD, Module.STORE):
            deps.wait(Module.COMPUTE, module, deps.count[module])
        if deps.pops[Module.COMPUTE]:
            self.nop(Module.COMPUTE)

    def _drain(self) -> dict[str, int]:
        """Pop what is outstanding, wait for the last load and store; tokens to give back."""
        tokens = self.tokens
        if tokens.owing is not None:
            raise KernelError(
                f"builder: token {tokens.owing} must be pushed once for each pop, not less; "
                "push it before synchronize()"
            )
        restore = {name: len(places) for name, places in tokens.outstanding.items()}
        if 2 * tokens.unmatched + _RESERVE > self.limit:
            raise KernelError(
                f"builder: tokens outstanding at the end of a submission must be at most "
                f"{(self.limit - _RESERVE) // 2}, not {tokens.unmatched}; raise insn_limit"
            )
        # Pops that wait for their instruction stay pending: it will be in the next submission.
        with tokens.set_aside():
            for module in (Module.LOAD, Module.STORE, Module.COMPUTE):
                if module == Module.COMPUTE:
                    self._push_last()
                while any(tokens.outstanding[t.name] for t in TOKENS if t.consumer == module):
                    for token in TOKENS:
                        if token.consumer == module and tokens.outstanding[token.name]:
                            tokens.pop(token)
                    self.nop(module)
        return restore

    def _push_last(self) -> None:
        """Let the last load and the last store push, unless they were waited for."""
        tokens = self.tokens
        for token in TOKENS:
            last = tokens.last[token.producer]
            if token.consumer != Module.COMPUTE or last < 0:
                continue
            places = tokens.outstanding[token.name]
            if (places[-1] if places else tokens.covered[token.name]) < last:
                tokens.push(token)

    def _restore(self, counts: dict[str, int]) -> None:
        for token in TOKENS:
            for _ in range(counts.get(token.name, 0)):
                with self.tokens.set_aside():
                    self.nop(token.producer)
                    self.tokens.push(token)
