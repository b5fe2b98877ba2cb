"""The program: arenas, tensors, steps and relocations of what was emitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from host_compiler.emission import WORKSPACE, Emitted
from host_compiler.ir import Quant
from host_compiler.layout.order import Phase
from host_compiler.layout.tasks import Buffer, CpuTask, Role, Tasks
from host_compiler.lower.target import Target
from host_compiler.memory import ALIGNMENT_BYTES, Piece, place_pieces
from vta_pynq.isa.table import PAGE_BYTES
from vta_pynq.program import (
    Arena,
    ArenaKind,
    CpuStep,
    LayerReport,
    Layout,
    Program,
    Quantization,
    Relocations,
    Step,
    Tensor,
    VtaStep,
)

__all__ = ["assemble"]

CONSTANTS, OPERANDS, HOST = "constants", "operands", "host"
TO_DEVICE, FROM_DEVICE = "to_accelerator", "from_accelerator"

Reports = Callable[[Mapping[int, int]], Sequence[LayerReport]]
"""Makes the layer reports out of the step number of each task."""


def assemble(
    name: str,
    target: Target,
    tasks: Tasks,
    phases: Sequence[Phase],
    emitted: Emitted,
    reports: Reports,
    metadata: Mapping[str, str],
) -> Program:
    """Put a program together."""
    return _Assembler(name, target, tasks, phases, emitted).program(reports, metadata)


class _Assembler:
    def __init__(
        self, name: str, target: Target, tasks: Tasks, phases: Sequence[Phase], emitted: Emitted
    ) -> None:
        self.name, self.target, self.tasks = name, target, tasks
        self.phases, self.emitted = phases, emitted
        self.steps: list[Step] = []
        self.step_of: dict[int, int] = {}
        self.inner_steps: dict[str, list[int]] = {}
        self.arenas: list[Arena] = []
        self.tensors: list[Tensor] = []
        self.place: dict[str, tuple[str, int]] = {}
        """Arena and offset of every buffer of the kernel and of every tensor."""

    def program(self, reports: Reports, metadata: Mapping[str, str]) -> Program:
        self._make_steps()
        self._place_ends()
        self._place_shared()
        self._place_workspace()
        self._place_operands()
        self._place_constants()
        self._make_views()
        kernel = self.emitted.kernel
        words = np.zeros((0, 2), np.uint64)
        labels = () if kernel is None else kernel.labels
        if kernel is not None:
            words = kernel.link({b.name: self.place[b.name][1] for b in kernel.buffers})
        return Program(
            model=self.name,
            config=self.target.config,
            words=words,
            steps=tuple(self.steps),
            arenas=tuple(self.arenas),
            tensors=tuple(self.tensors),
            inputs=self.tasks.inputs,
            outputs=self.tasks.outputs,
            relocations=self._relocations(),
            profile=self.target.profile.name,
            labels=labels,
            layers=tuple(reports(self.step_of)),
            metadata=metadata,
        )

    # ---- steps ---------------------------------------------------------------------------

    def _make_steps(self) -> None:
        for number, (accelerated, members) in enumerate(self.phases):
            if accelerated:
                self._accelerator_steps(number)
            else:
                for member in members:
                    self._cpu_step(member)

    def _cpu_step(self, number: int) -> None:
        task = self.tasks.tasks[number]
        assert isinstance(task, CpuTask)
        self.step_of[number] = len(self.steps)
        self.steps.append(CpuStep(task.name, task.op, task.reads, task.writes, task.attributes))

    def _accelerator_steps(self, phase: int) -> None:
        shared = set(self.emitted.shared)
        submissions = self.emitted.submissions[phase]
        for part in submissions:
            step = len(self.steps)
            reads, writes = dict[str, None](), dict[str, None]()
            uses_workspace = False
            for member in part.tasks:
                task = self.tasks.tasks[member]
                self.step_of[member] = step
                for buffer in map(self.tasks.root, task.reads):
                    if buffer in shared:
                        reads[buffer] = None
                    else:
                        uses_workspace = True
                for buffer in map(self.tasks.root, task.writes):
                    if buffer in shared:
                        writes[buffer] = None
                    else:
                        uses_workspace = True
                for buffer in map(self.tasks.root, (*task.reads, *task.writes)):
                    if buffer not in shared:
                        self.inner_steps.setdefault(buffer, []).append(step)
            name = f"accelerator {phase}" + (f".{step}" if len(submissions) > 1 else "")
            inputs = tuple(b for b in reads if b not in writes)
            outputs = (*writes, *((WORKSPACE,) if uses_workspace else ()))
            self.steps.append(VtaStep(name, part.begin, part.end, inputs, outputs))

    # ---- memory --------------------------------------------------------------------------

    def _tensor(self, buffer: Buffer, arena: str, offset: int,
                lifetime: tuple[int, int] | None = None) -> Tensor:  # fmt: skip
        self.place[buffer.name] = arena, offset
        return Tensor(
            buffer.name, buffer.shape, buffer.dtype, buffer.layout, arena, offset,
            _quantization(buffer.quant, buffer.dtype), lifetime,
        )  # fmt: skip

    def _arena(self, name: str, kind: ArenaKind, tensors: Iterable[Tensor], size: int,
               data: npt.NDArray[np.uint8] | None = None) -> None:  # fmt: skip
        self.arenas.append(Arena(name, kind, size, PAGE_BYTES, data))
        self.tensors += tensors

    def _place_ends(self) -> None:
        for kind, names in (
            (ArenaKind.INPUT, self.tasks.inputs),
            (ArenaKind.OUTPUT, self.tasks.outputs),
        ):
            for number, name in enumerate(names):
                arena = f"{kind}{number}"
                tensor = self._tensor(self.tasks.buffers[name], arena, 0)
                self._arena(arena, kind, [tensor], tensor.bytes)

    def _lifetimes(self) -> dict[str, tuple[int, int]]:
        lives: dict[str, tuple[int, int]] = {}
        for number, step in sorted(self.step_of.items(), key=lambda item: item[1]):
            task = self.tasks.tasks[number]
            for buffer in map(self.tasks.root, (*task.reads, *task.writes)):
                lives[buffer] = (lives.get(buffer, (step, step))[0], step)
        return lives

    def _place_shared(self) -> None:
        """Processor's tensors, and those that both sides use: by who writes them."""
        lives = self._lifetimes()
        written_by_cpu = {
            self.tasks.root(tensor)
            for task in self.tasks.tasks
            if isinstance(task, CpuTask)
            for tensor in task.writes
        }
        groups: dict[str, list[Buffer]] = {HOST: [], TO_DEVICE: [], FROM_DEVICE: []}
        shared = set(self.emitted.shared)
        for name, buffer in self.tasks.buffers.items():
            if buffer.role is Role.HOST:
                groups[HOST].append(buffer)
            elif name in shared:
                groups[TO_DEVICE if name in written_by_cpu else FROM_DEVICE].append(buffer)
        alignment = max(ALIGNMENT_BYTES, self.target.config.inp_bytes)
        for arena, buffers in groups.items():
            pieces = [Piece(b.name, _bytes(b), *lives[b.name], alignment) for b in buffers]
            offsets, size = place_pieces(pieces)
            tensors = [self._tensor(b, arena, offsets[b.name], lives[b.name]) for b in buffers]
            if tensors:
                self._arena(arena, ArenaKind.SCRATCH, tensors, size)

    def _place_workspace(self) -> None:
        size = self.emitted.workspace_bytes
        if not size:
            return
        size = -(-size // self.target.config.inp_bytes) * self.target.config.inp_bytes
        whole = Buffer(WORKSPACE, (size,), "int8", "C", Role.DEVICE)
        tensors = [self._tensor(whole, WORKSPACE, 0)]
        for name, offset in self.emitted.workspace.items():
            buffer, steps = self.tasks.buffers[name], self.inner_steps[name]
            tensors.append(
                Tensor(name, buffer.shape, buffer.dtype, buffer.layout, WORKSPACE, offset,
                       _quantization(buffer.quant, buffer.dtype), (min(steps), max(steps)),
                       WORKSPACE)
            )  # fmt: skip
            self.place[name] = WORKSPACE, offset
        self._arena(WORKSPACE, ArenaKind.SCRATCH, tensors, size)

    def _place_operands(self) -> None:
        """Constant operands of processor steps."""
        image, tensors = bytearray(), []
        for buffer in self.tasks.buffers.values():
            if buffer.role is not Role.CONST or buffer.data is None:
                continue
            image += bytes(-len(image) % ALIGNMENT_BYTES)
            tensors.append(self._tensor(buffer, OPERANDS, len(image)))
            raw = np.ascontiguousarray(buffer.data)
            image += raw.astype(raw.dtype.newbyteorder("<"), copy=False).tobytes()
        if tensors:
            data = np.frombuffer(bytes(image), np.uint8)
            self._arena(OPERANDS, ArenaKind.CONST, tensors, len(image), data)

    def _place_constants(self) -> None:
        """What instructions load: weights, vectors, micro-ops."""
        kernel = self.emitted.kernel
        if kernel is None:
            return
        parts, at = [], 0
        for buffer in kernel.buffers:
            if buffer.data is None:
                continue
            align = max(ALIGNMENT_BYTES, buffer.elem_bytes)
            padding = -at % align
            parts.append(np.zeros(padding, np.uint8))
            self.place[buffer.name] = CONSTANTS, at + padding
            parts += [buffer.data, np.zeros(buffer.bytes - buffer.data.size, np.uint8)]
            at += padding + buffer.bytes
        if at:
            data = np.concatenate(parts)
            data.flags.writeable = False
            self._arena(CONSTANTS, ArenaKind.CONST, [], at, data)

    def _make_views(self) -> None:
        known = {tensor.name: tensor for tensor in self.tensors}
        for view in self.tasks.views.values():
            root = known[view.of]
            self.tensors.append(
                Tensor(view.name, view.shape, view.dtype, view.layout, root.arena,
                       root.offset + view.offset, _quantization(view.quant, view.dtype),
                       root.lifetime, root.alias_of or root.name)
            )  # fmt: skip

    def _relocations(self) -> Relocations:
        kernel = self.emitted.kernel
        if kernel is None:
            return Relocations.none()
        number = {arena.name: index for index, arena in enumerate(self.arenas)}
        arena_of = np.array([number[self.place[b.name][0]] for b in kernel.buffers], np.uint16)
        return Relocations(kernel.reloc_insn, arena_of[kernel.reloc_buffer])


def _bytes(buffer: Buffer) -> int:
    elems = Layout.parse(buffer.layout).stored_elems(buffer.shape)
    return elems * np.dtype(buffer.dtype).itemsize


def _quantization(quant: Quant | None, dtype: str) -> Quantization | None:
    if quant is None or np.dtype(dtype).kind not in "iu":
        return None
    return Quantization(quant.scale, quant.zero_point, quant.axis)
