"""Vector addition on the ALU: c = low 8 bits of (a + b), a and b 32-bit."""

from __future__ import annotations

from vta_pynq import HwConfig
from vta_pynq.isa.table import AluOp, MemType
from vta_pynq.kernel import Kernel, KernelBuilder
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["build_vector_add"]


def build_vector_add(config: HwConfig, elems: int, profile: str = DEFAULT_PROFILE) -> Kernel:
    """A kernel with buffers `a`, `b` (int32) and `c` (int8) of `elems` x batch x block values."""
    builder = KernelBuilder(config, profile, auto_sync=True, name="vector_add")
    a = builder.dram("a", MemType.ACC, elems)
    b = builder.dram("b", MemType.ACC, elems)
    c = builder.dram("c", MemType.OUT, elems)
    # Source operands lie low: the published design's ALU sees as many of them as inputs.
    half = min(config.acc_depth // 2, config.inp_depth)
    for begin in range(0, elems, half):
        count = min(half, elems - begin)
        builder.load(MemType.ACC, 0, b[begin], x=count)
        builder.load(MemType.ACC, half, a[begin], x=count)
        with builder.alu(AluOp.ADD) as k, k.loop(count, dst=1, src=1):
            k.uop(dst=half, src=0)
        builder.store(half, c[begin], x=count)
    return builder.build()
