"""Measured figures: what was measured where, its target, tables, and what got worse since."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Row", "machine_facts", "median_s", "regressions", "rows_json", "table_text"]

_FASTER = {"ops/s", "MB/s", "GMAC/s", "insn/s", "cases/s", "x", "accuracy", "% of bound"}


_PACKAGES = ("vta-pynq", "numpy", "cffi", "pynq", "onnx", "onnxruntime")


def machine_facts() -> dict[str, str]:
    """What the numbers depend on: processor, system, versions; by name."""
    facts = {
        "processor": platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.lower().startswith("model name"):
                facts["processor"] = line.partition(":")[2].strip()
                break
    for package in _PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured number.

    Parameters
    ----------
    metric
        What was measured; unique within its benchmark.
    value, unit
        The median and its unit.
    target
        The value to reach, None where there is none; a rate must be at least the target, any
        other unit at most.
    note
        Whatever the reader must know to judge the number, such as the sizes.
    spread
        Relative spread of the repeats (interquartile range over median); 0 for a number that is
        the same on every machine and run, None where it is not known.
    """

    metric: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""
    spread: float | None = None

    @property
    def rate(self) -> bool:
        """Whether more is better."""
        return self.unit in _FASTER or self.unit.endswith("/s")

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.rate else self.value <= self.target


def median_s(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median thread CPU time of `call` in seconds, and its relative spread; one warm-up run."""
    call()
    seconds = []
    for _ in range(max(3, repeats)):
        begin = time.thread_time()
        call()
        seconds.append(time.thread_time() - begin)
    low, middle, high = statistics.quantiles(seconds, n=4)
    return middle, (high - low) / middle if middle else 0.0


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table_text(rows: Sequence[tuple[str, Row]]) -> str:
    """The table of `(benchmark, row)` pairs as aligned text."""
    lines = [("benchmark", "metric", "value", "unit", "target", "", "note")]
    for name, row in rows:
        verdict = {None: "", True: "met", False: "MISSED"}[row.met]
        target = _number(row.target)
        lines.append((name, row.metric, _number(row.value), row.unit, target, verdict, row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(7)]
    right = {2, 4}
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def regressions(rows: Sequence[tuple[str, Row]], old: Any) -> list[str]:
    """What got worse than in `old` (the JSON of an earlier run) by more than the noise of both."""
    before = {(entry["benchmark"], entry["metric"]): entry for entry in old["rows"]}
    found = []
    for name, row in rows:
        entry = before.get((name, row.metric))
        if entry is None or entry["unit"] != row.unit:
            continue
        noise = _noise(row.spread, entry["spread"])
        lower, upper = (row.value, entry["value"]) if row.rate else (entry["value"], row.value)
        if upper > lower * (1 + noise):
            found.append(
                f"{name}, {row.metric}: {_number(entry['value'])} to {_number(row.value)} "
                f"{row.unit} (noise {noise:.0%})"
            )
    return found


def _noise(new: float | None, old: float | None) -> float:
    """The relative change that two runs of the same code may show."""
    if new == 0 and old == 0:
        return 0.0
    # Twice the spread of the repeats, and never less than what a shared machine wobbles by.
    return max(0.1, 2 * ((new or 0.0) + (old or 0.0)))


def rows_json(rows: Sequence[tuple[str, Row]], machine: dict[str, str]) -> str:
    """The run as JSON text, as `regressions` reads it."""
    entries = [{"benchmark": name, **dataclasses.asdict(row)} for name, row in rows]
    return json.dumps({"machine": machine, "rows": entries}, indent=2) + "\n"
