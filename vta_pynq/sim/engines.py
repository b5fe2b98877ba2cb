"""Engines behind the simulated accelerator: which one runs, and on what it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.sim.accelerator import RunEngine
from vta_pynq.sim.dram import DramImages
from vta_pynq.timing.profiles import HwProfile

__all__ = ["EngineFactory", "FastEngine"]

EngineFactory = Callable[[HwConfig, HwProfile, DramImages], RunEngine]
"""Makes the engine of a freshly downloaded design."""


class FastEngine:
    """The C engine, on the device image of the simulated DRAM."""

    def __init__(self, config: HwConfig, profile: HwProfile, dram: DramImages) -> None:
        # Imported here: the compiled extension is needed by the first download, not before.
        from vta_pynq.sim.engine import Dram, Engine

        self.engine = Engine(config, semantics=profile.semantics)
        self._dram = Dram([(dram.base, dram.device)])

    def run(self, insn_phys: int, insn_count: int, bases: Mapping[str, int]) -> bool:
        """Run a stream; False if it never ends."""
        from vta_pynq.sim.engine import BasePointers

        pointers = BasePointers(
            uop=bases["uops"],
            inp=bases["inputs"],
            wgt=bases["weights"],
            acc=bases["biases"],
            out=bases["outputs"],
        )
        try:
            self.engine.run(self._dram, insn_phys, insn_count, bases=pointers)
        except SimError as error:
            if getattr(error, "deadlock", False):
                return False
            raise
        return True
