"""Functions of one element, or of two that lie at the same place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vta_pynq.cpu_ops.registry import Allocate, Array, Attribute, Attributes, operator
from vta_pynq.cpu_ops.tables import TABLE_ATTRIBUTES, through_table

Real = Callable[[Array, Attributes], Array]


def _relu(x: Array, attributes: Attributes) -> Array:
    return np.maximum(x, x.dtype.type(0))


def _leaky_relu(x: Array, attributes: Attributes) -> Array:
    slope = x.dtype.type(attributes.get("alpha", 0.01))
    leaky: Array = np.where(x < 0, x * slope, x)
    return leaky


def _sigmoid(x: Array, attributes: Attributes) -> Array:
    # exp of a positive number would overflow.
    small = np.exp(-np.abs(x))
    one = x.dtype.type(1)
    result: Array = np.where(x < 0, small, one) / (one + small)
    return result


def _tanh(x: Array, attributes: Attributes) -> Array:
    return np.tanh(x)


def _exp(x: Array, attributes: Attributes) -> Array:
    return np.exp(x)


def _sqrt(x: Array, attributes: Attributes) -> Array:
    return np.sqrt(x)


def _unary(name: str, function: Real, doc: str, **attributes: Attribute) -> None:
    def implementation(
        inputs: Sequence[Any], attributes: Attributes, allocate: Allocate
    ) -> list[Array]:
        x: Array = inputs[0]
        if x.dtype in (np.int8, np.uint8) and "in_scale" in attributes:
            return [through_table(x, lambda real: function(real, attributes), attributes, allocate)]
        return [np.asarray(function(x, attributes))]

    implementation.__doc__ = doc
    operator(name, shared={**attributes, **TABLE_ATTRIBUTES})(implementation)


_unary("relu", _relu, "max(x, 0).")
_unary(
    "leaky_relu", _leaky_relu, "x, or alpha * x where x < 0.",
    alpha=Attribute("float", "slope of negative values; default 0.01"),
)  # fmt: skip
_unary("sigmoid", _sigmoid, "1 / (1 + exp(-x)).")
_unary("tanh", _tanh, "Hyperbolic tangent.")
_unary("exp", _exp, "e to the power of x.")
_unary("sqrt", _sqrt, "Square root; NaN below 0.")


@operator(
    "clip", (1, 3), optional=True,
    min=Attribute("float", "lower bound where there is no operand"),
    max=Attribute("float", "upper bound where there is no operand"),
)  # fmt: skip
def _clip(inputs: Sequence[Any], attributes: Attributes, allocate: Allocate) -> list[Array]:
    """x limited to bounds: the operands `min` and `max`, or attributes of these names."""
    x = inputs[0]
    low = inputs[1] if len(inputs) > 1 and inputs[1] is not None else attributes.get("min")
    high = inputs[2] if len(inputs) > 2 else attributes.get("max")
    result = np.asarray(x)
    if low is not None:
        result = np.maximum(result, np.asarray(low, x.dtype).reshape(()))
    if high is not None:
        result = np.minimum(result, np.asarray(high, x.dtype).reshape(()))
    return [result]


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if np.any(b == 0):
        raise ZeroDivisionError("integer division by zero")
    quotient = a // b
    # ONNX's integer division truncates, numpy's rounds down.
    wrong = (quotient < 0) & (quotient * b != a)
    return np.asarray(quotient + wrong.astype(a.dtype))


def _binary(name: str, function: Callable[[Array, Array], Array], doc: str) -> None:
    def implementation(
        inputs: Sequence[Any], attributes: Attributes, allocate: Allocate
    ) -> list[Array]:
        a, b = inputs
        if a.dtype != b.dtype:
            raise TypeError("dtypes differ")
        return [np.asarray(function(a, b))]

    implementation.__doc__ = doc
    operator(name, 2)(implementation)


_binary("add", np.add, "a + b, with numpy's broadcasting as all of these.")
_binary("sub", np.subtract, "a - b.")
_binary("mul", np.multiply, "a * b.")
_binary("div", _divide, "a / b; integers truncate.")
