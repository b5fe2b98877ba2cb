"""Cycles, part of the bound and traffic of ResNet-18's convolutions; run it as a script."""

from __future__ import annotations

import argparse
import time

from bench.schedule_layers import RESNET18_CONVS, conv_layer
from host_compiler.lower.plan import LayerPlan, layer_kernel_builder
from host_compiler.lower.target import Target
from host_compiler.schedule.account import account_of
from host_compiler.schedule.bound import bound_of
from host_compiler.schedule.search import plan_layer
from vta_pynq.config import HwConfig
from vta_pynq.isa.table import Module
from vta_pynq.profile.figures import Row
from vta_pynq.timing import DEFAULT_PROFILE, get_profile, simulate

NAME = "schedule"
LEAST_3X3, LEAST_1X1, MOST_TRAFFIC = 95.0, 85.0, 1.3

HEADER = (
    "layer        cycles   bound  % of bound  % padded  limit    bytes/min"
    "  compute busy  load busy  insns  plan s"
)


def row(plan: LayerPlan, seconds: float) -> str:
    """One line of the table.

    `% padded` is against the bound in which taps outside the input count as well, as published
    tables count them; `bytes/min` is traffic over the compulsory one.
    """
    bound = bound_of(plan.lowered.prepared)
    stream = layer_kernel_builder(plan).build().stream()
    report = simulate(stream, plan.target.profile)
    moved = sum(report.bytes_moved.values())
    busy = [report.modules[m].busy for m in (Module.COMPUTE, Module.LOAD)]
    cycles = report.total_cycles
    return (
        f"{plan.layer.name:8s} {cycles:10,d} {bound.cycles:7,d} {100 * bound.cycles / cycles:9.1f} "
        f"{100 * bound.padded_cycles / cycles:11.1f}  {bound.limited_by:8s} "
        f"{moved / bound.bytes:8.2f} {busy[0]:13,d} {busy[1]:10,d} {len(stream):6d} {seconds:7.2f}"
    )


def run(quick: bool) -> list[Row]:
    """Each layer by the scheduler's own search: cycles, and how far from its bound."""
    target, rows = Target(HwConfig(), get_profile(DEFAULT_PROFILE)), []
    for shape in RESNET18_CONVS[-2:-1] if quick else RESNET18_CONVS:
        account = account_of(plan_layer(conv_layer(shape), target))
        share = 100 * account.bound.cycles / account.cycles
        least = LEAST_3X3 if shape.kernel == 3 else LEAST_1X1
        rows.append(Row(f"{shape.name} of its bound", share, "% of bound", least, spread=0.0))
        rows.append(
            Row(
                f"{shape.name} traffic", account.bytes_moved / account.bound.bytes,
                "x compulsory", MOST_TRAFFIC, spread=0.0,
            )
        )  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default=DEFAULT_PROFILE, help="hardware profile")
    parser.add_argument("--timed", type=int, default=10, help="candidates that are timed")
    arguments = parser.parse_args()
    target = Target(HwConfig(), get_profile(arguments.target))
    print(HEADER)
    total = 0
    for shape in RESNET18_CONVS:
        begin = time.process_time()
        plan = plan_layer(conv_layer(shape), target, timed=arguments.timed)
        total += plan.estimated_cycles
        print(row(plan, time.process_time() - begin), flush=True)
    print(f"total    {total:10,d}")


if __name__ == "__main__":
    main()
