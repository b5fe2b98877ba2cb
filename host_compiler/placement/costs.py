"""What operators cost on the processor of a board, in cycles of the accelerator's clock.

Assumptions, stated rather than measured on a board: one core of the Cortex-A9 of a Zynq-7020 at
650 MHz, the C kernels of `cpu_ops` with NEON, data from DRAM. Each figure is nanoseconds per
element that is read or written, plus the call of one step. The accelerator runs at 100 MHz.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from vta_pynq.program import PROCESSOR_CYCLE_NS

__all__ = ["STEP_NS", "cpu_cycles", "packing_cycles"]

STEP_NS = 20_000.0
"""Interpreter and call overhead of one processor step, and synchronising caches around it."""

_NS_PER_ELEMENT = {
    "identity": 0.5,
    "reshape": 0.0,
    "unpack": 3.0,
    "quantize": 8.0,
    "dequantize": 3.0,
    "requantize": 10.0,
    "concat": 2.0,
    "pad": 3.0,
    "slice": 2.0,
    "split": 2.0,
    "transpose": 6.0,
    "max_pool": 12.0,
    "average_pool": 12.0,
    "global_average_pool": 4.0,
    "resize_nearest": 4.0,
    "resize_linear": 25.0,
    "softmax": 60.0,
    "log_softmax": 70.0,
    "sigmoid": 40.0,
    "tanh": 50.0,
    "exp": 40.0,
    "argmax": 4.0,
}
_OTHER_NS = 6.0
_NS_PER_LANE = 3.0
_NS_PER_STORED_BYTE = 0.3
_NS_PER_MAC = 2.0
_PRODUCTS = ("matmul", "gemm", "conv")


def cpu_cycles(op: str, elements: Iterable[int], macs: int = 0) -> int:
    """Estimated accelerator cycles of an operator.

    `elements` are the sizes of its variable operands and results, `macs` the multiplications of
    a matrix product or convolution.
    """
    per_element = _NS_PER_ELEMENT.get(op, _OTHER_NS)
    ns = STEP_NS + per_element * sum(elements)
    if op in _PRODUCTS:
        ns += _NS_PER_MAC * macs
    return math.ceil(ns / PROCESSOR_CYCLE_NS)


def packing_cycles(gathered: int, stored: int) -> int:
    """Estimated cycles of packing: `gathered` bytes are fetched one by one, `stored` are written
    in all, fill included."""
    ns = STEP_NS + _NS_PER_LANE * gathered + _NS_PER_STORED_BYTE * stored
    return math.ceil(ns / PROCESSOR_CYCLE_NS)
