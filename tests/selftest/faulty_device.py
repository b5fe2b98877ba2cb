"""A simulated device whose accelerator is the numpy interpreter, with a fault built in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pynq

from vta_pynq.isa.encode import as_words, decode
from vta_pynq.isa.table import INSN_BYTES, AluOp, MemType, Opcode, module_of
from vta_pynq.selftest.interpreter import Machine, run_stream
from vta_pynq.selftest.memory import Dram
from vta_pynq.sim.accelerator import Outcome
from vta_pynq.sim.device import SimDevice, activate
from vta_pynq.stream import InstructionStream

__all__ = ["broken_rule", "device_with", "fast_clock", "hanging", "stuck_bit", "wrong_decoder"]


class ImageDram(Dram):
    """The device's image of simulated DRAM, changed in place."""

    def __init__(self, images) -> None:
        super().__init__()
        self.images = images

    def _part(self, phys, size):
        begin = phys - self.images.base
        if not 0 <= begin <= begin + size <= self.images.device.size:
            raise IndexError(f"DRAM {phys:#x}")
        return self.images.device[begin : begin + size]

    def read(self, phys, size):
        return self._part(phys, size).copy()

    def write(self, phys, data):
        self._part(phys, len(data))[:] = data

    def copy(self):
        return self


class InterpretingEngine:
    """Runs streams with a machine type; `hangs` says of which instructions it never ends."""

    def __init__(self, config, profile, dram, machine_type, hangs) -> None:
        self.config, self.profile, self.dram = config, profile, ImageDram(dram)
        self.machine_type, self.hangs = machine_type, hangs
        self.tokens = (0, 0, 0, 0)

    def poison(self, seed):
        """SRAM starts anew in every run."""

    def soft_reset(self):
        self.tokens = (0, 0, 0, 0)

    def run(self, insn_phys, insn_count, bases, reports_errors=False):
        words = as_words(self.dram.read(insn_phys, insn_count * INSN_BYTES))
        insns = decode(words, self.config)
        if self.hangs(insns):
            return Outcome(stuck=True, executed=(insn_count, 0, 0, 0), all_fetched=True)
        stream = InstructionStream("device", self.config, words)
        run_stream(stream, self.profile.semantics, dram=self.dram, machine_type=self.machine_type)
        executed = [insn_count, 0, 0, 0]
        for insn in insns:
            module = module_of(int(insn["opcode"]), int(insn["memory_type"]))
            executed[module] += 1
        return Outcome(stuck=False, executed=tuple(executed), all_fetched=True)


def never(insns) -> bool:
    return False


def device_with(
    machine_type: type[Machine] = Machine, hangs: Callable[[np.ndarray], bool] = never
) -> SimDevice:
    """A device with such an engine."""
    return activate(
        SimDevice(
            "faulty",
            engine=lambda config, profile, dram: InterpretingEngine(
                config, profile, dram, machine_type, hangs
            ),
        )
    )


def stuck_bit(kind: MemType, element: int, value: int, bit: int) -> type[Machine]:
    """A bit of an SRAM, of one value of an element, that is always 1."""

    class Stuck(Machine):
        def execute(self, index, insn):
            super().execute(index, insn)
            row = self.sram[kind].reshape(len(self.sram[kind]), -1)
            row[element, value] |= 1 << bit
            if kind is MemType.OUT:  # what is stored comes from here or from the accumulator
                other = self.sram[MemType.ACC].reshape(len(row), -1)
                other[element, value] |= 1 << bit if self.profile == "functional" else 0

    return Stuck


def wrong_decoder(kind: MemType, bit: int) -> type[Machine]:
    """An address line of an SRAM that is always 0: half of the elements do not exist."""

    class Aliased(Machine):
        def execute(self, index, insn):
            before = self.sram[kind].copy()
            super().execute(index, insn)
            array = self.sram[kind]
            high = np.flatnonzero(np.arange(len(array)) & 1 << bit)
            changed = [row for row in high if not np.array_equal(array[row], before[row])]
            array[[row ^ 1 << bit for row in changed]] = array[changed]
            array[high] = array[high ^ 1 << bit]

    return Aliased


class broken_rule(Machine):  # noqa: N801  # used like the functions beside it
    """MAX with an immediate computes MIN."""

    def _alu_step(self, op, imm, use_imm, dst, src):
        wrong = op == AluOp.MAX and use_imm
        super()._alu_step(AluOp.MIN if wrong else op, imm, use_imm, dst, src)


def fast_clock(limit_mhz: float, seed: int) -> type[Machine]:
    """Above a clock, products have a wrong bit now and then."""
    rng = np.random.default_rng(seed)

    class Late(Machine):
        def gemm(self, insn):
            super().gemm(insn)
            at = self._indices(insn)["dst"]
            if float(pynq.Clocks.fclk0_mhz) > limit_mhz and at.size and rng.random() < 0.7:
                dst = int(rng.choice(at))
                value = self.sram[MemType.ACC][dst].copy()
                value[0, int(rng.integers(value.shape[1]))] ^= 1 << int(rng.integers(8))
                self._put(dst, value, value)

    return Late


def hanging(insns: np.ndarray) -> bool:
    """Programs with a MIN never end."""
    return bool(np.any((insns["opcode"] == Opcode.ALU) & (insns["alu_opcode"] == AluOp.MIN)))
