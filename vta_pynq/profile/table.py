"""The table and the JSON of `vta profile`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vta_pynq.isa.table import MemType, Module
from vta_pynq.profile.layers import REST, LayerProfile
from vta_pynq.profile.names import short_name
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.timing import StallReason

__all__ = ["WAIT_NAMES", "layer_facts", "layer_table", "run_facts"]

WAIT_NAMES: Mapping[StallReason, str] = {
    StallReason.FETCH: "instruction",
    StallReason.L2G: "data",
    StallReason.G2L: "free buffer",
    StallReason.G2S: "result",
    StallReason.S2G: "drained result",
    StallReason.PORT: "memory port",
    StallReason.PUSH: "room for token",
    StallReason.TURN: "turn",
}
"""What is waited for, in a few words."""

_LEAST_WAIT = 0.0005
"""Share of all cycles below which a kind of wait has no column."""
_MEMORIES = (MemType.INP, MemType.WGT, MemType.ACC, MemType.UOP, MemType.OUT)


def layer_facts(run: ProfiledRun, layer: LayerProfile) -> dict[str, Any]:
    """One layer as JSON: cycles, bytes, 10^9 operations a second, shares of 1."""
    gops = run.gops(layer.ops, layer.cycles)
    return {
        "number": layer.number,
        "name": layer.name,
        "op": layer.op,
        "instructions": layer.instructions,
        "cycles": layer.cycles,
        "serial_cycles": layer.serial_cycles,
        "begin": layer.begin,
        "end": layer.end,
        "us": run.clock.us(layer.cycles),
        "busy": {module.name.lower(): cycles for module, cycles in layer.busy.items()},
        "stalls": {
            module.name.lower(): {
                reason.name.lower(): cycles
                for reason, cycles in stalls.items()
                if reason is not StallReason.TURN
            }
            for module, stalls in layer.stalls.items()
        },
        "macs": layer.macs,
        "executed_macs": layer.executed_macs,
        "model_macs": layer.model_macs,
        "bytes": {memory.name.lower(): size for memory, size in layer.dram_bytes.items()},
        "intensity": layer.intensity,
        "gops": gops,
        "serial_gops": run.gops(layer.ops, layer.serial_cycles),
        "share_of_peak": gops / run.peak_gops,
    }


def run_facts(run: ProfiledRun) -> dict[str, Any]:
    """What `vta profile --json` prints: the run and each of its layers."""
    return {
        "model": run.name,
        "config": run.config.name,
        "profile": run.profile.name,
        "memory_latency": run.latency,
        "clock_mhz": run.clock.mhz,
        "clock_source": run.clock.source,
        "peak_gops": run.peak_gops,
        "cycles": run.cycles,
        "serial_cycles": run.serial_cycles,
        "ms": run.clock.us(run.cycles) / 1e3,
        "submissions": [part.hidden.total_cycles for part in run.streams],
        "layers": [layer_facts(run, layer) for layer in run.layers],
    }


def layer_table(run: ProfiledRun, layers: Sequence[LayerProfile] | None = None) -> str:
    """The table of `vta profile`: a line for each layer, and the sum.

    `x serial` is by which factor the layer takes longer without latency hiding; KB are 1000
    bytes; the waits are those of compute, in per cent of the layer's cycles.
    """
    shown = run.layers if layers is None else layers
    cycles = sum(layer.cycles for layer in shown)
    waits = [
        reason
        for reason in WAIT_NAMES
        if sum(layer.waits.get(reason, 0) for layer in shown) >= _LEAST_WAIT * cycles
    ]
    head = ["#", "layer", "operator", "cycles", "x serial", "busy", "MMAC", "GOPS", "% peak"]
    head += [f"{memory.name.lower()} KB" for memory in _MEMORIES]
    head += [f"% {WAIT_NAMES[reason]}" for reason in waits]
    rows = [_row(run, layer, waits) for layer in shown]
    if len(shown) > 1:
        rows.append(_row(run, _total(shown), waits))
    text = _aligned([head, *rows], left=2)
    return "\n".join([f"{run.heading}; peak {run.peak_gops:g} GOPS", *text, _legend(run)])


def _legend(run: ProfiledRun) -> str:
    serial = run.serial_cycles
    return (
        f"{run.cycles} cycles, {run.clock.us(run.cycles) / 1e3:.3f} ms at {run.clock}; without "
        f"latency hiding {serial} cycles. busy: the busiest module, in % of the layer's cycles; "
        "last columns: what compute waits for, in % of them."
    )


def _total(layers: Sequence[LayerProfile]) -> LayerProfile:
    def summed(name: str) -> int:
        return sum(getattr(layer, name) for layer in layers)

    return LayerProfile(
        0, "total", "", summed("instructions"), summed("cycles"), summed("serial_cycles"),
        min(layer.begin for layer in layers), max(layer.end for layer in layers),
        {m: sum(layer.busy.get(m, 0) for layer in layers) for m in Module},
        {
            m: {r: sum(layer.stalls.get(m, {}).get(r, 0) for layer in layers) for r in StallReason}
            for m in Module
        },
        summed("macs"), None, {m: sum(layer.dram_bytes[m] for layer in layers) for m in MemType},
    )  # fmt: skip


def _row(run: ProfiledRun, layer: LayerProfile, waits: Sequence[StallReason]) -> list[str]:
    gops = run.gops(layer.ops, layer.cycles)

    def share(cycles: int) -> str:
        known = layer.cycles and layer.name != REST
        return f"{100 * cycles / layer.cycles:.1f}" if known else "-"

    return [
        str(layer.number or ""),
        short_name(layer.name),
        layer.op,
        str(layer.cycles),
        f"{layer.serial_cycles / layer.cycles:.2f}" if layer.cycles else "-",
        share(max(layer.busy.values(), default=0)),
        f"{layer.macs / 1e6:.3f}",
        f"{gops:.1f}",
        f"{100 * gops / run.peak_gops:.1f}",
        *(f"{layer.dram_bytes[memory] / 1e3:.1f}" for memory in _MEMORIES),
        *(share(layer.waits.get(reason, 0)) for reason in waits),
    ]


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns side by side; `left` of them, after the first, are texts."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if 0 < k <= left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
