"""The counters of the hardware beside the cycle model's account of the same run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from vta_pynq.drivers.control import HardwareCounters, ModuleCounters
from vta_pynq.isa.table import TOKENS, Module
from vta_pynq.profile.table import WAIT_NAMES
from vta_pynq.timing import CycleReport, StallReason

__all__ = ["Count", "HardwareCounts", "counts_facts", "counts_table", "hardware_counts"]

_WORKS = "works"
_FULL = "cannot push"
_ALL = "all"


@dataclasses.dataclass(frozen=True)
class Count:
    """Cycles in which `module` did `what`: as counted, and as modelled.

    `modelled` is None for fetch, of which the cycle model keeps no account.
    """

    module: Module
    what: str
    counted: int
    modelled: int | None


@dataclasses.dataclass(frozen=True)
class HardwareCounts:
    """Counters of one run of a program, all of its submissions together.

    Attributes
    ----------
    hardware, profile
        Names of the hardware profiles of what counted, and of the cycle model beside it.
    cycles, modelled_cycles
        From launch to the end.
    counts
        Module by module.
    """

    hardware: str
    profile: str
    cycles: int
    modelled_cycles: int
    counts: tuple[Count, ...]


def hardware_counts(
    found: HardwareCounters, reports: Sequence[CycleReport], hardware: str, profile: str
) -> HardwareCounts:
    """Put the counters of one run beside the cycle model's report of each of its submissions.

    `found` must have been cleared before the run; `hardware` and `profile` are the names of the
    profiles of the hardware and of the reports.
    """
    counts = []
    for module, counters in found.modules.items():
        modelled = _modelled(module, reports)
        counts += [
            Count(module, what, cycles, modelled.get(what))
            for what, cycles in _counted(counters).items()
        ]
    total = sum(report.total_cycles for report in reports)
    return HardwareCounts(hardware, profile, found.cycles, total, tuple(counts))


def _counted(counters: ModuleCounters) -> dict[str, int]:
    return {
        _WORKS: counters.busy,
        _waits(StallReason.FETCH): counters.starved,
        **{_waits(StallReason[name.upper()]): cycles for name, cycles in counters.waits.items()},
        _FULL: sum(counters.pushes.values()),
    }


def _modelled(module: Module, reports: Sequence[CycleReport]) -> dict[str, int]:
    """The same by the cycle model; empty for a module that it keeps no account of."""
    accounts = [report.modules[module] for report in reports if module in report.modules]
    if not accounts:
        return {}

    def stalls(reason: StallReason) -> int:
        return sum(account.stalls[reason] for account in accounts)

    tokens = [StallReason[token.name.upper()] for token in TOKENS if token.consumer is module]
    return {
        # The hardware cannot tell work from a wait for the memory port.
        _WORKS: sum(account.busy for account in accounts) + stalls(StallReason.PORT),
        # After its last instruction a module waits for another one.
        _waits(StallReason.FETCH): stalls(StallReason.FETCH) + sum(a.idle for a in accounts),
        **{_waits(reason): stalls(reason) for reason in tokens},
        _FULL: stalls(StallReason.PUSH),
    }


def _waits(reason: StallReason) -> str:
    return f"waits for {WAIT_NAMES[reason]}"


def counts_facts(found: HardwareCounts) -> dict[str, Any]:
    """As JSON: cycles, by module and by what it did."""
    modules: dict[str, dict[str, Mapping[str, int | None]]] = {}
    for count in found.counts:
        rows = modules.setdefault(count.module.name.lower(), {})
        rows[count.what] = {"counted": count.counted, "modelled": count.modelled}
    return {
        "hardware": found.hardware,
        "profile": found.profile,
        "cycles": found.cycles,
        "modelled_cycles": found.modelled_cycles,
        "modules": modules,
    }


def counts_table(found: HardwareCounts) -> str:
    """A line for each counter: what the hardware counted, and what the cycle model says."""
    whole: tuple[str, str, int, int | None]
    whole = (_ALL, "cycles", found.cycles, found.modelled_cycles)
    rows = [whole, *((c.module.name.lower(), c.what, c.counted, c.modelled) for c in found.counts)]
    width = max(len(what) for _, what, _, _ in rows)
    lines = [f"counters of {found.hardware} in one run, beside the cycle model of {found.profile}:"]
    for module, what, counted, modelled in rows:
        model = "-" if modelled is None else str(modelled)
        lines.append(f"  {module:7}  {what:{width}}  {counted:>12}  {model:>12}")
    if found.hardware != found.profile:
        lines.append(
            f"  (the model is of other hardware: --profile {found.hardware} for that of this one)"
        )
    return "\n".join(lines)
