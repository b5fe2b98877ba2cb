"""A trace of a run in Chrome's JSON format, which Perfetto opens (ui.perfetto.dev).

Format: "Trace Event Format" (the document of the Chromium project) and Perfetto's page on it:
`ts` and `dur` in microseconds, flow events bound to the slice that encloses them.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.disassembler import insn_lines
from vta_pynq.errors import ConfigError
from vta_pynq.isa.table import TOKENS, MemType, Module
from vta_pynq.profile.occupancy import sram_occupancy
from vta_pynq.profile.run import ProfiledRun, ProfiledStream
from vta_pynq.profile.table import WAIT_NAMES
from vta_pynq.profile.timeline import KINDS, is_wait, spans_of
from vta_pynq.timing import StallReason
from vta_pynq.whole_file import whole_file

__all__ = ["COUNTER_SAMPLES", "DEVICE_PID", "trace_events", "write_trace"]

Event = dict[str, Any]

COUNTER_SAMPLES = 2000
"""Most samples of one counter; of more changes each sample has the most in its stretch."""
DEVICE_PID = 1
"""Process number of the accelerator in the trace; its threads are numbered like `Module`."""
_LAYER_TID = 8
_MEMORIES = tuple(MemType)


def trace_events(run: ProfiledRun) -> list[Event]:
    """Every event, metadata first, then ordered by time.

    One process is the accelerator, its threads are the modules and, above them, the layers. An
    instruction is a slice with its text and layer, a wait a slice of its own; an arrow leads from
    the instruction that pushes a token to the one that pops it. Counters give live elements of
    each SRAM and the bandwidth of each kind of move.

    Raises
    ------
    ProgramError
        The run's streams do not hold the micro-ops that they load.
    """
    timed = [*_slices(run), *_layer_slices(run), *_flows(run), *_occupancy(run), *_bandwidth(run)]
    timed.sort(key=lambda event: event["ts"])  # stable: of equal times the order above counts
    return [*_metadata(run), *timed]


def write_trace(run: ProfiledRun, path: str | os.PathLike[str]) -> int:
    """Write `.json`, or compressed `.json.gz`, and return the number of events.

    Raises
    ------
    ConfigError
        The suffix is another, or the folder is missing.
    """
    target = Path(path)
    if not target.name.endswith((".json", ".json.gz")):
        raise ConfigError(f"trace {target}: suffix must be .json or .json.gz; rename it")
    if not target.parent.is_dir():
        raise ConfigError(f"trace {target}: folder {target.parent} must exist; create it first")
    events = trace_events(run)
    head = {"displayTimeUnit": "ns", "otherData": {"run": run.heading}}
    encode = json.JSONEncoder(separators=(",", ":")).encode
    lines = [encode(event) for event in events]
    text = json.dumps(head)[:-1] + ',"traceEvents":[\n' + ",\n".join(lines) + "\n]}\n"
    data = text.encode()
    if target.suffix == ".gz":
        data = gzip.compress(data, compresslevel=6, mtime=0)  # the same trace, the same bytes
    with whole_file(target) as file:
        file.write(data)
    return len(events)


def _us(run: ProfiledRun, cycles: float) -> float:
    return round(run.clock.us(cycles), 4)


def _metadata(run: ProfiledRun) -> Iterator[Event]:
    def named(what: str, tid: int, **args: object) -> Event:
        return {"name": what, "ph": "M", "pid": DEVICE_PID, "tid": tid, "ts": 0, "args": args}

    yield named("process_name", 0, name=f"VTA {run.profile.name} ({run.config.name})")
    threads = [(_LAYER_TID, "layers"), *((int(m), m.name.lower()) for m in Module)]
    for order, (tid, name) in enumerate(threads):
        yield named("thread_name", tid, name=name)
        yield named("thread_sort_index", tid, sort_index=order)


def _texts(run: ProfiledRun) -> tuple[list[str], list[str]]:
    """Assembler text and layer of each instruction of all streams."""
    lines: list[str] = []
    layers: list[str] = []
    for part in run.streams:
        lines += insn_lines(part.stream)
        layers += map(part.layers.name_of, range(len(part.records)))
    return lines, layers


def _slices(run: ProfiledRun) -> Iterator[Event]:
    lines, layers = _texts(run)
    for module, kind, begin, end, insn in spans_of(run).tolist():
        value = KINDS[kind]
        name = str(value)
        if isinstance(value, StallReason):
            name = f"wait for {WAIT_NAMES[value]}"
        elif is_wait(kind):
            name = f"wait: {value}"
        elif module != Module.FETCH:
            name = lines[insn].partition(" ")[0]
        event: Event = {
            "name": name, "cat": "wait" if is_wait(kind) else "work", "ph": "X",
            "pid": DEVICE_PID, "tid": module, "ts": _us(run, begin), "dur": _us(run, end - begin),
            "args": {"insn": insn},
        }  # fmt: skip
        if event["cat"] == "work" and module != Module.FETCH:
            event["args"].update(text=lines[insn], layer=layers[insn], cycles=end - begin)
        yield event


def _layer_slices(run: ProfiledRun) -> Iterator[Event]:
    """Layers one after the other: each ends with its last instruction, where the next begins."""
    at = 0
    for layer in run.layers:
        if layer.end > at:
            yield {
                "name": layer.name, "cat": "layer", "ph": "X", "pid": DEVICE_PID,
                "tid": _LAYER_TID, "ts": _us(run, at), "dur": _us(run, layer.end - at),
                "args": {"number": layer.number, "cycles": layer.cycles, "macs": layer.macs,
                         "bytes": layer.bytes},
            }  # fmt: skip
            at = layer.end


# ---- tokens ------------------------------------------------------------------------------


def _flows(run: ProfiledRun) -> Iterator[Event]:
    number = 0
    for part in run.streams:
        rows = part.hidden.rows
        for push, pop, name in _token_pairs(part):
            # In the last cycle of the one and the first of the other: inside their slices.
            left = int(rows["end"][push]) - int(rows["push_stall"][push]) - 1
            ends = {"s": left, "f": int(rows["start"][pop]) + int(rows["port_stall"][pop])}
            number += 1
            for kind, cycle in ends.items():
                event: Event = {
                    "name": name, "cat": "token", "ph": kind, "id": number, "pid": DEVICE_PID,
                    "tid": int(rows["module"][push if kind == "s" else pop]),
                    "ts": _us(run, part.begin + cycle),
                }  # fmt: skip
                if kind == "f":
                    event["bp"] = "e"
                yield event


def _token_pairs(part: ProfiledStream) -> Iterator[tuple[int, int, str]]:
    """Each pop of a token that an instruction of this stream pushed, with that instruction."""
    records, rows = part.records, part.hidden.rows
    took = (rows["end"] > rows["start"]).tolist()
    for k, token in enumerate(TOKENS):
        if part.hidden.lost_tokens[token.name]:
            continue  # which one a saturated counter dropped, nobody can tell
        pushes, pops = (
            np.flatnonzero((records[flag] != 0) & (rows["module"] == module)).tolist()
            for flag, module in (
                (token.push_flag, token.producer), (token.pop_flag, token.consumer),
            )
        )  # fmt: skip
        for push, pop in zip(pushes, pops[part.stream.tokens_in[k] :], strict=False):
            if took[push] and took[pop]:
                yield push, pop, token.name


# ---- counters ----------------------------------------------------------------------------


def _occupancy(run: ProfiledRun) -> Iterator[Event]:
    for memory, found in sram_occupancy(run).items():
        times, live = _thinned(found.times, found.live)
        for cycle, value in zip(times.tolist(), live.tolist(), strict=True):
            yield _counter(
                run, f"SRAM {memory.name} live bytes", cycle, value * found.element_bytes
            )


def _thinned(
    times: npt.NDArray[np.int64], live: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if len(times) <= COUNTER_SAMPLES:
        return times, live
    first = np.linspace(0, len(times) - 1, COUNTER_SAMPLES).astype(np.int64)
    most: npt.NDArray[np.int64] = np.maximum.reduceat(live, first)
    return times[first], most


def _bandwidth(run: ProfiledRun) -> Iterator[Event]:
    """MB/s of each kind of move: an instruction's bytes spread over the time that it takes."""
    edges = np.linspace(0, run.cycles, min(COUNTER_SAMPLES, max(run.cycles // 16, 1)) + 1)
    moved = np.zeros((len(_MEMORIES), len(edges) - 1))
    for part in run.streams:
        rows, costs = part.hidden.rows, part.costs
        for row, memory in enumerate(_MEMORIES):
            chosen = np.flatnonzero((costs.memory == memory) & (costs.bytes_moved > 0))
            if not chosen.size:
                continue
            chosen = chosen[np.argsort(rows["start"][chosen], kind="stable")]
            points = np.stack([rows["start"][chosen], rows["end"][chosen]], axis=1) + part.begin
            sizes = np.stack([np.zeros(len(chosen)), costs.bytes_moved[chosen]], axis=1)
            total = np.interp(edges, points.reshape(-1), np.cumsum(sizes.reshape(-1)))
            moved[row] += np.diff(total)
    seconds = np.diff(edges) / run.clock.mhz / 1e6
    for row, memory in enumerate(_MEMORIES):
        if not moved[row].any():
            continue
        rates = (moved[row] / seconds / 1e6).round(1)
        keep = np.concatenate([[True], np.diff(rates) != 0])
        for cycle, rate in zip(edges[:-1][keep].tolist(), rates[keep].tolist(), strict=True):
            yield _counter(run, f"DRAM {memory.name} MB/s", cycle, rate)
        yield _counter(run, f"DRAM {memory.name} MB/s", run.cycles, 0.0)


def _counter(run: ProfiledRun, name: str, cycle: float, value: float) -> Event:
    return {
        "name": name, "ph": "C", "pid": DEVICE_PID, "ts": _us(run, cycle), "args": {"value": value},
    }  # fmt: skip
