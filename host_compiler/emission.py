"""From ordered tasks to one instruction stream: every layer through one kernel builder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from host_compiler.layout.order import Phase
from host_compiler.layout.tasks import Role, Tasks
from host_compiler.lower.plan import LayerPlan, declare_constants, emit_layer
from host_compiler.lower.target import Target
from host_compiler.memory import ALIGNMENT_BYTES, Piece, place_pieces
from vta_pynq.isa.table import MemType
from vta_pynq.kernel import DramBuffer, DramView, Kernel, KernelBuilder
from vta_pynq.program import Layout
from vta_pynq.timing import simulate

__all__ = ["INSN_LIMIT", "WORKSPACE", "Emitted", "Submission", "emit", "emitted_cycles"]

WORKSPACE = "workspace"
"""The buffer of everything that only the accelerator sees."""
INSN_LIMIT = 1 << 19
"""Instructions after which a submission ends with the layer: 8 MiB, which a board's contiguous
memory spares. One layer has far fewer."""


@dataclasses.dataclass(frozen=True)
class Submission:
    """Instructions `begin` to `end` do these tasks."""

    begin: int
    end: int
    tasks: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Emitted:
    """The kernel, its submissions by phase number, and where internal tensors lie.

    `workspace` maps the names of buffers that no other phase sees to byte offsets in the
    workspace, which has `workspace_bytes`; `shared` are the other device buffers.
    """

    kernel: Kernel | None
    submissions: Mapping[int, tuple[Submission, ...]]
    workspace: Mapping[str, int]
    workspace_bytes: int
    shared: tuple[str, ...]


def emit(
    tasks: Tasks,
    phases: Sequence[Phase],
    plans: Mapping[int, LayerPlan],
    target: Target,
    name: str,
    done: Callable[[int], None] = lambda number: None,
) -> Emitted:
    """Append every layer to one kernel; `done` hears the number of each task."""
    builder = KernelBuilder(
        target.config, target.profile, auto_sync=True, insn_limit=4 * INSN_LIMIT, name=name
    )
    elem_bytes = target.config.inp_bytes
    workspace, size, shared = _split_memory(tasks, phases, elem_bytes)
    buffers: dict[str, DramBuffer | DramView] = {}
    for buffer in shared:
        buffers[buffer] = builder.dram(buffer, MemType.INP, _bytes(tasks, buffer) // elem_bytes)
    if workspace:
        whole = builder.dram(WORKSPACE, MemType.INP, -(-size // elem_bytes))
        buffers |= {name: whole[offset // elem_bytes] for name, offset in workspace.items()}
    submissions: dict[int, tuple[Submission, ...]] = {}
    for number, (accelerated, members) in enumerate(phases):
        if accelerated:
            submissions[number] = _emit_phase(builder, members, plans, buffers, done)
    kernel = builder.build() if submissions else None
    return Emitted(kernel, submissions, workspace, size, shared)


def emitted_cycles(emitted: Emitted, target: Target) -> int:
    """Cycles of all submissions, by the cycle model of the target's profile."""
    streams = () if emitted.kernel is None else emitted.kernel.streams()
    return sum(simulate(stream, target.profile).total_cycles for stream in streams)


def _emit_phase(
    builder: KernelBuilder,
    members: Sequence[int],
    plans: Mapping[int, LayerPlan],
    buffers: Mapping[str, DramBuffer | DramView],
    done: Callable[[int], None],
) -> tuple[Submission, ...]:
    result: list[Submission] = []
    begin, part = len(builder), list[int]()
    for position, number in enumerate(members):
        plan = plans[number]
        emit_layer(builder, plan, {**buffers, **declare_constants(builder, plan)})
        part.append(number)
        done(number)
        if position == len(members) - 1 or len(builder) - begin > INSN_LIMIT:
            builder.synchronize(keep_sram=False)
            result.append(Submission(begin, len(builder), tuple(part)))
            begin, part = len(builder), []
    return tuple(result)


def _bytes(tasks: Tasks, buffer: str) -> int:
    spec = tasks.buffers[buffer]
    return Layout.parse(spec.layout).stored_elems(spec.shape)


def _split_memory(
    tasks: Tasks, phases: Sequence[Phase], elem_bytes: int
) -> tuple[dict[str, int], int, tuple[str, ...]]:
    """Offsets of what lives within one accelerator phase, their extent, all other buffers."""
    seen: dict[str, set[int]] = {}
    lives: dict[str, tuple[int, int]] = {}
    time = 0
    for number, (_, members) in enumerate(phases):
        for member in members:
            task = tasks.tasks[member]
            for buffer in map(tasks.root, (*task.reads, *task.writes)):
                seen.setdefault(buffer, set()).add(number)
                lives[buffer] = (lives.get(buffer, (time, time))[0], time)
            time += 1
    inner, shared = [], []
    for name, spec in tasks.buffers.items():
        if spec.role is not Role.DEVICE or name not in seen:
            continue
        if len(seen[name]) == 1 and phases[next(iter(seen[name]))][0]:
            inner.append(name)
        else:
            shared.append(name)
    align = max(ALIGNMENT_BYTES, elem_bytes)
    pieces = [Piece(name, _bytes(tasks, name), *lives[name], align) for name in inner]
    offsets, total = place_pieces(pieces)
    return offsets, total, tuple(shared)
