"""What lies between the four modules: FIFOs for instructions and tokens, and shared memories.

Names are those of the arguments in `hls/src/tops.hpp`; the tests compare widths, depths and the
split in words with what the C++ says.
"""

from __future__ import annotations

import dataclasses

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.table import INSN_BYTES, TOKENS, Module
from vta_pynq.timing.profiles import HwProfile

__all__ = ["BANK_BITS", "Fifo", "Memory", "fifos", "memories"]

BANK_BITS = 1024
"""Widest word of a memory: elements that are wider lie in several (`hls/src/config.hpp`)."""

_TOKEN_BITS = 8
"""A token is one bit; AXI-Stream carries whole bytes."""
_FIFO_DEPTHS = range(16, 32768 + 1)
"""Of `axis_data_fifo` 2.0, powers of two (PG085)."""
_WORD_BITS = range(32, BANK_BITS + 1)
"""Of a block memory with byte addresses, powers of two (PG058)."""


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


@dataclasses.dataclass(frozen=True)
class Fifo:
    """A FIFO from one module to another; both name their port like the FIFO."""

    name: str
    bits: int
    depth: int
    producer: Module
    consumer: Module


@dataclasses.dataclass(frozen=True)
class Memory:
    """A buffer that one module writes and another reads, `words` memories of `word_bits` each."""

    name: str
    elem_bits: int
    depth: int
    writer: Module
    reader: Module

    @property
    def word_bits(self) -> int:
        """Bits of one memory's port."""
        return min(self.elem_bits, BANK_BITS)

    @property
    def words(self) -> int:
        """How many memories hold an element."""
        return self.elem_bits // self.word_bits

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of the memories, and of the modules' ports: HLS numbers several."""
        if self.words == 1:
            return (self.name,)
        return tuple(f"{self.name}_{word}" for word in range(self.words))


def fifos(profile: HwProfile) -> tuple[Fifo, ...]:
    """The three instruction queues and the four token queues, as deep as the profile says.

    Raises
    ------
    ConfigError
        The profile has no such depth, or one that the FIFO generator does not make.
    """
    consumers = [module for module in Module if module is not Module.FETCH]
    queues = [
        Fifo(
            f"{module.name.lower()}_queue",
            8 * INSN_BYTES,
            _depth(profile, "insn_queue_depth", profile.insn_queue_depth),
            Module.FETCH,
            module,
        )
        for module in consumers
    ]
    capacity = _depth(profile, "token_capacity", profile.token_capacity)
    tokens = [
        Fifo(token.name, _TOKEN_BITS, capacity, token.producer, token.consumer) for token in TOKENS
    ]
    return (*queues, *tokens)


def _depth(profile: HwProfile, what: str, depth: int | None) -> int:
    if depth is None or depth not in _FIFO_DEPTHS or not _is_power_of_two(depth):
        raise ConfigError(
            f"profile {profile.name}: {what} must be a power of two in "
            f"{_FIFO_DEPTHS[0]}..{_FIFO_DEPTHS[-1]} to be built, not {depth}"
        )
    return depth


def memories(config: HwConfig) -> tuple[Memory, ...]:
    """The three buffers that two modules share.

    Raises
    ------
    ConfigError
        A word has a width that the block memory generator does not make.
    """
    found = (
        Memory("inp_mem", 8 * config.inp_bytes, config.inp_depth, Module.LOAD, Module.COMPUTE),
        Memory("wgt_mem", 8 * config.wgt_bytes, config.wgt_depth, Module.LOAD, Module.COMPUTE),
        Memory("out_mem", 8 * config.out_bytes, config.out_depth, Module.COMPUTE, Module.STORE),
    )
    for memory in found:
        if memory.word_bits not in _WORD_BITS or not _is_power_of_two(memory.word_bits):
            raise ConfigError(
                f"configuration {config.name}: an element of {memory.name} must have at least "
                f"{_WORD_BITS[0]} bits to be built, not {memory.elem_bits}; use a larger block"
            )
    return found
