"""Values as Tcl words: what Python knows, for scripts that know nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["TclValue", "tcl_word"]

TclValue: TypeAlias = "str | int | float | Sequence[TclValue] | Mapping[str, TclValue]"
"""What has a form in Tcl: texts, numbers, lists, dictionaries."""

_BARE = re.compile(r"[A-Za-z0-9_./:+*-]+")
_SPECIAL = re.compile(r'([\\{}\[\]$";\s])')
_CONTROL = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def tcl_word(value: TclValue) -> str:
    """One word that Tcl reads back as `value`: dictionaries and lists as lists of words.

    Truth values become 1 and 0.
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        words = [tcl_word(part) for item in value.items() for part in item]
    else:
        words = [tcl_word(part) for part in value]
    return "{" + " ".join(words) + "}"


def _text(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    if "\\" not in text and _balanced(text):
        return "{" + text + "}"
    escaped = _SPECIAL.sub(lambda found: _CONTROL.get(found[1], f"\\{found[1]}"), text)
    return escaped or "{}"


def _balanced(text: str) -> bool:
    """Whether braces pair up, so that the text may stand in braces."""
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0
