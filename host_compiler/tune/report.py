"""What a tuner's run came to, for people and for machines."""

from __future__ import annotations

from typing import Any

from host_compiler.tune.session import LayerTuning, Tuning

__all__ = ["report_dict", "report_text"]


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
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = []
    for *cells, last in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([*padded, last]))
    return "\n".join([*lines, *(f"note: {note}" for note in tuning.notes)])


def report_dict(tuning: Tuning) -> dict[str, Any]:
    """The same as JSON-safe values."""
    return {
        "model": tuning.model,
        "layers": [_layer_dict(layer) for layer in tuning.layers],
        "network": None if tuning.network is None else tuning.network.to_dict(),
        "notes": list(tuning.notes),
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
