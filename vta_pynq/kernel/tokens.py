"""Tokens that the author of a kernel places: pushes, pops, and what is outstanding."""

from __future__ import annotations

import array
import contextlib
from collections import deque
from collections.abc import Iterator

from vta_pynq.errors import KernelError
from vta_pynq.isa.table import TOKENS, Module, Token
from vta_pynq.kernel.dependencies import FlagBits

__all__ = ["ExplicitTokens", "token_between"]


_TOKENS: dict[object, Token] = {t.name: t for t in TOKENS}
_TOKENS |= {(t.producer, t.consumer): t for t in TOKENS}


def token_between(producer: Module | str, consumer: Module | None) -> Token:
    """The token counter from one module to another, or of a name such as `"l2g"`.

    Raises
    ------
    KernelError
        There is no such counter.
    """
    found = _TOKENS.get(producer if consumer is None else (producer, consumer))
    if found is not None:
        return found
    names = ", ".join(f"{t.name} ({t.producer.name} to {t.consumer.name})" for t in TOKENS)
    raise KernelError(
        f"token: must be one of {names}, not {_said(producer, consumer)}; LOAD and STORE meet by "
        "way of COMPUTE"
    )


def _said(producer: Module | str, consumer: Module | None) -> str:
    ends = [getattr(end, "name", str(end)) for end in (producer, consumer) if end is not None]
    return " to ".join(ends)


class ExplicitTokens:
    """Pending pops, the place of each push that was not popped yet, and pops without a push."""

    def __init__(self, words: array.array[int], bits: FlagBits) -> None:
        self._words, self._bits = words, bits
        size = max(Module) + 1
        self.pending = [0] * size
        """Pop flags that the next instruction of each module carries."""
        self.last = [-1] * size
        """Last instruction of each module in this submission; -1 where there is none."""
        self._waiting: list[list[Token]] = [[] for _ in range(size)]
        self.outstanding: dict[str, deque[int]] = {t.name: deque() for t in TOKENS}
        self.owed = dict.fromkeys((t.name for t in TOKENS), 0)
        self.covered = dict.fromkeys((t.name for t in TOKENS), -1)
        """Last instruction of the producer that the consumer has waited for."""

    def pop(self, token: Token) -> bool:
        """Let the consumer's next instruction pop; False where it already pops this token."""
        bit = self._bits[token.pop_flag]
        if self.pending[token.consumer] & bit:
            return False
        self.pending[token.consumer] |= bit
        self._waiting[token.consumer].append(token)
        return True

    def push(self, token: Token) -> bool:
        """Let the producer's last instruction push; False where none is free to do so."""
        index, bit = self.last[token.producer], self._bits[token.push_flag]
        if index < 0 or self.pending[token.producer] or self._words[2 * index] & bit:
            return False
        self._words[2 * index] |= bit
        if self.owed[token.name]:
            self.owed[token.name] -= 1
        else:
            self.outstanding[token.name].append(index)
        return True

    def take(self, module: int) -> int:
        """Pop flags for the next instruction of `module`."""
        flags = self.pending[module]
        self.pending[module] = 0
        for token in self._waiting[module]:
            if self.outstanding[token.name]:
                self.covered[token.name] = self.outstanding[token.name].popleft()
            else:
                self.owed[token.name] += 1
        self._waiting[module].clear()
        return flags

    @contextlib.contextmanager
    def set_aside(self) -> Iterator[None]:
        """Let instructions in between leave the pending pops alone."""
        pending, waiting = self.pending, self._waiting
        self.pending, self._waiting = [0] * len(pending), [[] for _ in waiting]
        try:
            yield
        finally:
            self.pending, self._waiting = pending, waiting

    def forget_last(self) -> None:
        """A submission has ended: no instruction of it can push any more."""
        self.last = [-1] * len(self.last)

    def account(self, token: Token, pushes: list[int], pops: int) -> None:
        """Count tokens of instructions that were appended in bulk."""
        places = self.outstanding[token.name]
        owed = min(self.owed[token.name], len(pushes))
        self.owed[token.name] -= owed
        places.extend(pushes[owed:])
        for _ in range(min(pops, len(places))):
            self.covered[token.name] = places.popleft()
            pops -= 1
        self.owed[token.name] += pops

    @property
    def unmatched(self) -> int:
        """Tokens that were pushed and not popped yet."""
        return sum(map(len, self.outstanding.values()))

    @property
    def owing(self) -> str | None:
        """Name of a token that was popped and not pushed yet, if any."""
        return next((name for name, count in self.owed.items() if count), None)
