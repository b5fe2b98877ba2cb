"""Strict JSON: no repeated names, no NaN, no infinity, no endless integers, no endless nesting."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from vta_pynq.errors import ProgramError
from vta_pynq.program.rules import shown

__all__ = ["MAX_JSON_BYTES", "read_json", "write_json"]

MAX_JSON_BYTES = 1 << 23
_INT_DIGITS = 20  # of a 64-bit integer with its sign


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ProgramError(f"an object must have different names, not {shown(twice)} twice")
    return found


def _int(digits: str) -> int:
    if len(digits) > _INT_DIGITS:
        raise ProgramError(f"an integer must have at most {_INT_DIGITS} digits, not {len(digits)}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ProgramError(f"a number must be finite, not {shown(digits)}")
    return value


def _constant(word: str) -> float:
    raise ProgramError(f"a number must be finite, not {word}")


def read_json(data: bytes | memoryview) -> dict[str, Any]:
    """Read one JSON object from UTF-8 text.

    Raises
    ------
    ProgramError
        The text is too long, not JSON, not an object, or has one of the things above.
    """
    if len(data) > MAX_JSON_BYTES:
        raise ProgramError(f"text must have at most {MAX_JSON_BYTES} bytes, not {len(data)}")
    try:
        value = json.loads(
            str(data, "utf-8"),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise ProgramError(f"text must be UTF-8, not byte {data[error.start]:#04x}") from None
    except json.JSONDecodeError as error:
        raise ProgramError(f"text must be JSON: {error}") from None
    except RecursionError:
        raise ProgramError("values must not be nested so deeply") from None
    if not isinstance(value, dict):
        raise ProgramError(f"text must hold an object, not {shown(value)}")
    return value


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "), allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")  # our own bug: the rules let it through


def write_json(values: Mapping[str, Any]) -> bytes:
    """One object as ASCII text: a name a line, and an entry a line in lists of composite values."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
            entries = ",\n    ".join(map(_compact, value))
            lines.append(f"{_compact(name)}: [\n    {entries}\n  ]")
        else:
            lines.append(f"{_compact(name)}: {_compact(value)}")
    data = ("{\n  " + ",\n  ".join(lines) + "\n}\n").encode("ascii")
    if len(data) > MAX_JSON_BYTES:
        raise ProgramError(f"manifest must have at most {MAX_JSON_BYTES} bytes, not {len(data)}")
    return data
