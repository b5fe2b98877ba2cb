"""What the own design has beside its four blocks: the control block, and a reset of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import CounterKind
from vta_pynq.isa.table import TOKENS, Module
from vta_pynq.sim.control_block import ControlModel
from vta_pynq.sim.hls_block import HlsBlock
from vta_pynq.sim.run_log import RunLog
from vta_pynq.timing.profiles import HwProfile

if TYPE_CHECKING:
    from vta_pynq.sim.accelerator import Outcome, RunEngine

__all__ = ["OwnDesign"]


class _Accelerator(Protocol):
    """The model of the four blocks; everything is called with the design locked."""

    config: HwConfig
    engine: RunEngine
    blocks: dict[str, HlsBlock]

    def access(self) -> None: ...

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""

    def forget_runs(self) -> None:
        """Take runs that hang away."""


class OwnDesign:
    """The state around the four blocks, and the registers that HLS adds to them.

    Parameters
    ----------
    accelerator
        The four blocks.
    built
        The configuration that the identity register shows.
    profile
        Whose cycles the counters count.

    Attributes
    ----------
    control
        The control block's registers.
    reset_pending
        A reset waits for the end of a run.
    """

    def __init__(self, accelerator: _Accelerator, built: HwConfig, profile: HwProfile) -> None:
        self.reset_pending = False
        self._accelerator = accelerator
        self._log = RunLog(accelerator.config, profile)
        self._since_reset = RunLog(accelerator.config, profile)
        self._turns: dict[Module, int] | None = None
        self._started_with = (0, 0, 0, 0)
        self.control = ControlModel(self, built, self._log)
        for module in Module:
            block = accelerator.blocks[module.name.lower()]
            block.sources["busy"] = self._busy_of(module)
            if "waited" in block.values:
                block.sources["waited"] = self._waited_of(module)

    def _busy_of(self, module: Module) -> Callable[[], int]:
        """Turns of the loops: the engine's, or the cycle model's cycles where it has none."""

        def value() -> int:
            if self._turns is not None:
                return self._turns[module]
            return self._since_reset.totals().get(f"{module.name}_{CounterKind.BUSY.name}", 0)

        return value

    def _waited_of(self, module: Module) -> Callable[[], int]:
        names = [
            f"{module.name}_{CounterKind.WAIT.name}_{token.name.upper()}"
            for token in TOKENS
            if token.consumer is module
        ]

        def value() -> int:
            totals = self._since_reset.totals()
            return sum(totals.get(name, 0) for name in names)

        return value

    # ---- runs ----------------------------------------------------------------------------

    def launch(self) -> None:
        """A run begins."""
        self._started_with = self._accelerator.engine.tokens
        self.control.launch()

    def settle(self, outcome: Outcome, words: bytes | None, finished: bool) -> None:
        """A run has come to rest; `words` are its instructions, where they lie in DRAM."""
        blocks = self._accelerator.blocks
        for module in Module:
            if outcome.executed[module] or outcome.errors[module]:
                block = blocks[module.name.lower()]
                block.output("errors", block.values["errors"] | outcome.errors[module])
                block.output("executed", block.values["executed"] + outcome.executed[module])
                block.values["busy_ctrl"] = 1
                if "waited" in block.sources:
                    block.values["waited_ctrl"] = 1
        if outcome.busy is not None:
            turns = self._turns or dict.fromkeys(Module, 0)
            self._turns = {module: turns[module] + outcome.busy[module] for module in Module}
        self.control.report({m: outcome.errors[m] for m in Module if outcome.errors[m]})
        if finished:
            self.control.finish()
        if words is not None:
            self._since_reset.add(words, self._started_with)
            if not self.control.frozen:
                self._log.add(words, self._started_with)
        if self.reset_pending:
            self._reset()

    # ---- what the control block asks -----------------------------------------------------

    def access(self) -> None:
        """A register is about to be accessed."""
        self._accelerator.access()

    @property
    def working(self) -> tuple[Module, ...]:
        """The modules that hold a reset back: all that may execute something in a run."""
        if not self._accelerator.busy:
            return ()
        return tuple(module for module in Module if module is not Module.FETCH)

    def request_reset(self) -> None:
        """Reset now, or at the end of the run that is under way."""
        if self._accelerator.busy:
            self.reset_pending = True
        else:
            self._reset()

    def _reset(self) -> None:
        self.reset_pending = False
        self._accelerator.engine.soft_reset()
        self._accelerator.forget_runs()
        for block in self._accelerator.blocks.values():
            block.reset()
        self._since_reset.clear()
        self._turns = None
        self.control.reset()
