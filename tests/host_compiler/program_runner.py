"""Run a program on the engine without any runtime: arenas are arrays, CPU steps are called."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vta_pynq import cpu_ops
from vta_pynq.program import ArenaKind, CpuStep, Program
from vta_pynq.program.link import place
from vta_pynq.sim.engine import Dram, Engine
from vta_pynq.timing.profiles import get_profile

POISON = 0xA5


class ProgramRunner:
    """Runs one program; SRAMs and scratch memory hold rubbish before each run."""

    def __init__(self, program: Program, strict: bool = True) -> None:
        self.program = program
        profile = get_profile(program.profile)
        semantics = "functional" if profile.semantics == "functional" else "hls"
        strict = strict and program.profile != "functional"
        self.engine = Engine(
            program.config, semantics, strict,
            profile=program.profile if strict else "hls-64bit",
        )  # fmt: skip
        self.insn_phys, self.places = place(program.words.nbytes, program.arenas)
        self.words = program.link(self.places)
        self.seed = 1

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        program = self.program
        memory = {}
        for arena in program.arenas:
            fill = np.full(arena.bytes, POISON, np.uint8)
            memory[arena.name] = fill if arena.data is None else arena.data
        for name in program.inputs:
            tensor = program.tensor(name)
            given = np.asarray(inputs[name], order="C")
            assert given.dtype == tensor.np_dtype and given.shape == tensor.shape
            memory[tensor.arena][:] = given.reshape(-1).view(np.uint8)
        self._memory = memory
        for step in program.steps:
            if isinstance(step, CpuStep):
                self._cpu(step)
            else:
                self._accelerator(step)
        return {name: self.array(name).copy() for name in program.outputs}

    def array(self, name: str) -> np.ndarray:
        """A tensor as it lies in memory."""
        tensor = self.program.tensor(name)
        arena = self.program.arena(tensor.arena)
        raw = self._memory[tensor.arena][tensor.offset : tensor.end]
        view = raw.view(tensor.np_dtype).reshape(tensor.stored_shape)
        if arena.kind is ArenaKind.CONST:
            assert not view.flags.writeable
        return view

    def _cpu(self, step: CpuStep) -> None:
        cpu_ops.validate(step.op, step.attributes, len(step.inputs))
        results = cpu_ops.run(step.op, [self.array(n) for n in step.inputs], step.attributes)
        for name, result in zip(step.outputs, results, strict=True):
            target = self.array(name)
            assert result.dtype == target.dtype, (step, result.dtype, target.dtype)
            target[...] = result.reshape(target.shape)

    def _accelerator(self, step) -> None:
        words = self.words[step.begin : step.end]
        insns = np.ascontiguousarray(words).reshape(-1).view(np.uint8)
        segments = [(self.insn_phys, insns)]
        segments += [(self.places[a.name], self._memory[a.name])
                     for a in self.program.device_arenas]  # fmt: skip
        self.seed += 1
        self.engine.poison(self.seed)
        self.engine.run(Dram(segments), self.insn_phys, len(words), order_seed=self.seed)
        assert self.engine.tokens == (0, 0, 0, 0)
