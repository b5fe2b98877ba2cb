"""What a tuner's run came to, for people and for machines."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from host_compiler.tune.measure import WRONG, DeviceJudge
from host_compiler.tune.session import LayerTuning, Tuning

__all__ = ["measured_dict", "measured_text", "report_dict", "report_text", "wrong_outputs"]


def report_text(tuning: Tuning) -> str:
    """A line for each distinct layer, the sums, and the whole network."""
    rows = [("default", "tuned", "gain", "of bound", "trials", "layer")]
    default = tuned = 0
    for layer in tuning.layers:
        best, count = _best(layer), layer.subject.count
        default += count * layer.subject.default_cycles
        tuned += count * best
        times = f" (x {count})" if count > 1 else ""
        share = f"{100 * layer.subject.bound_cycles / best:.1f} %"
        rows.append(
            (
                f"{layer.subject.default_cycles:,}", f"{best:,}",
                _gain(layer.subject.default_cycles, best), share,
                str(layer.outcome.tried), layer.layer + times,
            )
        )  # fmt: skip
    rows.append((f"{default:,}", f"{tuned:,}", _gain(default, tuned), "", "", "all, one by one"))
    if tuning.network is not None:
        before, after = tuning.network.default_cycles, tuning.network.cycles
        rows.append((f"{before:,}", f"{after:,}", _gain(before, after), "", "", "whole network"))
    return "\n".join([*_aligned(rows), *(f"note: {note}" for note in tuning.notes)])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: numbers to the right, the last column as it is."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    lines = []
    for *cells, last in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([*padded, last]))
    return lines


def report_dict(tuning: Tuning) -> dict[str, Any]:
    """The same as JSON-safe values."""
    return {
        "model": tuning.model,
        "layers": [_layer_dict(layer) for layer in tuning.layers],
        "network": None if tuning.network is None else tuning.network.to_dict(),
        "notes": list(tuning.notes),
    }


def wrong_outputs(tuning: Tuning) -> int:
    """Trials whose output was not what the layer computes."""
    return sum(
        verdict.failure.startswith(WRONG)
        for layer in tuning.layers
        for verdict in layer.outcome.results.values()
    )


def measured_text(tuning: Tuning, judge: DeviceJudge) -> str:
    """For each layer the times by the clock, and how far the model is off over all its trials."""
    rows: list[tuple[str, ...]] = [
        ("default us", "tuned us", "model off by", "worst", "wrong", "layer")
    ]
    for layer in tuning.layers:
        values = _measured(layer, judge)
        off = [f"{100 * e:+.1f} %" if e is not None else "-" for e in (values["median_error"],
               values["worst_error"])]  # fmt: skip
        times = [f"{1e6 * t:.1f}" if t is not None else "-" for t in (values["default_s"],
                 values["best_s"])]  # fmt: skip
        rows.append((*times, *off, str(values["wrong"]), layer.layer))
    lines = [f"measured on {judge.name}; 'off': the model's time over the clock's, less 1"]
    if judge.simulated:
        lines.append(
            "a simulated device: its clock is this computer's and says nothing about hardware, so "
            "these times choose no schedule for 'vta compile'"
        )
    return "\n".join([*lines, *_aligned(rows)])


def measured_dict(tuning: Tuning, judge: DeviceJudge) -> dict[str, Any]:
    """The same as JSON-safe values, with every trial."""
    return {
        "device": judge.name,
        "simulated": judge.simulated,
        "clock_mhz": judge.clock_mhz,
        "layers": [
            {
                "layer": layer.layer,
                **_measured(layer, judge),
                "trials": [
                    {
                        "schedule": schedule.to_dict(),
                        "cycles": verdict.cycles,
                        "seconds": verdict.seconds,
                        "model_error": judge.model_error(verdict),
                        "failure": verdict.failure,
                    }
                    for schedule, verdict in layer.outcome.results.items()
                ],
            }
            for layer in tuning.layers
        ],
    }


def _measured(layer: LayerTuning, judge: DeviceJudge) -> dict[str, Any]:
    verdicts = layer.outcome.results.values()
    known = [e for e in map(judge.model_error, verdicts) if e is not None]
    best = layer.outcome.verdict
    return {
        "default_s": layer.outcome.default.seconds,
        "best_s": None if best is None else best.seconds,
        "median_error": statistics.median(known) if known else None,
        "worst_error": max(known, key=abs, default=None),
        "wrong": sum(verdict.failure.startswith(WRONG) for verdict in verdicts),
    }


def _layer_dict(layer: LayerTuning) -> dict[str, Any]:
    entry = layer.entry
    values = {} if entry is None else entry.to_dict()
    return {
        **values,
        "layer": layer.layer,
        "count": layer.subject.count,
        "bound_cycles": layer.subject.bound_cycles,
        "default_cycles": layer.subject.default_cycles,
        "trials": layer.outcome.tried,
        "known": len(layer.outcome.results) - layer.outcome.tried,
        "failures": dict(layer.outcome.failures),
    }


def _best(layer: LayerTuning) -> int:
    """Cycles of the schedule that the compiler will take."""
    entry = layer.entry
    return layer.subject.default_cycles if entry is None else entry.cycles


def _gain(before: int, after: int) -> str:
    return f"{100 * (before - after) / before:.2f} %" if before else "-"
