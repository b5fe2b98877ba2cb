"""From a micro-op kernel with any loops to instructions that the hardware can hold and run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import LOOP_BITS, AluOp
from vta_pynq.kernel.hazards import (
    Indices,
    Nest,
    Reuse,
    cut,
    find_hazard,
    interleaved,
    occurrences,
)
from vta_pynq.kernel.requant import Requant
from vta_pynq.timing.profiles import HwProfile

__all__ = ["Hazards", "Loop", "Operation", "check_ranges", "lower"]

Loop = tuple[int, int, int, int]
"""Iterations, then the step of destination, source and weight index in each."""

Hazards = Literal["split", "error"]

_MAX_ITERATIONS = (1 << LOOP_BITS) - 1
_MAX_PIECES = 1 << 16
_COMMUTING = frozenset({AluOp.MIN, AluOp.MAX, AluOp.ADD, AluOp.MUL})


@dataclasses.dataclass(frozen=True)
class Operation:
    """What a kernel does with its indices: an ALU operation, REQUANT, or GEMM."""

    op: AluOp | None = None
    imm: int | None = None
    reset: bool = False
    requant: Requant | None = None
    acc_depth: int = 1 << 32
    """Accumulators, where the index of a multiplier wraps."""

    @property
    def name(self) -> str:
        """For messages."""
        if self.requant is not None:
            return "REQUANT"
        return "GEMM" if self.op is None else f"ALU {self.op.name}"

    @property
    def is_gemm(self) -> bool:
        """Whether the operation multiplies inputs by weights, or resets."""
        return self.op is None and self.requant is None

    @property
    def sources(self) -> tuple[int, ...]:
        """The accumulators that a source index stands for, as distances from it."""
        if self.requant is not None:
            return self.requant.sources
        return () if self.op is None or self.imm is not None else (0,)

    def reuse(self, profile: HwProfile) -> Reuse:
        """The distances that an instruction must keep. A reset reads no accumulator."""
        if self.is_gemm:
            return Reuse(1 if self.reset else profile.gemm_acc_distance, 1)
        if self.imm is not None:
            return Reuse(profile.alu_imm_distance, 1)
        src = profile.alu_src_distance if self.sources else 1
        return Reuse(profile.alu_dst_distance, src, self.sources, self.acc_depth)

    def order_free(self, nest: Nest) -> bool:
        """Whether the micro-ops may run in any order.

        Accumulation commutes modulo 2^n, and what reads no other accumulator does the same to
        every destination.
        """
        if not self.sources:
            return True
        if nest.total > _MAX_PIECES:
            return False
        flat = nest.flat()
        reads = Reuse(1, 1, self.sources, self.acc_depth).read(flat.src)
        if any(np.isin(read, flat.dst).any() for read in reads):
            return False
        return self.op in _COMMUTING or len(np.unique(flat.dst)) == len(flat.dst)


def check_ranges(
    config: HwConfig,
    profile: HwProfile,
    what: Operation,
    uops: tuple[Indices, Indices, Indices],
    loops: Sequence[Loop],
) -> None:
    """Refuse a kernel that reaches outside its buffers.

    Raises
    ------
    KernelError
        An index is out of range; the message names operand, buffer and largest index.
    """
    where = what.name
    for count, *_ in loops:
        if count < 1:
            raise KernelError(f"{where}: loop count must be at least 1, not {count}")
    if not len(uops[0]):
        raise KernelError(f"{where}: kernel must have at least one micro-op, not 0")
    limits = [("dst", "accumulator", config.acc_depth)]
    if what.is_gemm:
        limits.append(("src", "input", config.inp_depth))
        limits.append(("wgt", "weight", config.wgt_depth))
    elif what.sources:
        narrow = profile.alu_src_limit and config.inp_depth < config.acc_depth
        limits.append(("src", "accumulator", config.inp_depth if narrow else config.acc_depth))
    for column, (name, buffer, depth) in enumerate(limits):
        steps = [(loop[0] - 1) * loop[column + 1] for loop in loops]
        low = int(uops[column].min()) + sum(s for s in steps if s < 0)
        high = int(uops[column].max()) + sum(s for s in steps if s > 0)
        if low < 0 or high >= depth:
            raise KernelError(
                f"{where}: {name} index must be in 0..{depth - 1} ({buffer} buffer of "
                f"{config.name}, profile {profile.name}), not {low if low < 0 else high}; "
                "use a smaller tile"
            )


def lower(
    profile: HwProfile,
    uop_depth: int,
    what: Operation,
    uops: tuple[Indices, Indices, Indices],
    loops: Sequence[Loop],
    hazards: Hazards,
) -> list[Nest]:
    """Instructions that together do the work of `loops` (outermost first) around `uops`.

    Each has at most two loops whose counts and steps fit, at most `uop_depth` micro-ops, and no
    accumulator reuse that the profile forbids.

    Raises
    ------
    KernelError
        A hazard with `hazards="error"`, or work that would take more than 65,536 instructions.
    """
    kept = [loop for loop in loops if loop[0] > 1]
    reuse = what.reuse(profile)
    pieces: list[Nest] = []
    for nest in _fitting(what, Nest(*uops), kept, uop_depth):
        found = find_hazard(nest, reuse)
        if found is None:
            pieces.append(nest)
        elif hazards == "error":
            raise KernelError(
                f"{what.name}: accumulator {found[0]} must be used again no earlier than "
                f"{max(reuse.dst, reuse.src)} micro-ops after it was written (profile "
                f"{profile.name}), not {found[1]}; put another index innermost or use "
                'hazards="split"'
            )
        else:
            pieces.extend(_without_hazard(nest, what, reuse, uop_depth))
        if len(pieces) > _MAX_PIECES:
            raise _too_long(what)
    return pieces


def _too_long(what: Operation) -> KernelError:
    return KernelError(
        f"{what.name}: kernel must fit {_MAX_PIECES} instructions, not more; "
        "use fewer loops or larger steps"
    )


def _shift(nest: Nest, loop: Loop, times: int) -> Nest:
    return dataclasses.replace(
        nest,
        dst=nest.dst + times * loop[1],
        src=nest.src + times * loop[2],
        wgt=nest.wgt + times * loop[3],
    )


def _unroll(uops: Nest, loop: Loop) -> Nest:
    """Micro-ops repeated for each iteration of an innermost loop."""
    return dataclasses.replace(uops, inner=loop).flat()


def _fitting(what: Operation, uops: Nest, loops: list[Loop], uop_depth: int) -> Iterator[Nest]:
    """Nests that fit the fields, in an order that gives the same result."""
    loops = list(loops)
    free = _whole_is_free(what, uops, loops)
    for at, loop in enumerate(loops):
        if min(loop[1:]) < 0 and max(loop[1:]) <= 0 and free:  # count the other way
            uops = _shift(uops, loop, loop[0] - 1)
            loops[at] = (loop[0], -loop[1], -loop[2], -loop[3])
    while loops and (len(loops) > 2 or not _fits(loops[-1])):
        if loops[-1][0] * len(uops) > uop_depth:
            break
        uops = _unroll(uops, loops.pop())
    if (len(loops) > 2 or not all(map(_fits, loops))) or (
        len(uops) > uop_depth and loops and not free
    ):
        yield from _peel(what, uops, loops, uop_depth)
        return
    padded: list[Loop] = [(1, 0, 0, 0)] * (2 - len(loops)) + loops
    for begin in range(0, len(uops), uop_depth):
        piece = uops.pick(slice(begin, begin + uop_depth))
        yield dataclasses.replace(piece, outer=padded[0], inner=padded[1])


def _peel(what: Operation, uops: Nest, loops: list[Loop], uop_depth: int) -> Iterator[Nest]:
    """One group of instructions for each iteration, or chunk, of the outermost loop."""
    loop, rest = loops[0], loops[1:]
    chunk = 1
    if len(loops) <= 2 and all(map(_fits, rest)) and min(loop[1:]) >= 0 and len(uops) <= uop_depth:
        chunk = _MAX_ITERATIONS
    if -(-loop[0] // chunk) > _MAX_PIECES:
        raise _too_long(what)
    for begin in range(0, loop[0], chunk):
        count = min(chunk, loop[0] - begin)
        yield from _fitting(
            what,
            _shift(uops, loop, begin),
            [*([(count, *loop[1:])] if count > 1 else []), *rest],
            uop_depth,
        )


def _fits(loop: Loop) -> bool:
    # A step that is too large for its field leaves the buffer in the second iteration, so the
    # range check has refused it.
    return loop[0] <= _MAX_ITERATIONS and min(loop[1:]) >= 0


def _whole_is_free(what: Operation, uops: Nest, loops: Sequence[Loop]) -> bool:
    if not what.sources:
        return True
    total = len(uops)
    for loop in loops:
        total *= loop[0]
        if total > _MAX_PIECES:
            return False
        uops = _unroll(uops, loop)  # the order does not matter here, only the set
    return what.order_free(uops)


def _without_hazard(nest: Nest, what: Operation, reuse: Reuse, uop_depth: int) -> list[Nest]:
    """The nest in an order, or in pieces, that keep the distances."""
    if what.order_free(nest):
        spread = interleaved(nest)
        for candidate in (nest.swapped(), spread, spread.swapped()):
            if find_hazard(candidate, reuse) is None:
                return [candidate]
        groups = occurrences(nest.dst)
        parts = [nest.pick(np.flatnonzero(groups == k)) for k in range(int(groups.max()) + 1)]
        for swap in (False, True):
            candidates = [part.swapped() if swap else part for part in parts]
            if all(find_hazard(part, reuse) is None for part in candidates):
                return candidates
    if nest.total > _MAX_PIECES:
        raise _too_long(what)
    flat = nest.flat()
    if what.order_free(nest):
        flat = interleaved(flat)
    return [
        piece.pick(slice(begin, begin + uop_depth))
        for piece in cut(flat, reuse)
        for begin in range(0, len(piece), uop_depth)
    ]
