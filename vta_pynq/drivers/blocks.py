"""One `pynq.DefaultIP` driver per block; offsets and bits come from the register table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from vta_pynq.drivers.registers import RegisterDriver
from vta_pynq.isa.registers import AP_CTRL_HS, DESIGNS, DONE_INTERRUPT
from vta_pynq.isa.table import Module

__all__ = [
    "BlockDriver",
    "ComputeDriver",
    "ControlStatus",
    "FetchDriver",
    "LoadDriver",
    "StoreDriver",
]

_CTRL = AP_CTRL_HS[0]
_START = _CTRL.field("AP_START").mask
_DONE = _CTRL.field("AP_DONE").mask
_IDLE = _CTRL.field("AP_IDLE").mask
_AUTO_RESTART = _CTRL.field("AUTO_RESTART").mask
_INTERRUPT_REGISTERS = {register.name: register for register in AP_CTRL_HS[1:]}
_GLOBAL_ENABLE = _INTERRUPT_REGISTERS["GIER"].field("ENABLE").mask
_DONE_ENABLE = _INTERRUPT_REGISTERS["IP_IER"].field(DONE_INTERRUPT).mask


def _vlnvs(module: Module) -> list[str]:
    """The VLNV of a module's block in every design."""
    return list(dict.fromkeys(design.block(module).vlnv for design in DESIGNS.values()))


@dataclasses.dataclass(frozen=True)
class ControlStatus:
    """What one read of CTRL says; `done` means since the read before."""

    started: bool
    done: bool
    idle: bool
    auto_restart: bool


class BlockDriver(RegisterDriver):
    """What the drivers of the four modules share: the `ap_ctrl_hs` protocol."""

    def start(self, *, forever: bool = False) -> None:
        """Start the block once, or `forever`: again whenever it has finished."""
        self.write(_CTRL.offset, _START | _AUTO_RESTART if forever else _START)

    def interrupt_when_done(self, enable: bool) -> None:
        """Let the block interrupt when it is done, or no more; clears what is pending."""
        self.set("IP_IER", _DONE_ENABLE if enable else 0)
        self.set("GIER", _GLOBAL_ENABLE if enable else 0)
        self.set("IP_ISR", self.get("IP_ISR"))  # a written 1 toggles the bit

    def status(self) -> ControlStatus:
        """Read CTRL, which clears its done bit."""
        value = self.read(_CTRL.offset)
        return ControlStatus(
            started=bool(value & _START),
            done=bool(value & _DONE),
            idle=bool(value & _IDLE),
            auto_restart=bool(value & _AUTO_RESTART),
        )


class FetchDriver(BlockDriver):
    """Fetch: reads instructions and hands them to the queues."""

    bindto = _vlnvs(Module.FETCH)

    def submit(self, insn_phys: int, count: int) -> None:
        """Fetch `count` instructions from byte address `insn_phys`.

        Raises
        ------
        DeviceError
            A value does not fit its register.
        """
        self.set("insn_count", count)
        self.set("insns", insn_phys)
        self.start()


class LoadDriver(BlockDriver):
    """Load: inputs and weights."""

    bindto = _vlnvs(Module.LOAD)

    def prepare(self) -> None:
        """Zero the base addresses and serve the queue from now on."""
        self.set("inputs", 0)
        self.set("weights", 0)
        self.start(forever=True)


class ComputeDriver(BlockDriver):
    """Compute: micro-ops, accumulators, GEMM and ALU, and the done flag."""

    bindto = _vlnvs(Module.COMPUTE)

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self._valid = self.block.register("done_o_ctrl").field("done_o_ap_vld").mask

    def prepare(self) -> None:
        """Zero the base addresses and serve the queue from now on."""
        self.set("uops", 0)
        self.set("biases", 0)
        self.start(forever=True)

    def done(self) -> bool:
        """The done flag: set by FINISH, cleared by any other instruction, kept between runs."""
        return self.get("done_o") == 1

    def take_done_written(self) -> bool:
        """Whether any instruction wrote the done flag since this was last asked."""
        return bool(self.get("done_o_ctrl") & self._valid)


class StoreDriver(BlockDriver):
    """Store: outputs."""

    bindto = _vlnvs(Module.STORE)

    def prepare(self) -> None:
        """Zero the base address and serve the queue from now on."""
        self.set("outputs", 0)
        self.start(forever=True)
