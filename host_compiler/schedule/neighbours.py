"""Schedules that differ from a given one in a single decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from host_compiler.lower.prepared import Prepared
from host_compiler.schedule.parameters import Schedule

__all__ = ["neighbours"]

_ENDS = (1, 2, 3)


def neighbours(prepared: Prepared, s: Schedule) -> Iterator[Schedule]:
    """Other schedules in the order in which they are worth a try; not all of them fit."""
    outs = prepared.out_blocks
    ins = max((work.in_blocks for work in prepared.terms), default=1)
    chunks = -(-ins // s.in_blocks)
    seen = {s}
    for changed in _changes(s, outs, ins, chunks):
        # A tile needs slots for its groups; those of all tiles at once if they are to begin early.
        if changed not in seen:
            seen.add(changed)
            yield changed


def _changes(s: Schedule, outs: int, ins: int, chunks: int) -> Iterator[Schedule]:
    def change(**values: int | bool) -> Schedule:
        return dataclasses.replace(s, **values)  # type: ignore[arg-type]

    if not s.gemm_addend:
        yield _begun_early(s, outs)
        for group in (s.group // 2, s.group - 1, s.group + 1):
            if 1 <= group <= outs:
                yield _begun_early(change(group=group, blocks=group), outs)
    for packed in (chunks, chunks - 1, 0):
        if 0 <= packed != s.packed:
            yield change(packed=packed)
            yield change(packed=packed, inp_slots=chunks)
    for ends in (0, *_ENDS):
        if ends <= s.blocks and ends != s.end_blocks:
            ended = change(end_blocks=ends)
            yield _begun_early(ended, outs) if s.acc_slots > 2 else ended
    for in_blocks in (2 * s.in_blocks, s.in_blocks // 2):
        if 1 <= in_blocks <= ins:
            now = -(-ins // in_blocks)
            yield change(in_blocks=in_blocks)
            yield change(in_blocks=in_blocks, inp_slots=now, packed=min(s.packed, now))
            if s.packed == chunks:
                yield change(in_blocks=in_blocks, inp_slots=now, packed=now)
    for group in (2 * s.group, s.group // 2):
        if 1 <= group <= s.blocks:
            yield change(group=group, acc_slots=max(2, -(-s.blocks // group)))
    for rows in (s.rows + 1, s.rows - 1):
        if rows:
            yield change(rows=rows)
    for slots in (s.wgt_slots + 1, 2 * s.wgt_slots, s.wgt_slots - 1):
        if slots:
            yield change(wgt_slots=slots)
    for slots in (s.inp_slots + 1, s.inp_slots - 1):
        if slots:
            yield change(inp_slots=slots)
    yield change(gemm_addend=not s.gemm_addend)


def _begun_early(s: Schedule, outs: int) -> Schedule:
    """With accumulators for all groups of the layer, one tile of the plane."""
    inner = -(-s.blocks // s.group)
    ends = s.end_blocks
    tiles = -(-outs // s.blocks)
    if ends and outs > 2 * ends:
        tiles = -(-(outs - 2 * ends) // s.blocks) + 2
    return dataclasses.replace(s, acc_slots=tiles * inner)
