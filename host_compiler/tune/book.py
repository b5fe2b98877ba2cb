"""Tuned schedules as the compiler uses them: those that are shipped, or a file's.

The shipped ones are JSON with a line for each schedule, sorted: changes to them can be read, and
merged line by line. A tuner's own database is SQLite, which several processes can write.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from host_compiler.tune.database import Database, is_sqlite
from host_compiler.tune.entry import Entry, NetworkEntry, TuningKey, network_key
from vta_pynq.errors import ScheduleError
from vta_pynq.whole_file import whole_file

__all__ = ["FORMAT", "NONE", "SHIPPED", "ScheduleBook"]

SHIPPED = "shipped"
"""The schedules that come with the package."""
NONE = "none"
"""No tuned schedules."""
_RESOURCE = "schedules.json"
FORMAT = 1
"""Of the JSON file."""


class ScheduleBook:
    """The best known schedules of layers on their own and of whole networks, by key."""

    def __init__(self, layers: Iterable[Entry] = (), networks: Iterable[NetworkEntry] = ()) -> None:
        self._layers = {entry.key: entry for entry in layers}
        self._networks = {entry.key: entry for entry in networks}

    @property
    def layers(self) -> tuple[Entry, ...]:
        """Every layer's entry, sorted by key."""
        return tuple(entry for _, entry in sorted(self._layers.items()))

    @property
    def networks(self) -> tuple[NetworkEntry, ...]:
        """Every network's entry, sorted by key."""
        return tuple(entry for _, entry in sorted(self._networks.items()))

    def __bool__(self) -> bool:
        return bool(self._layers or self._networks)

    def layer(self, key: TuningKey) -> Entry | None:
        """What is known of a layer on its own."""
        return self._layers.get(key)

    def network(self, layers: Sequence[TuningKey]) -> NetworkEntry | None:
        """What is known of a network with these layers in this order."""
        return self._networks.get(network_key(layers)) if layers else None

    @classmethod
    def load(cls, source: str | PathLike[str]) -> ScheduleBook:
        """`SHIPPED`, `NONE`, or the path of a database or of what `save` wrote.

        Raises
        ------
        ScheduleError
            The file is missing, damaged or foreign.
        """
        if source == NONE:
            return cls()
        if source == SHIPPED:
            resource = importlib.resources.files("host_compiler.tune") / _RESOURCE
            return cls._parse(resource.read_text(encoding="utf-8"), "shipped schedules")
        path = Path(source)
        try:
            if is_sqlite(path):
                with Database(path, writable=False) as database:
                    return cls(database.layers(), database.networks())
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScheduleError(
                f"schedules {path}: file must be a database of 'vta tune' or what its --export "
                f"wrote, not one with: {error}; give another file, '{SHIPPED}' or '{NONE}'"
            ) from None
        return cls._parse(text, f"schedules {path}")

    @classmethod
    def _parse(cls, text: str, where: str) -> ScheduleBook:
        try:
            content = json.loads(text)
        except ValueError as error:
            content = str(error)
        fine = isinstance(content, dict) and set(content) == {"format", "layers", "networks"}
        fine = fine and content["format"] == FORMAT
        if not fine or not all(isinstance(content[n], list) for n in ("layers", "networks")):
            raise ScheduleError(
                f"{where}: file must be a database of 'vta tune' or what its --export wrote "
                f"(format {FORMAT}), not {text[:40]!a}; give another file, '{SHIPPED}' or '{NONE}'"
            )
        layers = [
            Entry.from_dict(values, f"{where}, layers[{number}]")
            for number, values in enumerate(content["layers"])
        ]
        networks = [
            NetworkEntry.from_dict(values, f"{where}, networks[{number}]")
            for number, values in enumerate(content["networks"])
        ]
        return cls(layers, networks)

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON that `load` reads: a line for each layer, and for each choice of a network."""
        rows = [_line(entry.to_dict()) for entry in self.layers]
        networks = []
        for entry in self.networks:
            values = entry.to_dict()
            choices = [f"    {_line(s)}: {_line(c)}" for s, c in values.pop("choices").items()]
            head = _line(values)[:-1]
            networks.append(f'{head}, "choices": {{\n' + ",\n".join(choices) + "\n  }}")
        parts = [f'{{"format": {FORMAT},\n"layers": [', ",\n".join(f"  {row}" for row in rows)]
        parts += ['],\n"networks": [', ",\n".join(f"  {row}" for row in networks), "]}\n"]
        with whole_file(Path(path)) as file:
            file.write("\n".join(parts).encode("ascii"))


def _line(values: object) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=True)
