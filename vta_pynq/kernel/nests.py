"""The `with` form of micro-op kernels: loops and micro-ops written as they run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from vta_pynq.errors import KernelError
from vta_pynq.kernel.lowering import Loop
from vta_pynq.kernel.plans import MicroOps, Operand

__all__ = ["KernelNest"]

Issue = Callable[[MicroOps, "tuple[Loop, ...]"], None]


class KernelNest:
    """Collects micro-ops and the loops around them; made by `KernelBuilder.gemm` and `.alu`.

    Micro-ops stand in the innermost loop. Loops that follow each other are instructions that
    follow each other. Two loops fit one instruction; further ones are unrolled.
    """

    def __init__(self, name: str, issue: Issue) -> None:
        self._name, self._issue = name, issue
        self._loops: list[Loop] = []
        self._uops: list[tuple[Operand, Operand, Operand]] = []
        self._closed = False  # a loop has ended inside the current one

    @contextlib.contextmanager
    def loop(self, count: int, dst: int = 0, src: int = 0, wgt: int = 0) -> Iterator[None]:
        """Repeat the micro-ops inside `count` times, indices growing by these steps.

        Raises
        ------
        KernelError
            Micro-ops stand before this loop in the same loop.
        """
        if self._uops and self._loops:
            raise self._misplaced()
        self.flush()
        self._loops.append((count, dst, src, wgt))
        self._closed = False
        yield
        self.flush()
        self._loops.pop()
        self._closed = bool(self._loops)

    def uop(self, dst: Operand, src: Operand = 0, wgt: Operand = 0) -> None:
        """Append a micro-op, or several given as arrays.

        Raises
        ------
        KernelError
            A loop stands before it in the same loop.
        """
        if self._closed:
            raise self._misplaced()
        self._uops.append((dst, src, wgt))

    def _misplaced(self) -> KernelError:
        return KernelError(
            f"{self._name}: micro-ops must stand in the innermost loop, not beside a loop; "
            "use a kernel of its own for them"
        )

    def flush(self) -> None:
        """Issue what was collected."""
        if not self._uops:
            return
        parts = [MicroOps(*uop) for uop in self._uops]
        self._uops = []
        uops = parts[0]
        if len(parts) > 1:
            uops = MicroOps(
                *(
                    np.concatenate([getattr(p, name) for p in parts])
                    for name in ("dst", "src", "wgt")
                )
            )
        self._issue(uops, tuple(self._loops))
