"""The object in one JSON file, with checked access to its keys; messages name file and key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from vta_pynq.errors import ConfigError

__all__ = ["JsonFile"]

T = TypeVar("T")


class JsonFile:
    """A description in `overlays/`. Keys are dotted paths: `dram.bytes`.

    Raises
    ------
    ConfigError
        The file cannot be read or holds no object; so do the methods for a key that is missing
        or of another kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: must be readable JSON: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: must hold an object, not {type(values).__name__}")
        self.values: Mapping[str, Any] = values

    def has(self, key: str) -> bool:
        """Whether there is such a key at the top of the file."""
        return key in self.values

    def get(self, key: str, kind: type[T]) -> T:
        """The value of a key; an integer is taken where a float is wanted."""
        value: Any = self.values
        for word in key.split("."):
            value = value.get(word) if isinstance(value, dict) else None
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return kind(value)  # type: ignore[call-arg]
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise ConfigError(f"{self.path}: {key} must be a {kind.__name__}, not {value!r}")
        return value

    def positive(self, key: str, kind: type[T]) -> T:
        """A number that is greater than zero."""
        value: Any = self.get(key, kind)
        if value <= 0:
            raise ConfigError(f"{self.path}: {key} must be greater than 0, not {value!r}")
        return value  # type: ignore[no-any-return]

    def strings(self, key: str, *, empty: bool = False) -> tuple[str, ...]:
        """A list of strings; `empty` lets it be empty."""
        values: list[Any] = self.get(key, list)
        if not (values or empty) or not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{self.path}: {key} must be a list of strings, not {values!r}")
        return tuple(values)

    def texts(self, key: str) -> dict[str, str]:
        """An object whose values are strings, in the order of the file."""
        values: dict[str, Any] = self.get(key, dict)
        if not all(isinstance(value, str) for value in values.values()):
            raise ConfigError(f"{self.path}: {key} must have strings as values, not {values!r}")
        return dict(values)

    def address(self, key: str) -> int:
        """A hexadecimal number in a string."""
        text = self.get(key, str)
        try:
            return int(text, 16)
        except ValueError:
            raise ConfigError(
                f"{self.path}: {key} must be a hexadecimal address, not {text!r}"
            ) from None
