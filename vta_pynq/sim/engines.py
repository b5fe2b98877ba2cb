"""Engines behind the simulated accelerator: which one runs, and on what it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.encode import as_words
from vta_pynq.isa.table import INSN_BYTES, Module
from vta_pynq.sim.accelerator import Outcome, RunEngine
from vta_pynq.sim.dram import DramImages
from vta_pynq.sim.tolerant import Remainder, error_bit, spare_address
from vta_pynq.timing.profiles import HwProfile

if TYPE_CHECKING:
    from vta_pynq.sim.engine import BasePointers, Dram, StreamError

_LOG = logging.getLogger("vta_pynq.sim")

_BUDGET = (1 << 62) - 1
"""Hardware has no budget: a driver's deadline bounds a run."""

__all__ = ["DesignEngine", "EngineFactory", "FastEngine"]

EngineFactory = Callable[[HwConfig, HwProfile, DramImages], RunEngine]
"""Makes the engine of a freshly downloaded design."""


class FastEngine:
    """The C engine, on the device image of the simulated DRAM."""

    def __init__(self, config: HwConfig, profile: HwProfile, dram: DramImages) -> None:
        # Imported here: the compiled extension is needed by the first download, not before.
        from vta_pynq.sim.engine import Dram, Engine

        self.engine = Engine(
            config, semantics=profile.semantics, profile=profile.name, bounded=True
        )
        self._dram = Dram([(dram.base, dram.device)])

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        """Counts of the tokens, in the order of `TOKENS`."""
        return self.engine.tokens

    def poison(self, seed: int) -> None:
        """Fill every SRAM with pseudo-random bits, as after power-up or somebody else's run."""
        self.engine.poison(seed)

    def soft_reset(self) -> None:
        """Clear the tokens; queues hold nothing between runs."""
        self.engine.tokens = (0, 0, 0, 0)

    def run(
        self,
        insn_phys: int,
        insn_count: int,
        bases: Mapping[str, int],
        reports_errors: bool = False,
    ) -> Outcome:
        """Run a stream until every module is at rest."""
        from vta_pynq.sim.engine import StreamError

        try:
            return self._outcome(self._dram, insn_phys, insn_count, bases)
        except StreamError as error:
            if not reports_errors or error_bit(error) is None:
                raise
            return self._go_on(error, insn_phys, insn_count, bases)

    def _outcome(
        self, dram: Dram, insn_phys: int, insn_count: int, bases: Mapping[str, int]
    ) -> Outcome:
        from vta_pynq.sim.engine import FaultKind, StreamError

        try:
            result = self.engine.run(
                dram, insn_phys, insn_count, bases=_pointers(bases), budget=_BUDGET
            )
        except StreamError as error:
            if error.kind not in (FaultKind.DEADLOCK, FaultKind.NO_FINISH):
                raise
            return _standstill(error, insn_count)
        executed = tuple(result.counters.insns[module.name] for module in Module)
        return Outcome(stuck=False, executed=executed, all_fetched=True)

    def _go_on(
        self, error: StreamError, insn_phys: int, insn_count: int, bases: Mapping[str, int]
    ) -> Outcome:
        """Run the rest after `error`, and after each that follows."""
        from vta_pynq.sim.engine import Dram, StreamError

        words = as_words(self._dram.view(insn_phys, insn_count * INSN_BYTES))
        rest = Remainder(words, self.engine.config)
        memory = self._dram.segments[0]
        while (bit := error_bit(error)) is not None:
            rest.drop(error, bit)
            phys = spare_address(memory[0], memory[1].size, len(rest.words))
            insns = np.ascontiguousarray(rest.words).view(np.uint8).reshape(-1)
            try:
                dram = Dram([memory, (phys, insns)] if len(insns) else [memory])
                last = self._outcome(dram, phys, len(rest.words), bases)
            except StreamError as next_error:
                error = next_error
                continue
            return rest.outcome(last, insn_count)
        raise error


class DesignEngine:
    """The project's HLS C++, compiled for this machine, on the device image of simulated DRAM.

    The bitstream's registers, queue depths and configuration stay what they are; instructions
    mean what the project's own design makes of them. In the place of a published one it has MUL
    and LOAD ACC_8BIT as well; an own one has what its capabilities say.

    Raises
    ------
    SimError
        The design cannot be compiled here.
    """

    def __init__(self, config: HwConfig, profile: HwProfile, dram: DramImages) -> None:
        # Imported here: it compiles the design, which no other engine needs.
        from vta_pynq.sim.csim import DESIGN_PROFILE, CsimEngine
        from vta_pynq.sim.engine import Dram

        built = config if profile.name == DESIGN_PROFILE else with_operations(config)
        self.engine = CsimEngine(built, profile=profile.name)
        self._dram = Dram([(dram.base, dram.device)])

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        """Counts of the tokens, in the order of `TOKENS`."""
        return self.engine.tokens

    def poison(self, seed: int) -> None:
        """Fill every SRAM with pseudo-random bits, as after power-up or somebody else's run."""
        self.engine.poison(seed)

    def soft_reset(self) -> None:
        """Clear queues, tokens and errors, as the reset input of the design."""
        self.engine.soft_reset()

    def run(
        self,
        insn_phys: int,
        insn_count: int,
        bases: Mapping[str, int],
        reports_errors: bool = False,
    ) -> Outcome:
        """Run a stream until every module is at rest."""
        from vta_pynq.sim.engine import FaultKind, StreamError

        try:
            result = self.engine.run(self._dram, insn_phys, insn_count, _pointers(bases))
        except StreamError as error:
            if error.kind in (FaultKind.DEADLOCK, FaultKind.NO_FINISH):
                return _standstill(error, insn_count)
            if not reports_errors or error_bit(error) is None:
                raise
            # The design itself went on to the end of the stream.
            return Outcome(False, error.executed, True, error.errors, error.busy)
        executed = tuple(result.insns[module.name] for module in Module)
        busy = tuple(result.busy[module.name] for module in Module)
        return Outcome(stuck=False, executed=executed, all_fetched=True, busy=busy)


def _pointers(bases: Mapping[str, int]) -> BasePointers:
    """Base pointers from the registers that hold them."""
    from vta_pynq.sim.engine import BasePointers

    return BasePointers(
        uop=bases["uops"],
        inp=bases["inputs"],
        wgt=bases["weights"],
        acc=bases["biases"],
        out=bases["outputs"],
    )


def _standstill(error: StreamError, insn_count: int) -> Outcome:
    """A stream that hardware would run to a standstill is no fault of the device."""
    _LOG.warning("%s", error)
    return Outcome(
        stuck=error.deadlock,
        executed=error.executed,
        all_fetched=error.executed[Module.FETCH] == insn_count,
        errors=error.errors,
        busy=error.busy,
    )
