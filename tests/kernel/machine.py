"""Runs kernels on the reference interpreter: every submission, several orders of the modules."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.kernel import Kernel
from vta_pynq.lint import lint_stream
from vta_pynq.selftest.interpreter import MODULES, Machine, Profile, run_stream
from vta_pynq.selftest.memory import Dram
from vta_pynq.sim.engine import Dram as EngineDram
from vta_pynq.sim.engine import Engine
from vta_pynq.timing.profiles import get_profile

_AHEAD = 500
# The first module runs until it blocks, then the second, then the third; and one at a time.
ORDERS = (
    *(tuple(m for m in order for _ in range(_AHEAD)) for order in itertools.permutations(MODULES)),
    MODULES,
)


def run_kernel(
    kernel: Kernel, profile: Profile = "hls", order: tuple[Module, ...] = MODULES, seed: int = 99
) -> dict[str, np.ndarray]:
    """Bytes of every buffer after all submissions; SRAMs hold noise at the start."""
    places = kernel.default_addresses()
    rng = np.random.default_rng(seed)
    dram = Dram()
    for buffer in kernel.buffers:
        data = rng.integers(0, 256, buffer.bytes, np.uint8)
        if buffer.data is not None:
            data[:] = 0
            data[: buffer.data.size] = buffer.data
        dram.write(places[buffer.name], data)
    sram: Mapping[MemType, np.ndarray] | None = None
    original = Machine.__init__
    for stream in kernel.streams():

        def carry_over(self: Machine, *args: object, kept: object = sram) -> None:
            original(self, *args)  # type: ignore[arg-type]
            for mem, values in self.sram.items():
                values[...] = rng.integers(-100, 100) if kept is None else kept[mem]  # type: ignore[index]

        Machine.__init__ = carry_over  # type: ignore[method-assign]
        try:
            result = run_stream(stream, profile, dram, order)
        finally:
            Machine.__init__ = original  # type: ignore[method-assign]
        assert result.finished and not any(result.tokens.values()), result.tokens
        dram, sram = result.dram, result.machine.sram
        insns = decode(stream.words, stream.config)
        assert insns["opcode"][-1] == Opcode.FINISH
        assert result.trace[-1] == len(insns) - 1, "FINISH must come last"
    return {b.name: dram.read(places[b.name], b.bytes) for b in kernel.buffers}


def run_on_engine(
    kernel: Kernel, semantics: str | None = None, strict: bool = True, order_seed: int = 0
) -> dict[str, np.ndarray]:
    """Bytes of every buffer after all submissions on the simulator's engine, SRAMs poisoned.

    `semantics` is by default the profile's; the current Chisel design has the functional one for
    what strict mode accepts.
    """
    profile = get_profile(kernel.profile)
    if semantics is None:
        semantics = "hls" if profile.semantics == "hls" else "functional"
    engine = Engine(kernel.config, semantics, strict, profile=kernel.profile)
    engine.poison(seed=5)
    places = kernel.default_addresses()
    images = {b.name: np.full(b.bytes, 0xA5, np.uint8) for b in kernel.buffers}
    for buffer in kernel.buffers:
        if buffer.data is not None:
            images[buffer.name][:] = 0
            images[buffer.name][: buffer.data.size] = buffer.data
    for stream in kernel.streams():
        (insns,) = stream.segments_of("INSN")
        assert insns.data is not None
        segments = [(places[name], image) for name, image in images.items()]
        dram = EngineDram([*segments, (insns.phys, insns.data)])
        engine.run(dram, insns.phys, len(stream), order_seed=order_seed)
        assert engine.tokens == (0, 0, 0, 0)
    return images


def assert_clean(kernel: Kernel, profile: str | None = None) -> None:
    """The linter has nothing to say about any submission."""
    for stream in kernel.streams():
        report = lint_stream(stream, get_profile(profile or kernel.profile))
        assert report.ok, "\n".join(f.message for f in report.findings[:10])
