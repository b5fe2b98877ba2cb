"""The formulas of `HwConfig` and of the table's widths as C expressions.

They are not written down a second time: the Python functions are called with symbols in place of
numbers, and the symbols note what is done to them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any, cast

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import Field

__all__ = ["PRIMARY", "Naming", "derived_formulas", "digest", "width_formula"]

PRIMARY = tuple(
    field.name for field in dataclasses.fields(HwConfig) if field.name.startswith("log_")
)
"""The nine primary parameters, as `HwConfig` names them."""

Naming = Callable[[str], str]
"""Gives the C name of a primary or derived number."""


@dataclasses.dataclass(frozen=True)
class _Symbol:
    """An integer that is not known yet, as C text."""

    text: str

    def _with(self, operator: str, other: object, swapped: bool = False) -> _Symbol:
        left, right = self.text, str(other.text if isinstance(other, _Symbol) else other)
        if swapped:
            left, right = right, left
        if operator in "+-" and left.startswith("(") and _is_sum(left):
            left = left[1:-1]
        return _Symbol(f"({left} {operator} {right})")

    def __add__(self, other: object) -> _Symbol:
        return self._with("+", other)

    def __radd__(self, other: object) -> _Symbol:
        return self._with("+", other, swapped=True)

    def __sub__(self, other: object) -> _Symbol:
        return self._with("-", other)

    def __mul__(self, other: object) -> _Symbol:
        return self._with("*", other)

    def __rmul__(self, other: object) -> _Symbol:
        return self._with("*", other, swapped=True)

    def __floordiv__(self, other: object) -> _Symbol:
        return self._with("/", other)

    def __rlshift__(self, other: object) -> _Symbol:
        return self._with("<<", other, swapped=True)

    def __gt__(self, other: object) -> bool:
        raise TypeError("a comparison of symbols has no value")

    __lt__ = __ge__ = __le__ = __gt__


def _is_sum(text: str) -> bool:
    """Whether `(…)` is one sum, so that it may lose its parentheses as a left operand."""
    inside, depth = text[1:-1], 0
    for character in inside:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return not any(operator in inside for operator in ("<<", "*", "/", "?"))


class _SymbolicConfig:
    """Stands in for a `HwConfig`; every number of it is a symbol."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def __getattr__(self, name: str) -> _Symbol:
        if not hasattr(HwConfig, name):
            raise AttributeError(name)
        return _Symbol(self._naming(name))


def _text(value: object) -> str:
    text = value.text if isinstance(value, _Symbol) else str(value)
    return text[1:-1] if text.startswith("(") and _balanced(text[1:-1]) else text


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return True


def derived_formulas(naming: Naming) -> dict[str, tuple[str, str]]:
    """Every derived number of `HwConfig`: its formula in terms of the others, and its meaning."""
    config = _SymbolicConfig(naming)
    formulas = {}
    for name, member in vars(HwConfig).items():
        if not isinstance(member, property) or member.fget is None:
            continue
        try:
            text = _text(member.fget(config))
        except TypeError:  # the one maximum: which of the two is larger is for C to find out
            acc, inp = naming("log_acc_depth"), naming("log_inp_depth")
            text = f"{acc} > {inp} ? {acc} : {inp}"
        formulas[name] = text, " ".join((member.__doc__ or "").split()).rstrip(".")
    return formulas


def width_formula(field: Field, naming: Naming) -> str:
    """A field's width as a C expression."""
    return _text(cast("Callable[[Any], object]", field.width)(_SymbolicConfig(naming)))


def digest(body: str) -> str:
    """The hash that a banner names: it changes when the table or the configuration do."""
    return hashlib.sha256(body.encode()).hexdigest()[:16]
