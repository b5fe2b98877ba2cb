"""Schedules of a layer that fit the SRAMs of a target."""

from __future__ import annotations

from collections.abc import Iterator

from host_compiler.schedule.estimate import Estimator, Place
from host_compiler.schedule.parameters import Schedule

__all__ = ["begun_early", "candidates"]

_MAX_SLOTS = 64


def _sizes(extent: int) -> list[int]:
    """Tile sizes: whatever gives another number of tiles."""
    return sorted({-(-extent // count) for count in range(1, extent + 1)}, reverse=True)


def _widths(width: int) -> list[int]:
    """Whole rows, halves, thirds and quarters; smaller ones follow for when those do not fit."""
    sizes = _sizes(width)
    return [c for c in sizes if c == width or c <= -(-width // 2)]


def _doubling(most: int) -> list[int]:
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return sizes


def candidates(estimator: Estimator) -> Iterator[Schedule]:
    """Every sensible combination of sizes that may fit."""
    prepared = estimator.prepared
    config = prepared.target.config
    height, width = prepared.spaces.extents[-1]
    main = estimator.main
    ins = main.in_blocks if main is not None else 1
    depth = prepared.target.acc_source_depth if prepared.reads_tile else config.acc_depth
    shared = sum(work.shared is not None for work in prepared.terms)
    outs = prepared.out_blocks
    addend, tiles = estimator.gemm_addend
    shared += tiles
    for cols in _widths(width):
        fitted = False
        for rows in _sizes(height):
            place = estimator.place(rows, cols)
            if estimator.acc_need(place, 1) > depth:
                continue
            for group in _doubling(outs):
                slot = estimator.acc_need(place, group)
                acc = max(1, depth // max(1, slot))
                if slot > depth:
                    break
                chunks = _doubling(ins)
                if main is not None and not main.dense:
                    chunks = sorted({min(group, ins), ins} | {min(4 * group, ins)})
                for chunk in chunks:
                    orders = _orders(group, acc, outs)
                    pieces = -(-ins // chunk)
                    for packed in (0, pieces) if estimator.gaps(rows, cols) else (0,):
                        where = estimator.place(rows, cols, packed > 0)
                        options = _memory(estimator, where, group, chunk, shared, int(addend))
                        for inp_slots, wgt_slots in options:
                            for blocks, outer, acc_slots in orders:
                                fitted = True
                                yield Schedule(
                                    rows, cols, blocks, group, chunk, outer, inp_slots, wgt_slots,
                                    acc_slots, addend, packed=packed,
                                )  # fmt: skip
        if fitted and not -(-width // 4) < cols:
            return


def begun_early(estimator: Estimator) -> Iterator[Schedule]:
    """Schedules with accumulators for the whole layer and room for all of its input: every sum
    begins while the first data are on their way, then one group after the other ends."""
    prepared, main = estimator.prepared, estimator.main
    rows, cols = prepared.spaces.extents[-1]
    if main is None:
        return
    packed = estimator.gaps(rows, cols)
    place = estimator.place(rows, cols, packed)
    depth = prepared.target.acc_source_depth
    elems = place.piece_pixels[main.index] * main.in_blocks
    if place.count > 1 or elems > prepared.target.config.inp_depth:
        return
    shared = sum(work.shared is not None for work in prepared.terms)
    for group in _doubling(prepared.out_blocks):
        slots = -(-prepared.out_blocks // group)
        if slots == 1 or slots * estimator.acc_need(place, group) > depth:
            continue
        for chunk in _doubling(main.in_blocks):
            pieces = -(-main.in_blocks // chunk)
            most = (prepared.target.config.wgt_depth - shared) // (
                max(1, estimator.tiles_of(main, group, chunk))
            )
            if most >= 2:
                yield Schedule(
                    rows, cols, group, group, chunk, False, pieces, min(4, most), slots,
                    packed=pieces * packed,
                )  # fmt: skip


def _orders(group: int, acc: int, outs: int) -> list[tuple[int, bool, int]]:
    """Output blocks of a tile, whether they are outermost, and accumulator slots."""
    result = []
    for blocks in _doubling(outs):
        groups = -(-blocks // group)
        if group <= blocks and groups <= acc:
            slots = groups if groups > 1 else min(2, acc)
            result += [(blocks, o, slots) for o in ((False, True) if blocks < outs else (False,))]
    return result


def _memory(
    estimator: Estimator, place: Place, group: int, chunk: int, shared: int, inputs: int
) -> list[tuple[int, int]]:
    """Numbers of input and weight slots."""
    prepared = estimator.prepared
    config = prepared.target.config
    main = estimator.main
    if main is None:
        return [(1, 1)]
    piece = chunk * place.piece_pixels[main.index]
    chunks = -(-main.in_blocks // chunk)
    pieces = place.count * chunks
    others = min(len(prepared.terms) - 1, 2)
    inp = min((config.inp_depth - inputs) // max(1, piece), pieces + others, _MAX_SLOTS)
    tiles = estimator.tiles_of(main, group, chunk)
    parts = -(-prepared.out_blocks // group) * chunks
    wgt = min((config.wgt_depth - shared) // max(1, tiles), parts, _MAX_SLOTS)
    if inp < 1 or wgt < 1:
        return []
    inp_choices = {min(2, inp), inp} | {n for n in (chunks + 1, chunks + 2) if n <= inp}
    wgt_choices = {min(2, wgt), min(3, wgt), wgt}
    return [(i, w) for i in sorted(inp_choices) for w in sorted(wgt_choices)]
