"""GEMM and ALU operations, planned once for each form."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt

from host_compiler.lower.ahead import Ahead
from vta_pynq.isa.table import AluOp
from vta_pynq.kernel import MicroOps, Plan

__all__ = ["Issuer"]

Ints = npt.NDArray[np.int64]
Loop = tuple[int, int, int, int]


class Issuer:
    """Issues operations and keeps their plans."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._plans: dict[Hashable, list[Plan]] = {}

    def known(self, key: Hashable) -> bool:
        """Whether plans are kept under a key; if so they are issued."""
        plans = self._plans.get(key)
        for plan in plans or ():
            self._ahead.issue(plan)
        return plans is not None

    def keep(self, key: Hashable, plans: list[Plan]) -> None:
        """Keep plans under a key, and issue them."""
        self._plans[key] = plans
        self.known(key)

    def gemm(
        self, dst: Ints, src: Ints | int, wgt: Ints | int, loops: tuple[Loop, ...],
        reset: bool = False,
    ) -> None:  # fmt: skip
        """Issue a GEMM."""
        key = ("gemm", reset, dst.tobytes(), _key(src), _key(wgt), loops)
        if not self.known(key):
            uops = MicroOps(dst, src, wgt)
            self.keep(key, [self._ahead.plan_gemm(uops, *_kept(loops), reset=reset)])

    def alu(
        self, op: AluOp, imm: int | None, dst: Ints, src: Ints, loops: tuple[Loop, ...]
    ) -> None:
        """Issue an ALU operation."""
        key = (op, imm, dst.tobytes(), src.tobytes(), loops)
        if not self.known(key):
            uops = MicroOps(dst, src)
            self.keep(key, [self._ahead.plan_alu(op, uops, *_kept(loops), imm=imm)])


def _key(values: Ints | int) -> Hashable:
    return values if isinstance(values, int) else values.tobytes()


def _kept(loops: tuple[Loop, ...]) -> tuple[Loop, ...]:
    """Loops that run more than once; a step of a single iteration may be anything."""
    return tuple(loop for loop in loops if loop[0] > 1)
