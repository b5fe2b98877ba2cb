"""The table of processor operators: names, attributes, numbers of inputs.

The registry is the truth for what a program file may ask of the processor. Operators follow
ONNX of the same name unless their description says otherwise; constant operands come after the
variable ones, in ONNX's order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError, ShapeError, VtaError

__all__ = [
    "ABSENT",
    "OPERATORS",
    "Allocate",
    "Array",
    "Attribute",
    "Attributes",
    "CpuOperator",
    "operator",
    "run",
    "validate",
]

Array = npt.NDArray[Any]
Attributes = Mapping[str, Any]
Allocate = Callable[[Sequence[int], npt.DTypeLike], Array]
"""Gives the array of a shape and dtype that a result goes to: the caller's where it fits."""
Implementation = Callable[[Sequence[Any], Attributes, Allocate], list[Array]]

ABSENT = "absent"
"""Attribute of operators with optional operands: the positions in ONNX's list left out."""

_KINDS = ("int", "float", "str", "ints", "floats", "scale")
_MAX_INT = 1 << 63


@dataclasses.dataclass(frozen=True)
class Attribute:
    """One attribute: `kind` is "int", "float", "str", "ints", "floats" or "scale".

    "scale" is one float, or a list of them along `axis`. A `required` attribute has no default.
    Numbers are at least `least`.
    """

    kind: str
    doc: str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None

    def __post_init__(self) -> None:
        assert self.kind in _KINDS, self.kind


@dataclasses.dataclass(frozen=True)
class CpuOperator:
    """One operator: `least` to `most` inputs (None: any number), attributes, function."""

    name: str
    least: int
    most: int | None
    attributes: Mapping[str, Attribute]
    implementation: Implementation
    doc: str

    @property
    def inputs_text(self) -> str:
        """How many inputs there may be, in words."""
        if self.most is None:
            return f"at least {self.least}"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


OPERATORS: dict[str, CpuOperator] = {}
"""Every operator by name."""

_ABSENT_RULE = Attribute("ints", "positions of the operands that are left out", least=1)


def operator(
    name: str,
    inputs: int | tuple[int, int | None] = 1,
    *,
    optional: bool = False,
    shared: Mapping[str, Attribute] | None = None,
    **attributes: Attribute,
) -> Callable[[Implementation], Implementation]:
    """Register the decorated function as the operator `name`; its docstring describes it.

    With `optional` operands may be left out: the function gets None for those before the last
    one that is given. `shared` are attributes that several operators have.
    """

    def register(function: Implementation) -> Implementation:
        assert name not in OPERATORS, name
        least, most = (inputs, inputs) if isinstance(inputs, int) else inputs
        doc = (function.__doc__ or "").strip()
        rules = {**attributes, **(shared or {}), **({ABSENT: _ABSENT_RULE} if optional else {})}
        OPERATORS[name] = CpuOperator(name, least, most, rules, function, doc)
        return function

    return register


# ---- checking --------------------------------------------------------------------------------


def _is_number(value: Any, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return -_MAX_INT <= value < _MAX_INT
    return not whole and isinstance(value, float)


def _fits(value: Any, kind: str) -> bool:
    if kind == "str":
        return isinstance(value, str)
    if kind in ("int", "float"):
        return _is_number(value, kind == "int")
    if kind == "scale" and _is_number(value, False):
        return True
    return isinstance(value, (list, tuple)) and all(_is_number(v, kind == "ints") for v in value)


def _check_attribute(where: str, name: str, rule: Attribute, value: Any) -> None:
    if not _fits(value, rule.kind):
        shown = repr(value)[:60]
        raise ProgramError(
            f"{where}: {name} must be {rule.kind}, not {shown}; compile the model again"
        )
    if rule.choices and value not in rule.choices:
        raise ProgramError(
            f"{where}: {name} must be one of {', '.join(rule.choices)}, not {value!r}; "
            "compile the model again"
        )
    numbers = value if isinstance(value, (list, tuple)) else [value]
    if rule.least is not None and any(number < rule.least for number in numbers):
        raise ProgramError(
            f"{where}: {name} must be at least {rule.least:g}, not {value!r}; "
            "compile the model again"
        )


def validate(op: str, attributes: Attributes, inputs: int) -> None:
    """Check a step before it is run.

    Parameters
    ----------
    op, attributes
        Name and attributes of the operator.
    inputs
        How many operands are given.

    Raises
    ------
    ProgramError
        There is no such operator, or attributes or the number of inputs do not fit it.
    """
    found = OPERATORS.get(op)
    if found is None:
        raise ProgramError(
            f"operator must be one of this version's {len(OPERATORS)}, not {op!r}; "
            "install a newer vta-pynq or compile the model again"
        )
    where = f"operator {op}"
    if inputs < found.least or (found.most is not None and inputs > found.most):
        raise ProgramError(
            f"{where}: inputs must number {found.inputs_text}, not {inputs}; "
            "compile the model again"
        )
    for name, value in attributes.items():
        rule = found.attributes.get(name)
        if rule is None:
            known = ", ".join(found.attributes) or "none"
            raise ProgramError(
                f"{where}: attribute must be one of {known}, not {name!r}; compile the model again"
            )
        _check_attribute(where, name, rule, value)
    for name, rule in found.attributes.items():
        if rule.required and name not in attributes:
            raise ProgramError(
                f"{where}: attribute {name} must be given, not left out; compile the model again"
            )
    _check_absent(found, attributes, inputs)


def _check_absent(found: CpuOperator, attributes: Attributes, inputs: int) -> None:
    absent = attributes.get(ABSENT, ())
    count = inputs + len(absent)
    if absent and (
        len(set(absent)) != len(absent)
        or max(absent) >= count
        or (found.most is not None and count > found.most)
    ):
        raise ProgramError(
            f"operator {found.name}: {ABSENT} must name different operands before the last one, "
            f"not {list(absent)}; compile the model again"
        )


# ---- running ---------------------------------------------------------------------------------


class _Targets:
    """Hands out the caller's result arrays, in order, where they fit."""

    def __init__(self, out: Sequence[Array], inputs: Sequence[Array]) -> None:
        self._left = list(out)
        self._inputs = inputs

    def __call__(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        target = self._left.pop(0) if self._left else None
        size = math.prod(shape)
        if (
            target is None
            or target.dtype != np.dtype(dtype)
            or target.size != size
            or not (target.flags.c_contiguous and target.flags.writeable)
            # An operator may write a result before it has read all operands.
            or any(np.may_share_memory(target, x) for x in self._inputs)
        ):
            return np.empty(shape, dtype)
        return np.asarray(target).reshape(shape)


def run(
    op: str, inputs: Sequence[Array], attributes: Attributes, out: Sequence[Array] = ()
) -> list[Array]:
    """Run an operator.

    Parameters
    ----------
    op, attributes
        Name and attributes of the operator.
    inputs
        Operands in order; any strides, never written.
    out
        Arrays that results may be written to: where one fits (size and dtype, contiguous, apart
        from the operands) and the operator can, its result is a view of it. A result that is
        not must be copied by the caller.

    Returns
    -------
    list
        The results in order. One may be a view of an operand.

    Raises
    ------
    ProgramError
        `validate` refuses the call, or an attribute does not fit the operands.
    ShapeError
        Shapes or dtypes of the inputs do not fit each other.
    """
    validate(op, attributes, len(inputs))
    given = [np.asarray(x) for x in inputs]
    operands: list[Array | None] = list(given)
    for position in sorted(attributes.get(ABSENT, ())):
        operands.insert(position, None)
    try:
        with np.errstate(all="ignore"):
            results = OPERATORS[op].implementation(operands, attributes, _Targets(out, given))
            return [np.asarray(result) for result in results]
    except VtaError as error:
        error.args = (f"operator {op}: {error}",)
        raise
    except (ValueError, TypeError, IndexError, ArithmeticError, AttributeError) as error:
        shapes = ", ".join(f"{x.dtype}{list(x.shape)}" for x in given)
        reason = " ".join(str(error).split())[:200]
        raise ShapeError(
            f"operator {op}: inputs must fit each other and the attributes, not {shapes} "
            f"({reason}); compile the model again"
        ) from error
    except MemoryError:
        raise ProgramError(
            f"operator {op}: result must fit the memory; compile the model again"
        ) from None
