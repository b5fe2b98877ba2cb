"""The simulated accelerator: register-exact blocks in front of one engine.

Writing the start registers runs the engine on the instructions that fetch is told of, in a
thread of its own as hardware would, so a driver's deadline works; a few moves, which take less
time than waking a thread, run at once. The order in which the blocks are started does not
matter. Queues, tokens, SRAM and the done flag stay as they are between runs; a download clears
them, and the soft reset of a design that has one clears all but SRAM.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.registers import Design
from vta_pynq.isa.table import INSN_BYTES, Module
from vta_pynq.sim.control_block import ControlModel
from vta_pynq.sim.dram import DramImages
from vta_pynq.sim.hls_block import HlsBlock
from vta_pynq.sim.own_design import OwnDesign
from vta_pynq.sim.streams import StreamFacts
from vta_pynq.sim.worker import Job, Worker
from vta_pynq.timing.profiles import HwProfile, get_profile

__all__ = ["AcceleratorModel", "Outcome", "RunEngine"]

_LOG = logging.getLogger("vta_pynq.sim")

_SETTLE_S = 2e-3
"""How long a start may let the engine run before the bus access returns: time in the simulated
machine passes as it likes, and a short program is then done at the driver's first look."""
_STOP_S = 60.0
_UNLIMITED = 1 << 32


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run came to rest.

    Attributes
    ----------
    stuck
        The modules wait for each other for ever.
    executed
        Instructions executed per module, in the order of `Module`.
    all_fetched
        Fetch has handed out every instruction.
    errors
        Error bits that modules set in this run, in the order of `Module`.
    busy
        Turns of the loops in this run, in the order of `Module`; None from an engine without.
    """

    stuck: bool
    executed: tuple[int, ...]
    all_fetched: bool
    errors: tuple[int, ...] = (0,) * len(Module)
    busy: tuple[int, ...] | None = None


class RunEngine(Protocol):
    """Runs streams on the accelerator's state: SRAM, tokens and the device image of DRAM."""

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        """Counts of the tokens, in the order of `TOKENS`."""

    def run(
        self,
        insn_phys: int,
        insn_count: int,
        bases: Mapping[str, int],
        reports_errors: bool = False,
    ) -> Outcome:
        """Run until every module is at rest.

        `reports_errors` says that the design goes on after an instruction in error, and shows
        which there were.

        Raises
        ------
        SimError
            The stream did what the hardware does not define, or a master left DRAM.
        """

    def soft_reset(self) -> None:
        """Clear queues, tokens and errors; SRAM stays."""


class AcceleratorModel:
    """The blocks of one loaded design.

    `profile` gives the timing behind the counters of a design that has them; `built` is the
    configuration that its identity register shows. `pace`, when given, is called with "fetch",
    "compute" and "done" as a run passes these points; it may block, which makes the hardware slow
    (tests use it for adverse timing).
    """

    def __init__(
        self,
        design: Design,
        config: HwConfig,
        dram: DramImages,
        engine: RunEngine,
        lock: threading.RLock,
        pace: Callable[[str], None] | None = None,
        profile: HwProfile | None = None,
        built: HwConfig | None = None,
    ) -> None:
        self.config = config
        self.engine = engine
        self.blocks: dict[str, HlsBlock] = {
            block.name: HlsBlock(block, self) for block in design.modules
        }
        self.fault: SimError | None = None
        self.hung = False
        self._design = design
        self._dram = dram
        self._lock = lock
        self._pace = pace
        self._busy = False
        self._worker = Worker("vta-sim")
        self.own: OwnDesign | None = None
        if design.control is not None:
            self.own = OwnDesign(self, built or config, profile or get_profile(design.name))

    @property
    def slaves(self) -> dict[str, HlsBlock | ControlModel]:
        """What answers on the bus, by the name of its block."""
        own = {} if self.own is None else {self.own.control.block.name: self.own.control}
        return {**self.blocks, **own}

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._busy

    def forget_runs(self) -> None:
        """Modules that waited for each other do so no longer: they were reset."""
        self.hung = False

    # ---- what the blocks call, with the lock held ----------------------------------------

    def access(self) -> None:
        """Answer like a bus that carries a pending error: raise what the engine met."""
        if self.fault is not None:
            raise self.fault

    def started(self) -> None:
        """Hand a run to the engine once every block that it needs is started."""
        job = self._dispatch(inline=True)
        if job is None:
            return
        # The lock is held exactly once here, by the bus access that wrote the register.
        self._lock.release()
        try:
            job.wait(_SETTLE_S)
        finally:
            self._lock.acquire()

    def _dispatch(self, inline: bool = False) -> Job | None:
        """Start a run in the worker; `inline`, run a brief one here and now, with the bus held.

        Waking another thread takes longer than a few moves do.
        """
        fetch = self.blocks["fetch"]
        if self._busy or self.hung or not fetch.started:
            return None
        if self.own is not None and self.own.reset_pending:
            return None
        phys, count = fetch.values["insns"], fetch.values["insn_count"]
        facts = self._facts(phys, count)
        if facts is not None and not self._served(facts):
            return None
        self._busy = True
        bases = self._bases()
        brief = facts is not None and facts.is_brief and not fetch.auto_restart
        if inline and brief and self._pace is None:
            self._run(phys, count, bases, facts)
            return None
        return self._worker.submit(lambda: self._run(phys, count, bases, facts))

    def _served(self, facts: StreamFacts) -> bool:
        """Whether every block will take all of its instructions without being started again."""
        blocks = {m: self.blocks[m.name.lower()] for m in Module if m is not Module.FETCH}
        if all(block.started and block.auto_restart for block in blocks.values()):
            return True
        limits = {m: _UNLIMITED if b.auto_restart else 1 for m, b in blocks.items() if b.started}
        return all(facts.counts[module] <= limits.get(module, 0) for module in blocks)

    def _facts(self, phys: int, count: int) -> StreamFacts | None:
        """Facts about the stream; None where it does not lie in DRAM (the engine will say so)."""
        offset = phys - self._dram.base
        if offset < 0 or offset + count * INSN_BYTES > self._dram.size or offset % INSN_BYTES:
            return None
        raw = self._dram.device[offset : offset + count * INSN_BYTES]
        # A copy: the facts are about the stream at its start.
        return StreamFacts(raw.tobytes(), self.config)

    def _bases(self) -> dict[str, int]:
        """The base pointers by register name."""
        return {
            master.base_register: self.blocks[block.name].values[master.base_register]
            for block in self._design.modules
            for master in block.masters
        }

    # ---- a run, in the worker ------------------------------------------------------------

    def _step(self, point: str) -> None:
        if self._pace is not None:
            self._pace(point)

    def _run(
        self, phys: int, count: int, bases: Mapping[str, int], facts: StreamFacts | None
    ) -> None:
        self._step("fetch")
        if self.own is not None:
            with self._lock:
                self.own.launch()
        if facts is not None and facts.compute_begins_at_once:
            # Its first instruction clears the flag, even if it is FINISH. One that waits for a
            # token leaves it as it was, for as long as it takes.
            with self._lock:
                self._write_done_flag(0)
            self._step("compute")
        try:
            outcome = (
                self.engine.run(phys, count, bases)
                if self.own is None
                else self.engine.run(phys, count, bases, reports_errors=True)
            )
        except Exception as error:
            _LOG.warning("the accelerator stopped: %s", error)
            with self._lock:
                self.fault = error if isinstance(error, SimError) else SimError(f"engine: {error}")
            return
        self._step("done")
        with self._lock:
            self._settle(outcome, facts)
            if not self._worker.stopping:
                self._dispatch()  # fetch with AUTO_RESTART begins again

    def _settle(self, outcome: Outcome, facts: StreamFacts | None) -> None:
        """Let the registers show how a run came to rest; with the lock held."""
        executed = {m: outcome.executed[m] for m in Module if m is not Module.FETCH}
        finished = False
        if executed[Module.COMPUTE]:
            # Compute may have reached FINISH although another module is stuck behind it.
            finished = (
                facts is not None
                and facts.compute_ends_with_finish
                and facts.counts[Module.COMPUTE] == executed[Module.COMPUTE]
            )
            self._write_done_flag(int(finished))
        for module, count in executed.items():
            if count:
                self.blocks[module.name.lower()].complete()
        if outcome.all_fetched:
            self.blocks["fetch"].complete()
        self.hung = outcome.stuck
        self._busy = False
        if self.own is not None:
            self.own.settle(outcome, None if facts is None else facts.raw, finished)

    def _write_done_flag(self, value: int) -> None:
        """What compute does at the start of an instruction (0) and in FINISH (1)."""
        compute = self.blocks["compute"]
        compute.values["done_o"] = value
        valid = compute.block.register("done_o_ctrl").field("done_o_ap_vld").mask
        compute.values["done_o_ctrl"] |= valid

    # ---- the end -------------------------------------------------------------------------

    def stop(self) -> None:
        """Take the design away: wait for the engine, so that it writes nothing afterwards.

        Raises
        ------
        SimError
            The engine did not return.
        """
        if not self._worker.stop(_STOP_S):
            raise SimError(
                f"simulator: a run must end within {_STOP_S:g} s of a download, not later; "
                "use a smaller program"
            )
