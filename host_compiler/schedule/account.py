"""Where a layer's cycles go, by the cycle model: its bound, and everything above it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from host_compiler.lower.plan import LayerPlan, layer_kernel_builder
from host_compiler.schedule.bound import LayerBound, bound_of
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import Module, Opcode
from vta_pynq.timing import StallReason, simulate
from vta_pynq.timing.parameters import ASSUMED

__all__ = ["LayerAccount", "account_of", "account_table"]


@dataclasses.dataclass(frozen=True)
class LayerAccount:
    """The compute module's time of a layer on its own; the parts add up to `cycles`.

    Attributes
    ----------
    cycles, bytes_moved, bound
        In total, and what no schedule avoids.
    gemm, alu
        Micro-ops that the bound counts (an addition counts as GEMM's where it is one).
    again
        Micro-ops beyond that: what tiles compute twice, and slower forms of a step.
    fixed
        Fixed cycles of each GEMM and ALU instruction.
    fetched
        Loads of micro-ops and of constant vectors.
    waits
        Waiting, by reason: for inputs and weights, for stores, for instructions.
    end
        After the last compute instruction, and passing tokens.
    """

    cycles: int
    bytes_moved: int
    bound: LayerBound
    gemm: int
    alu: int
    again: int
    fixed: int
    fetched: int
    waits: dict[str, int]
    end: int

    def lines(self) -> list[str]:
        """For people."""
        bound, share = self.bound, 100 * self.bound.cycles / self.cycles
        moved = self.bytes_moved / max(1, bound.bytes)
        parts = [f"repeated {self.again}", f"instructions {self.fixed}", f"loads {self.fetched}"]
        parts += [f"waiting for {name} {value}" for name, value in self.waits.items() if value]
        return [
            f"{self.cycles} cycles, {share:.1f} % of the bound {bound.cycles} "
            f"({bound.limited_by}); {self.bytes_moved} bytes, {moved:.2f} of the least",
            f"compute: GEMM {self.gemm}, ALU {self.alu}, {', '.join(parts)}, end {self.end}",
        ]


_WAITS = {
    StallReason.L2G: "data",
    StallReason.S2G: "stores",
    StallReason.FETCH: "instructions",
}


def account_of(plan: LayerPlan) -> LayerAccount:
    """Time a layer on its own and say where the cycles go."""
    target = plan.target
    profile = dataclasses.replace(target.profile, timing=target.timing)
    stream = layer_kernel_builder(plan).build().streams()[0]
    report = simulate(stream, profile, detail=True)
    rows, records = report.detail, decode(stream.words, stream.config)
    assert rows is not None
    mine = rows["module"] == Module.COMPUTE
    gemm, alu = (mine & (records["opcode"] == op) for op in (Opcode.GEMM, Opcode.ALU))
    loads = mine & (records["opcode"] == Opcode.LOAD) & (records["x_size"] > 0)

    def busy(chosen: np.ndarray) -> int:  # type: ignore[type-arg]
        return int(rows["busy"][chosen].sum())

    timing = target.timing
    fixed = int(gemm.sum()) * timing.gemm.fixed + int(alu.sum()) * timing.alu_imm.fixed
    bound = bound_of(plan.lowered.prepared, timing)
    compute = report.modules[Module.COMPUTE]
    waits = dict.fromkeys(_WAITS.values(), 0)
    for reason, name in _WAITS.items():
        waits[name] += compute.stalls.get(reason, 0)
    again = busy(gemm) + busy(alu) - fixed - bound.gemm_cycles - bound.alu_cycles
    known = busy(gemm) + busy(alu) + busy(loads) + sum(waits.values())
    return LayerAccount(
        report.total_cycles,
        sum(report.bytes_moved.values()),
        bound,
        bound.gemm_cycles,
        bound.alu_cycles,
        again,
        fixed,
        busy(loads),
        waits,
        report.total_cycles - known,
    )


_HEAD = (
    "layer", "cycles", "bound", "% of it", "limit", "x bytes", "repeated", "instructions",
    "micro-ops", "data", "stores", "fetch", "end",
)  # fmt: skip


def account_table(plans: Sequence[LayerPlan]) -> str:
    """A line for each layer on its own: its bound, and where the cycles above compute's go.

    Empty where the target's profile has no timing.
    """
    if not plans or plans[0].target.profile.timing is None:
        return ""
    rows: list[tuple[str, ...]] = [_HEAD]
    for plan in plans:
        a = account_of(plan)
        rows.append(
            (
                plan.layer.name, f"{a.cycles}", f"{a.bound.cycles}",
                f"{100 * a.bound.cycles / a.cycles:.1f}", a.bound.limited_by,
                f"{a.bytes_moved / max(1, a.bound.bytes):.2f}", f"{a.again}", f"{a.fixed}",
                f"{a.fetched}", *(f"{a.waits[name]}" for name in _WAITS.values()), f"{a.end}",
            )
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    assumed = ASSUMED.get(plans[0].target.profile.name, ())
    return "\n".join([*lines, _LEGEND, *(f"assumed: {text}" for text in assumed)])


_LEGEND = (
    "each layer on its own, by the cycle model. bound: the larger of compute's necessary cycles "
    "and bytes over bandwidth; x bytes: traffic over the compulsory one; then compute's cycles "
    "beyond the necessary: computed again or in a slower form, fixed costs of instructions, loads "
    "of micro-ops and constants, waiting for data, for stores, for fetch, and the end"
)
