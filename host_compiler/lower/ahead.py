"""A layer's operations, held back until all are known, so that micro-ops are loaded together.

A load of micro-ops has a fixed cost of about 50 cycles. Where operations that follow each other
need new ones, they come in one load with those of the operations after them.
"""

from __future__ import annotations

import itertools

from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import DramBuffer, DramView, KernelBuilder, MicroOps, Plan

__all__ = ["Ahead"]

_TOGETHER = 1024
"""Micro-ops of one load, about: what comes first must not wait long for what comes later."""
_LOOK_AHEAD = 256
"""Operations that are looked at for more to load."""

Place = DramBuffer | DramView


class Ahead:
    """Takes the operations of a layer and appends them to a builder when it is flushed."""

    def __init__(self, builder: KernelBuilder, uop_depth: int) -> None:
        self._builder = builder
        self._together = min(_TOGETHER, uop_depth // 4)
        self._queue: list[Plan | tuple[MemType, int, Place, int, int, int | None]] = []

    def load(
        self, mem: MemType, sram: int, source: Place, y: int = 1, x: int = 1,
        stride: int | None = None,
    ) -> None:  # fmt: skip
        """A load, as `KernelBuilder.load` takes it."""
        self._queue.append((mem, sram, source, y, x, stride))

    def store(
        self, sram: int, target: Place, y: int = 1, x: int = 1, stride: int | None = None
    ) -> None:
        """A store, as `KernelBuilder.store` takes it."""
        self._queue.append((MemType.OUT, sram, target, y, x, stride))

    def issue(self, plan: Plan) -> None:
        """A GEMM or ALU operation."""
        self._queue.append(plan)

    def plan_gemm(
        self, uops: MicroOps, *loops: tuple[int, int, int, int], reset: bool = False
    ) -> Plan:
        """The plan of a GEMM."""
        return self._builder.plan_gemm(uops, *loops, reset=reset)

    def plan_alu(
        self, op: AluOp, uops: MicroOps, *loops: tuple[int, int, int, int], imm: int | None
    ) -> Plan:
        """The plan of an ALU operation."""
        return self._builder.plan_alu(op, uops, *loops, imm=imm)

    def flush(self) -> None:
        """Append everything."""
        builder = self._builder
        plans = [entry for entry in self._queue if isinstance(entry, Plan)]
        number = 0
        for entry in self._queue:
            if isinstance(entry, Plan):
                if builder.missing(entry):
                    self._prefetch(plans, number)
                builder.issue(entry)
                number += 1
                continue
            mem, sram, place, y, x, stride = entry
            if mem == MemType.OUT:
                builder.store(sram, place, y, x, stride)
            else:
                builder.load(mem, sram, place, y, x, stride)
        self._queue.clear()

    def _prefetch(self, plans: list[Plan], first: int) -> None:
        """Load what an operation needs, and what those after it need."""
        chosen, size = dict[int, Plan](), 0
        for plan in itertools.islice(plans, first, first + _LOOK_AHEAD):
            if id(plan) in chosen:
                continue
            more = self._builder.missing(plan)
            if chosen and size + more > self._together:
                break
            if more:
                chosen[id(plan)] = plan
                size += more
        self._builder.prefetch(chosen.values())
