"""One context of a loaded program: its own activations, inputs, outputs and linked instructions.

Several contexts of one program share its constants; each can run while another does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.drivers.accelerator import Accelerator
from vta_pynq.drivers.drain import drain_stream
from vta_pynq.isa.table import INSN_BYTES
from vta_pynq.overlay.buffers import device_address, to_cpu, to_device
from vta_pynq.program import ArenaKind, Program
from vta_pynq.program.layout import Layout
from vta_pynq.runtime.coherence import CoherencePlan
from vta_pynq.runtime.cpu_steps import run_cpu_step
from vta_pynq.runtime.memory import DeviceBlock, array_of, check_bindable, host_memory, plain
from vta_pynq.runtime.phases import CpuPhase, Phase, VtaPhase
from vta_pynq.runtime.placement import Placement, place_program
from vta_pynq.runtime.submission import DeviceQueue, Submission

__all__ = ["Context", "Loaded"]

Array = npt.NDArray[Any]


class Loaded:
    """What the contexts of a program share: the program, its plans, its constants in memory."""

    def __init__(
        self,
        program: Program,
        coherence: CoherencePlan,
        phases: tuple[Phase, ...],
        device: Any,
        accelerator: Accelerator,
    ) -> None:
        self.program = program
        self.coherence = coherence
        self.phases = phases
        self.device = device
        self._accelerator = accelerator
        self._queue = DeviceQueue.of(device)
        self.drains = [
            drain_stream([max(count, 0) for count in phase.leftover], program.config)
            if isinstance(phase, VtaPhase)
            and not phase.strands  # the logic is reset then
            and any(count > 0 for count in phase.leftover)
            else None
            for phase in phases
        ]
        extra = sum(len(drain) for drain in self.drains if drain is not None)
        self.placement: Placement = place_program(program, coherence, extra)
        self.constants: DeviceBlock | None = None
        if self.placement.constants is not None:
            self.constants = DeviceBlock(device, self.placement.constants)
            for name in self.placement.constants.offsets:
                arena = program.arena(name)
                assert arena.data is not None
                self.constants.memory(name, arena.bytes)[:] = arena.data
            to_device([self.constants.buffer])
        self.layouts = {t.name: Layout.parse(t.layout) for t in program.tensors}

    def submit(
        self,
        phase: VtaPhase,
        submissions: Sequence[Submission],
        timeout_s: float,
        seconds: list[float] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Run a phase's submissions on the accelerator; see `DeviceQueue.run`."""
        self._queue.run(
            self._accelerator,
            submissions,
            timeout_s,
            unclean=phase.strands,
            seconds=seconds,
            loop=loop,
        )

    def where(self, number: int) -> str:
        """A step's name in messages."""
        return f"model '{self.program.model}', step {number} '{self.program.steps[number].name}'"


class Context:
    """Memory for one run at a time.

    Raises
    ------
    DeviceError
        There is not enough contiguous memory.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        placement, device = loaded.placement, loaded.device
        self._private = DeviceBlock(device, placement.private)
        self._shared = [DeviceBlock(device, block) for block in placement.shared]
        self._own = {name: DeviceBlock(device, block) for name, block in placement.bound.items()}
        self._bound: dict[str, Any] = {name: own.buffer for name, own in self._own.items()}
        self._memory: dict[str, npt.NDArray[np.uint8]] = {}
        self._addresses: dict[str, int] = {}
        self._buffers: dict[str, Any] = {}
        self._submissions: list[list[Submission]] = []
        self._unclean = True
        self._gather()
        self._tensors = dict(self._arrays())
        self._link(loaded.program.link(self._addresses))

    # ---- memory --------------------------------------------------------------------------

    def _gather(self) -> None:
        """Where each arena is: memory, address, and the buffer to synchronise."""
        program, loaded = self._loaded.program, self._loaded
        blocks = [self._private, *self._shared, *self._own.values()]
        for block in blocks:
            for name in block.offsets:
                self._memory[name] = block.memory(name, program.arena(name).bytes)
                self._addresses[name] = block.place(name)
                self._buffers[name] = block.buffer
        if loaded.constants is not None:
            for name in loaded.constants.offsets:
                self._addresses[name] = loaded.constants.place(name)
        for arena in loaded.placement.cpu_only:
            self._memory[arena.name] = host_memory(arena.bytes)

    def _arrays(self) -> Iterator[tuple[str, Array]]:
        program = self._loaded.program
        for tensor in program.tensors:
            if program.arena(tensor.arena).kind is ArenaKind.CONST:
                yield tensor.name, program.constant(tensor)
            else:
                yield tensor.name, array_of(self._memory[tensor.arena], tensor)

    def _link(self, words: npt.NDArray[np.uint64]) -> None:
        """Put linked instructions, and the clean-up of tokens behind them, into memory."""
        program = self._loaded.program
        base = self._private.address
        drains = [drain for drain in self._loaded.drains if drain is not None]
        raw = np.concatenate([words, *drains]) if drains else words
        self._private.bytes[: raw.nbytes] = raw.reshape(-1).view(np.uint8)
        to_device([self._private.buffer])
        self._submissions = []
        end = len(words)
        for phase, drain in zip(self._loaded.phases, self._loaded.drains, strict=True):
            found = []
            if isinstance(phase, VtaPhase):
                for number, step in enumerate(phase.steps, phase.number):
                    where = self._loaded.where(number)
                    part = words[step.begin : step.end]
                    found.append(Submission(where, base + step.begin * INSN_BYTES, part))
            if drain is not None:
                where = f"model '{program.model}', clean-up of its tokens"
                found.append(Submission(where, base + end * INSN_BYTES, drain))
                end += len(drain)
            self._submissions.append(found)

    def buffer(self, name: str) -> Any:
        """The tensor's memory, shaped as it is stored: a `PynqBuffer` where instructions use it."""
        tensor = self._loaded.program.tensor(name)
        if tensor.arena not in self._bound:
            return self._tensors[name]
        buffer = self._bound[tensor.arena]
        own = self._own.get(tensor.arena)
        skip = 0 if own is None else own.place(tensor.arena) - device_address(buffer)
        if skip == 0 and buffer.nbytes == tensor.bytes and buffer.dtype == tensor.np_dtype:
            return (
                buffer
                if buffer.shape == tensor.stored_shape
                else buffer.reshape(tensor.stored_shape)
            )
        flat = buffer.reshape(-1).view(np.uint8)[skip : skip + tensor.bytes]
        return flat.view(tensor.np_dtype).reshape(tensor.stored_shape)

    def bind(self, name: str, buffer: Any, where: str) -> None:
        """Use the caller's `buffer` as the memory of input or output `name` from now on.

        Raises
        ------
        DeviceError
            The buffer cannot be used for it.
        """
        program = self._loaded.program
        arena = program.arena(program.tensor(name).arena)
        if arena.name in self._bound:
            if buffer is self._bound[arena.name]:
                return
            check_bindable(buffer, self._loaded.device, arena.bytes, arena.alignment, where)
            addresses = {**self._addresses, arena.name: device_address(buffer)}
            self._link(program.link(addresses))  # raises before anything changes
            self._addresses = addresses
            self._own.pop(arena.name, None)
            self._bound[arena.name] = self._buffers[arena.name] = buffer
            to_device([buffer])  # no line of it may be written back over a result later
        self._memory[arena.name] = plain(buffer)[: arena.bytes]
        self._tensors = dict(self._arrays())

    # ---- running -------------------------------------------------------------------------

    def run(
        self,
        inputs: Sequence[Array | None],
        outputs: Sequence[Array | None],
        timeout_s: float,
        step_s: list[float] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Execute every step once.

        `inputs` are checked logical arrays, `outputs` are where to leave the results; None for
        either means the tensor's own memory, which the caller reads and writes himself. `step_s`
        is given the seconds of each step; `loop` may wait for interrupts, see `Accelerator.wait`.
        """
        if self._unclean:
            to_device(self._distinct(self._memory))
        self._unclean = True
        arrays = self._take_inputs(inputs)
        direct = self._direct_outputs(outputs, arrays)
        for phase, submissions in zip(self._loaded.phases, self._submissions, strict=True):
            begin, seconds = time.perf_counter(), list[float]()
            if isinstance(phase, CpuPhase):
                to_cpu(self._distinct(phase.invalidate))
                run_cpu_step(phase.step, arrays, self._loaded.where(phase.number))
            else:
                to_device(self._distinct(phase.flush))
                self._loaded.submit(phase, submissions, timeout_s, seconds, loop)
            if step_s is not None:
                step_s += _shares(phase, seconds, time.perf_counter() - begin)
        to_cpu(self._distinct(self._loaded.coherence.invalidate[-1]))
        self._give_outputs(outputs, direct)
        self._unclean = False

    def _distinct(self, arenas: Mapping[str, Any] | Sequence[str]) -> list[Any]:
        """The buffers of these arenas, each once."""
        buffers = self._buffers
        found = {id(buffers[name]): buffers[name] for name in arenas if name in buffers}
        return list(found.values())

    def _replaceable(self, name: str) -> bool:
        """Whether a tensor may be another array for one run: only the CPU sees it, all of it."""
        program = self._loaded.program
        tensor = program.tensor(name)
        return tensor.arena not in self._buffers and len(program.tensors_in(tensor.arena)) == 1

    def _take_inputs(self, inputs: Sequence[Array | None]) -> dict[str, Array]:
        arrays = dict(self._tensors)
        for name, value in zip(self._loaded.program.inputs, inputs, strict=True):
            if value is None:
                continue
            layout = self._loaded.layouts[name]
            if not layout.is_plain:
                arrays[name][...] = layout.pack(value)
            elif self._replaceable(name):
                arrays[name] = np.require(value, requirements=["C", "A"])
            else:
                arrays[name][...] = value
        return arrays

    def _direct_outputs(
        self, outputs: Sequence[Array | None], arrays: dict[str, Array]
    ) -> frozenset[str]:
        """Let CPU steps write results where the caller wants them; the names of these."""
        direct: set[str] = set()
        sources = [arrays[name] for name in self._loaded.program.inputs]
        for name, target in zip(self._loaded.program.outputs, outputs, strict=True):
            if (
                target is not None
                and self._loaded.layouts[name].is_plain
                and target.flags.carray
                and self._replaceable(name)
                and not any(np.may_share_memory(target, source) for source in sources)
            ):
                arrays[name] = target
                direct.add(name)
        return frozenset(direct)

    def _give_outputs(self, outputs: Sequence[Array | None], direct: frozenset[str]) -> None:
        for name, target in zip(self._loaded.program.outputs, outputs, strict=True):
            if target is not None and name not in direct:
                tensor = self._loaded.program.tensor(name)
                target[...] = self._loaded.layouts[name].unpack(self._tensors[name], tensor.shape)


def _shares(phase: Phase, seconds: Sequence[float], whole_s: float) -> list[float]:
    """A phase's time by step: what lies around its submissions counts to the first of them."""
    if isinstance(phase, CpuPhase):
        return [whole_s]
    count = len(phase.steps)
    shares = [*seconds[: count - 1], sum(seconds[count - 1 :])]  # a clean-up counts to the last
    shares[0] += whole_s - sum(seconds)
    return shares
