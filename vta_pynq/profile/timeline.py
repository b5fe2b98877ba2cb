"""What each module does and waits for at every cycle of a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.profile.names import short_name
from vta_pynq.profile.run import ProfiledRun, ProfiledStream
from vta_pynq.timing import StallReason
from vta_pynq.timing.parameters import FetchTiming

__all__ = [
    "FULL_QUEUE", "KINDS", "SPAN_DTYPE", "Spans", "Window", "is_wait", "merge_spans", "spans_of",
    "window_of",
]  # fmt: skip

_WAITS = tuple(reason for reason in StallReason if reason is not StallReason.NONE)
_BUSY = (
    "fetch",
    "LOAD.INP",
    "LOAD.WGT",
    "LOAD.UOP",
    "LOAD.ACC",
    "GEMM",
    "ALU",
    "REQUANT",
    "STORE",
    "other",
)
FULL_QUEUE = "full queue"
"""What fetch waits for: room in the queue of the module that comes next."""
KINDS: tuple[str | StallReason, ...] = ("", *_BUSY, *_WAITS, FULL_QUEUE)
"""What a span can be, by its number: idle, work by its kind, waits by their reason."""
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}

SPAN_DTYPE = np.dtype(
    [("module", "u1"), ("kind", "u1"), ("begin", "<i8"), ("end", "<i8"), ("insn", "<i8")]
)
"""Cycles `begin` to `end` of a module; `insn` counts over all streams of the run, -1: several."""

Spans = npt.NDArray[np.void]


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of a run, in cycles."""

    begin: int
    end: int
    what: str


def is_wait(kind: int) -> bool:
    """Whether a span of that number waits."""
    return isinstance(KINDS[kind], StallReason) or KINDS[kind] == FULL_QUEUE


def window_of(
    run: ProfiledRun, layer: str | None = None, cycles: tuple[int, int] | None = None
) -> Window:
    """The whole run, one layer's time in it, or the cycles that are asked for.

    Raises
    ------
    ProgramError
        There is no such layer, or the cycles are not within the run.
    """
    if cycles is not None:
        begin, end = cycles
        if not 0 <= begin < end <= run.cycles:
            raise ProgramError(
                f"program '{run.name}': window must lie within cycles 0..{run.cycles} and not be "
                f"empty, not {begin}..{end}"
            )
        return Window(begin, end, f"cycles {begin} to {end}")
    if layer is not None:
        found = run.layer(layer)
        what = f"layer {found.number}, {short_name(found.name)}"
        return Window(found.begin, max(found.end, found.begin + 1), what)
    return Window(0, run.cycles, "whole run")


def spans_of(run: ProfiledRun) -> Spans:
    """Every span of every module that is longer than nothing, ordered by module and begin.

    Spans of a module do not overlap. An instruction gives its waits and one span of work; what
    it waits for the memory port lies before its work, though the first beats are what is late.
    """
    found, first = [], 0
    for part in run.streams:
        spans = np.concatenate([_fetch_spans(part, run.timing.fetch), _module_spans(part)])
        spans["begin"] += part.begin
        spans["end"] += part.begin
        spans["insn"] += first
        found.append(spans)
        first += len(part.records)
    every = np.concatenate(found)
    every = every[every["end"] > every["begin"]]
    ordered: Spans = every[np.lexsort((every["begin"], every["module"]))]
    return ordered


def _spans(module: object, kind: object, begin: object, end: object, insn: object) -> Spans:
    columns = np.broadcast_arrays(module, kind, begin, end, insn)  # type: ignore[arg-type]
    spans = np.zeros(columns[0].shape, SPAN_DTYPE)
    for name, column in zip(SPAN_DTYPE.names or (), columns, strict=True):
        spans[name] = column
    return spans


def _fetch_spans(part: ProfiledStream, fetch: FetchTiming) -> Spans:
    """An instruction ends its fetch when it enters its queue; chunks are read before that."""
    issue = part.hidden.rows["issue"].astype(np.int64)
    insn = np.arange(len(issue))
    before = np.concatenate([[0], issue[:-1]]).astype(np.int64)
    reads = insn % fetch.chunk == 0 if fetch.chunk else insn == 0
    begin = np.where(reads, before, issue - np.minimum(issue - before, fetch.interval))
    return np.concatenate(
        [
            _spans(Module.FETCH, _NUMBER["fetch"], begin, issue, insn),
            _spans(Module.FETCH, _NUMBER[FULL_QUEUE], before, begin, insn),
        ]
    )


def _work_kinds(records: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    table = np.full((256, 256), _NUMBER["other"], np.int64)
    for memory in MemType:
        name = "ACC" if memory is MemType.ACC_8BIT else memory.name
        table[Opcode.LOAD, memory] = _NUMBER.get(f"LOAD.{name}", _NUMBER["other"])
    table[Opcode.STORE] = _NUMBER["STORE"]
    table[Opcode.GEMM] = _NUMBER["GEMM"]
    table[Opcode.ALU] = _NUMBER["ALU"]
    table[Opcode.REQUANT] = _NUMBER["REQUANT"]
    kinds: npt.NDArray[np.int64] = table[records["opcode"], records["memory_type"]]
    return kinds


def _module_spans(part: ProfiledStream) -> Spans:
    rows = part.hidden.rows
    insn = np.arange(len(rows))
    start, end = rows["start"].astype(np.int64), rows["end"].astype(np.int64)
    token = start - rows["turn_stall"]
    ready = token - rows["token_stall"]
    work_begin, work_end = start + rows["port_stall"], end - rows["push_stall"]
    tokens = np.array([_NUMBER[StallReason(max(int(r), 1))] for r in range(len(StallReason))])
    columns = (
        (_NUMBER[StallReason.FETCH], ready - rows["fetch_stall"], ready),
        (tokens[rows["token_reason"]], ready, token),
        (_NUMBER[StallReason.TURN], token, start),
        (_NUMBER[StallReason.PORT], start, work_begin),
        (_work_kinds(part.records), work_begin, work_end),
        (_NUMBER[StallReason.PUSH], work_end, end),
    )
    return np.concatenate([_spans(rows["module"], kind, a, b, insn) for kind, a, b in columns])


def merge_spans(spans: Spans, window: Window, columns: int) -> Spans:
    """The spans in a window; where they are many, `columns` columns of what took most of each.

    A module has at most `columns` spans then, and their borders lie on multiples of a column.
    """
    inside = spans[(spans["end"] > window.begin) & (spans["begin"] < window.end)].copy()
    inside["begin"] = np.maximum(inside["begin"], window.begin)
    inside["end"] = np.minimum(inside["end"], window.end)
    found = []
    for module in Module:
        own = inside[inside["module"] == module]
        found.append(own if len(own) <= columns else _merged(own, module, window, columns))
    return np.concatenate(found)


def _merged(own: Spans, module: Module, window: Window, columns: int) -> Spans:
    edges = np.linspace(window.begin, window.end, columns + 1)
    share = np.array([_covered(own[own["kind"] == k], edges) for k in range(len(KINDS))])
    share[0] = np.diff(edges) - share.sum(axis=0)  # idle
    kind = np.argmax(share, axis=0)
    begins = np.concatenate([[0], np.flatnonzero(np.diff(kind)) + 1])
    ends = np.concatenate([begins[1:], [columns]])
    places = np.rint(edges).astype(np.int64)
    merged = _spans(module, kind[begins], places[begins], places[ends], -1)
    busy: Spans = merged[merged["kind"] != 0]
    return busy


def _covered(spans: Spans, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cycles of these spans, which do not overlap, between neighbouring edges."""
    if not len(spans):
        return np.zeros(len(edges) - 1)
    points = np.stack([spans["begin"], spans["end"]], axis=1).reshape(-1).astype(np.float64)
    lengths = np.stack([np.zeros(len(spans)), spans["end"] - spans["begin"]], axis=1)
    covered: npt.NDArray[np.float64] = np.diff(
        np.interp(edges, points, np.cumsum(lengths.reshape(-1)))
    )
    return covered
