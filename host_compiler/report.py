"""What the compiler says about its result: a line for each layer, and why it is where it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from host_compiler.ir import Accumulate, Concat, Graph, Requant
from host_compiler.layout import CpuTask, LayerTask, Tasks
from host_compiler.layout.boundary import PACK_FIRST
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.placement import Placement, cpu_cycles, packing_cycles
from vta_pynq.program import ArenaKind, LayerReport, Program, VtaStep
from vta_pynq.timing import get_profile, simulate

__all__ = ["explain", "layer_reports", "summary", "summary_facts"]

_CHANGES = {
    "pack": "into the accelerator's layout",
    "pack_first": "into the accelerator's layout, several kernel positions in the lanes",
    "unpack": "out of the accelerator's layout",
}


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
            if task.op in _CHANGES:
                reason = _CHANGES[task.op]
            reports.append(
                LayerReport(
                    task.name, task.op, step_of[number], task.nodes, 0, 0,
                    _cpu_cycles(tasks, task), reason,
                )
            )  # fmt: skip
    return reports


def _cpu_cycles(tasks: Tasks, task: CpuTask) -> int:
    read = sum(_elements(tasks, name) for name in task.reads)
    written = sum(_elements(tasks, name) for name in task.writes)
    if task.op == "pack":
        return packing_cycles(read, tasks.buffers[task.writes[0]].elems)
    if task.op == PACK_FIRST:
        return packing_cycles(written, tasks.buffers[task.writes[0]].elems)
    return cpu_cycles(task.op, [read, written])


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


def summary_facts(program: Program) -> dict[str, Any]:
    """What `summary` says and the layers, for JSON; `cycles` is None where nothing models them."""
    submissions = sum(isinstance(step, VtaStep) for step in program.steps)
    cycles = None
    if submissions and get_profile(program.profile).timing is not None:
        cycles = sum(simulate(s, program.profile).total_cycles for s in program.streams())
    return {
        "model": program.model,
        "config": program.config.name,
        "profile": program.profile,
        "accelerator_layers": sum(
            isinstance(program.steps[layer.step], VtaStep) for layer in program.layers
        ),
        "submissions": submissions,
        "processor_steps": len(program.steps) - submissions,
        "instructions": len(program.words),
        "constant_bytes": _bytes(program, ArenaKind.CONST),
        "scratch_bytes": _bytes(program, ArenaKind.SCRATCH),
        "cycles": cycles,
        "layers": [dataclasses.asdict(layer) for layer in program.layers],
    }


def summary(program: Program) -> str:
    """Two lines about a program: where its layers run, and what it takes."""
    facts = summary_facts(program)
    submissions = facts["submissions"]
    lines = [
        f"{program.model} for {program.config.name} ({program.profile}): "
        f"{facts['accelerator_layers']} layers on the "
        f"accelerator in {submissions} {'submission' if submissions == 1 else 'submissions'}, "
        f"{facts['processor_steps']} steps on the processor",
        f"{facts['instructions']} instructions, "
        f"{-(-facts['constant_bytes'] // 1024)} KiB of constants, "
        f"{-(-facts['scratch_bytes'] // 1024)} KiB of scratch memory",
    ]
    if not submissions:
        lines.append("nothing runs on the accelerator; quantise the model first (vta quantize)")
    elif facts["cycles"] is not None:
        lines.append(f"{facts['cycles']} cycles on the accelerator for each run (cycle model)")
    return "\n".join(lines)


def _bytes(program: Program, kind: ArenaKind) -> int:
    return sum(arena.bytes for arena in program.arenas if arena.kind is kind)


def explain(program: Program, graph: Graph, placement: Placement) -> str:
    """A table with the model's nodes: where each runs, estimated cycles, why.

    Nodes that were fused share a line; the last line says how ties are rounded. `graph`
    and `placement` are those of the compilation.
    """
    rows = [("where", "cycles", "operator", "why", "nodes")]
    shown: set[str] = set()
    for layer in program.layers:
        on_device = isinstance(program.steps[layer.step], VtaStep)
        names = layer.nodes or (layer.name,)
        shown.update(names)
        rows.append(
            (
                "accelerator" if on_device else "processor",
                "-" if layer.cycles is None else str(layer.cycles),
                layer.op,
                layer.reason,
                ", ".join(names),
            )
        )
    for node in graph.nodes:
        names = tuple(name for name in node.source if name not in shown)
        if names:
            shown.update(names)
            reason = (
                placement.decisions[node.name].reason if node.name in placement.decisions else ""
            )
            free = "in place: its inputs are written where they belong"
            reason = free if isinstance(node, Concat) else reason
            rows.append(("nowhere", "0", type(node).__name__, reason, ", ".join(names)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = []
    for where, cycles, op, why, nodes in rows:
        cells = (
            where.ljust(widths[0]), cycles.rjust(widths[1]), op.ljust(widths[2]),
            why.ljust(widths[3]), nodes,
        )  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, _ties(program, graph)])


def _ties(program: Program, graph: Graph) -> str:
    """What `vta compile --ties` came to: how many roundings of the accelerator go which way."""
    roundings = [
        stage.rounding
        for node in graph.nodes
        if isinstance(node, Accumulate)
        for stage in node.stages
        if isinstance(stage, Requant)
    ]
    return (
        f"ties ({program.metadata['ties']}): {roundings.count('half_even')} of {len(roundings)} "
        f"rescales round to even, {roundings.count('half_up')} up"
    )
