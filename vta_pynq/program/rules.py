"""The rules for single values of a program: numbers, names, text, attribute trees.

Compiler and file reader go through the same rules, so that whatever can be built can be saved,
and whatever can be loaded could have been built. Every value may have any type here: it may come
from hostile JSON.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Union

import numpy as np

from vta_pynq.errors import ProgramError

__all__ = [
    "AttributeValue",
    "Attributes",
    "at",
    "finite",
    "frozen_attributes",
    "integer",
    "items",
    "pattern",
    "shown",
    "text",
]

AttributeValue = Union[
    None, bool, int, float, str, "tuple[AttributeValue, ...]", "Mapping[str, AttributeValue]"
]
"""What an attribute may be: JSON with finite numbers, arrays as tuples."""
Attributes = Mapping[str, AttributeValue]
"""The attributes of a CPU step, by name."""

NAME_CHARS = 256
TEXT_CHARS = 1 << 16
INT_LIMIT = 1 << 63
ATTRIBUTE_DEPTH = 8
_SHOWN_CHARS = 60


def shown(value: object) -> str:
    """A value as error messages show it: one line, bounded, printable."""
    if isinstance(value, (Mapping, list, tuple)):
        return f"{'an object' if isinstance(value, Mapping) else 'an array'} of {len(value)}"
    if isinstance(value, int) and value.bit_length() > INT_LIMIT.bit_length():
        return f"an integer of {value.bit_length()} bits"
    line = ascii(value)
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 3] + "..."


@contextlib.contextmanager
def at(place: str) -> Iterator[None]:
    """Put `place` in front of every `ProgramError` raised inside."""
    try:
        yield
    except ProgramError as error:
        raise ProgramError(f"{place}: {error}") from None


def integer(value: Any, what: str, low: int, high: int) -> int:
    """An integer in `low..high`, otherwise `ProgramError`."""
    if isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ProgramError(f"{what} must be an integer in {low}..{high}, not {shown(value)}")
    return value


def finite(value: Any, what: str) -> float:
    """A finite floating-point number, otherwise `ProgramError`."""
    if isinstance(value, np.floating):
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        raise ProgramError(f"{what} must be a finite floating-point number, not {shown(value)}")
    return value


def text(value: Any, what: str, limit: int = NAME_CHARS, least: int = 1) -> str:
    """Printable text of `least` to `limit` characters, otherwise `ProgramError`.

    Printable keeps terminal control sequences and lone surrogates out of everything that is
    later shown; longer texts may have line breaks and tabs.
    """
    if not isinstance(value, str):
        raise ProgramError(f"{what} must be text, not {shown(value)}")
    if not least <= len(value) <= limit:
        raise ProgramError(f"{what} must have {least}..{limit} characters, not {len(value)}")
    visible = value if limit <= NAME_CHARS else value.replace("\n", "").replace("\t", "")
    if not visible.isprintable():
        raise ProgramError(f"{what} must be printable text, not {shown(value)}")
    return value


def pattern(value: Any, what: str, form: re.Pattern[str], rule: str) -> str:
    """Text that `form` matches fully, otherwise `ProgramError` with `rule` in its words."""
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise ProgramError(f"{what} must be {rule}, not {shown(value)}")
    return value


def items(value: Any, what: str, limit: int) -> tuple[Any, ...]:
    """A list or tuple of at most `limit` entries as a tuple, otherwise `ProgramError`."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise ProgramError(f"{what} must be a list, not {shown(value)}")
    if len(value) > limit:
        raise ProgramError(f"{what} must have at most {limit} entries, not {len(value)}")
    return tuple(value)


def frozen_attributes(value: Any, what: str, depth: int = ATTRIBUTE_DEPTH) -> Attributes:
    """An attribute tree made immutable, otherwise `ProgramError`.

    Lists become tuples, NumPy scalars Python numbers, mappings read-only and sorted by key.
    """
    if not isinstance(value, Mapping):
        raise ProgramError(f"{what} must be an object with names, not {shown(value)}")
    names = sorted(text(name, f"{what} name") for name in value)
    return MappingProxyType(
        {name: _frozen(value[name], f"{what} '{name}'", depth - 1) for name in names}
    )


def _frozen(value: Any, what: str, depth: int) -> AttributeValue:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return integer(value, what, -INT_LIMIT, INT_LIMIT - 1)
    if isinstance(value, float):
        return finite(value, what)
    if isinstance(value, str):
        return text(value, what, TEXT_CHARS, least=0)
    if depth <= 0:
        raise ProgramError(f"{what} must be nested at most {ATTRIBUTE_DEPTH} deep")
    if isinstance(value, Mapping):
        return frozen_attributes(value, what, depth)
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(entry, what, depth - 1) for entry in value)
    raise ProgramError(
        f"{what} must be a number, text, truth value, null, list or object, not {shown(value)}"
    )
