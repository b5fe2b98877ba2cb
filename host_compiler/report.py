"""What the compiler says about its result: a line for each layer, and why it is where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from host_compiler.layout import CpuTask, LayerTask, Tasks
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.placement import Placement, cpu_cycles
from vta_pynq.program import ArenaKind, LayerReport, Program, VtaStep
from vta_pynq.timing import get_profile, simulate

__all__ = ["explain", "layer_reports", "summary"]


def layer_reports(
    tasks: Tasks,
    plans: Mapping[int, LayerPlan],
    placement: Placement,
    step_of: Mapping[int, int],
    target: Target,
) -> list[LayerReport]:
    """One report per task, in the order of the tasks."""
    reports = []
    for number, task in enumerate(tasks.tasks):
        decision = placement.decisions.get(task.node)
        reason = "" if decision is None else decision.reason
        if isinstance(task, LayerTask):
            plan = plans[number]
            reports.append(
                LayerReport(
                    task.name, task.op, step_of[number], task.nodes, _macs(plan),
                    dram_bytes(plan), plan.estimated_cycles, reason,
                )
            )  # fmt: skip
        elif isinstance(task, CpuTask):
            if task.op in ("pack", "unpack", "pack_first"):
                reason = "change of layout"
            sizes = [_elements(tasks, name) for name in (*task.reads, *task.writes)]
            reports.append(
                LayerReport(
                    task.name, task.op, step_of[number], task.nodes, 0, 0,
                    cpu_cycles(task.op, sizes), reason,
                )
            )  # fmt: skip
    return reports


def _elements(tasks: Tasks, name: str) -> int:
    buffer = tasks.buffers.get(name)
    return math.prod(tasks.views[name].shape if buffer is None else buffer.shape)


def _macs(plan: LayerPlan) -> int:
    """Multiplications of the weight tiles that are in use, padding lanes included."""
    layer, config = plan.layer, plan.target.config
    n, _, height, width = layer.sum_shape
    images = -(-n // config.batch) * config.batch
    total = 0
    for term in layer.terms:
        pixels = (height // term.period[0]) * (width // term.period[1])
        tiles = sum(int(term.used[tap.weight].sum()) for tap in term.taps)
        total += images * pixels * tiles * config.block**2
    return total


def dram_bytes(plan: LayerPlan) -> int:
    """Bytes of activations and constants that a layer must move at least once."""
    config = plan.target.config
    seen: dict[tuple[str, int], int] = {}
    for ref in (*(term.source for term in plan.layer.terms), *plan.layer.outputs):
        n, c, h, w = ref.shape
        elems = -(-n // config.batch) * -(-c // config.block) * h * w
        seen[ref.buffer, ref.block_offset] = elems * config.inp_bytes
    return sum(seen.values()) + sum(c.data.nbytes for c in plan.constants)


def summary(program: Program) -> str:
    """Two lines about a program: where its layers run, and what it takes."""
    on_device = sum(isinstance(program.steps[layer.step], VtaStep) for layer in program.layers)
    others = sum(1 for step in program.steps if not isinstance(step, VtaStep))
    submissions = len(program.steps) - others
    lines = [
        f"{program.model} for {program.config.name} ({program.profile}): {on_device} layers on the "
        f"accelerator in {submissions} submissions, {others} steps on the processor",
        f"{len(program.words)} instructions, "
        f"{_kib(program, ArenaKind.CONST)} KiB of constants, "
        f"{_kib(program, ArenaKind.SCRATCH)} KiB of scratch memory",
    ]
    if get_profile(program.profile).timing is not None and submissions:
        cycles = sum(simulate(s, program.profile).total_cycles for s in program.streams())
        lines.append(f"{cycles} cycles on the accelerator for each run (cycle model)")
    return "\n".join(lines)


def _kib(program: Program, kind: ArenaKind) -> int:
    return -(-sum(arena.bytes for arena in program.arenas if arena.kind is kind) // 1024)


def explain(program_layers: tuple[LayerReport, ...]) -> str:
    """A table: where each step runs, its estimated cycles, and why."""
    rows = [("where", "cycles", "layer", "operator", "why")]
    for layer in program_layers:
        where = "accelerator" if layer.op[0].isupper() else "processor"
        cycles = "-" if layer.cycles is None else str(layer.cycles)
        rows.append((where, cycles, layer.name, layer.op, layer.reason))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = []
    for row in rows:
        cells = (
            row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2]),
            row[3].ljust(widths[3]),
        )  # fmt: skip
        lines.append("  ".join((*cells, row[4])).rstrip())
    return "\n".join(lines)
