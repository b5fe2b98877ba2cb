"""Matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.windows import WINDOW_ATTRIBUTES, window_of
from vta_pynq.errors import ShapeError

_INT8 = (np.dtype(np.int8), np.dtype(np.uint8))
_ZERO_POINT = Attribute("int", "zero point of the first operand where it is 8-bit; default 0")


def _operands(inputs: Sequence[Any], attributes: Attributes) -> tuple[Array, Array, bool]:
    """Both factors as real numbers in which integers are exact, and whether they are integers."""
    x, w = inputs[0], inputs[1]
    if x.dtype in _INT8 and w.dtype in _INT8:
        # float64 products run on BLAS and are exact below 2^53; integer ones do not use it.
        shift = float(attributes.get("x_zero_point", 0))
        return x.astype(np.float64) - shift, w.astype(np.float64), True
    if x.dtype != w.dtype or x.dtype.kind != "f":
        raise ShapeError(
            f"operands must both be real or both 8-bit, not {x.dtype} and {w.dtype}; "
            "compile the model again"
        )
    return x, w, False


def _result(total: Array, whole: bool) -> Array:
    # Sums are modulo 2^32 as in the accelerator's accumulators.
    return total.astype(np.int64).astype(np.int32) if whole else total


@operator("matmul", 2, x_zero_point=_ZERO_POINT)
def _matmul(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Matrix product; int8 and uint8 operands give int32."""
    a, b, whole = _operands(inputs, attributes)
    return [_result(np.asarray(np.matmul(a, b)), whole)]


@operator(
    "gemm", (2, 3),
    alpha=Attribute("float", "factor of the product; default 1"),
    beta=Attribute("float", "factor of the addend; default 1"),
    transA=Attribute("int", "1 transposes A; default 0"),
    transB=Attribute("int", "1 transposes B; default 0"),
)  # fmt: skip
def _gemm(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """alpha * A B + beta * C for real matrices."""
    a, b = inputs[:2]
    if a.ndim != 2 or b.ndim != 2 or a.dtype.kind != "f":
        raise ShapeError("A and B must be real matrices; compile the model again")
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    total = np.matmul(a, b)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if alpha != 1:
        total = total * a.dtype.type(alpha)
    if len(inputs) > 2:
        addend = inputs[2] if beta == 1 else inputs[2] * a.dtype.type(beta)
        total = total + np.broadcast_to(addend, total.shape)
    return [np.asarray(total)]


@operator(
    "conv", (2, 3), shared=WINDOW_ATTRIBUTES, x_zero_point=_ZERO_POINT,
    group=Attribute("int", "groups of channels; default 1", least=1),
)  # fmt: skip
def _conv(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """Convolution: x, w, bias. 8-bit operands give int32 (bias int32); padding is a real 0."""
    x, w, whole = _operands(inputs, attributes)
    group = int(attributes.get("group", 1))
    if w.ndim != 4 or x.ndim != 4 or x.shape[1] != w.shape[1] * group or w.shape[0] % group:
        raise ShapeError(
            f"weight must fit {x.shape[1:2]} channels in {group} groups, not {list(w.shape)}; "
            "compile the model again"
        )
    window = window_of(x, attributes, (w.shape[2], w.shape[3]))
    views = window.views(x, 0)
    n, channels, oh, ow = views.shape[:4]
    inside, outside = channels // group, w.shape[0] // group
    total = np.empty((n, w.shape[0], oh, ow), x.dtype)
    for g in range(group):
        taps = np.moveaxis(views[:, g * inside : (g + 1) * inside], 1, 3)
        rows = taps.reshape(n * oh * ow, inside * w.shape[2] * w.shape[3])
        block = slice(g * outside, (g + 1) * outside)
        product = rows @ w[block].reshape(outside, rows.shape[1]).T
        total[:, block] = np.moveaxis(product.reshape(n, oh, ow, outside), 3, 1)
    result = _result(total, whole)
    if len(inputs) > 2:
        bias = inputs[2]
        if bias.dtype != result.dtype or bias.shape != (w.shape[0],):
            raise ShapeError(
                f"bias must be {result.dtype}[{w.shape[0]}], not {bias.dtype}{list(bias.shape)}; "
                "compile the model again"
            )
        result = result + bias[None, :, None, None]
    return [result]
