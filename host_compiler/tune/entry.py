"""What the tuner keeps of a layer: its key, the best schedule, and what that is worth."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from host_compiler.layer import Layer
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.parameters import LOOP_MODES, SCHEDULE_VERSION, Schedule
from host_compiler.schedule.signature import signature
from vta_pynq.errors import ScheduleError

__all__ = [
    "Entry",
    "NetworkEntry",
    "TuningKey",
    "key_of",
    "network_key",
    "read_schedule",
    "schedule_text",
]

_MOST = 1 << 20
"""No field of a schedule is larger: no layer has so many rows, blocks or slots."""
_FIELDS = {field.name: field for field in dataclasses.fields(Schedule)}
_FLAGS = {name for name, field in _FIELDS.items() if field.type == "bool"}
_COUNTS = {
    # A count whose default is 0 may be 0, all others begin at 1.
    name: 0 if field.default == 0 else 1
    for name, field in _FIELDS.items()
    if field.type == "int"
}
_NEEDED = {name for name, field in _FIELDS.items() if field.default is dataclasses.MISSING}


@dataclasses.dataclass(frozen=True, order=True)
class TuningKey:
    """What a schedule belongs to.

    Attributes
    ----------
    signature
        Of the layer (`host_compiler.schedule.signature`) or of a network's layers (`network_key`).
    config, profile
        Names of the hardware configuration and of the profile.
    version
        What the schedule's fields mean (`SCHEDULE_VERSION`).
    """

    signature: str
    config: str
    profile: str
    version: int = SCHEDULE_VERSION


def key_of(layer: Layer, target: Target) -> TuningKey:
    """The key of a layer on a target.

    Raises
    ------
    CompileError
        The layer cannot run there at all.
    """
    found = signature(Prepared(layer, target))
    return TuningKey(found, target.config.name, target.profile.name)


def network_key(layers: Sequence[TuningKey]) -> TuningKey:
    """The key of a network: of its layers in their order, at least one."""
    text = " ".join(key.signature for key in layers)
    signature_ = hashlib.sha256(text.encode()).hexdigest()[:32]
    return dataclasses.replace(layers[0], signature=signature_)


@dataclasses.dataclass(frozen=True)
class Entry:
    """The best schedule that is known for a layer.

    Attributes
    ----------
    key
        What it is for.
    layer
        In words, for people.
    schedule
        The schedule.
    cycles, bytes_moved
        By the cycle model, the layer on its own.
    default_cycles
        Of the schedule that the compiler chooses without a tuner; never less than `cycles` unless
        a clock decided.
    seconds, device
        The median by a device's clock and the device's name, where a clock decided.
    """

    key: TuningKey
    layer: str
    schedule: Schedule
    cycles: int
    bytes_moved: int
    default_cycles: int
    seconds: float | None = None
    device: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe values; the key's fields beside the others."""
        values = dataclasses.asdict(self)
        key = values.pop("key")
        values["schedule"] = self.schedule.to_dict()
        if self.seconds is None:
            del values["seconds"], values["device"]
        return {**key, **values}

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Entry:
        """What `to_dict` gave, read from the place that `where` names.

        Raises
        ------
        ScheduleError
            It is something else.
        """
        fields = _checked(values, _KEY | _ENTRY, {"seconds", "device"}, where)
        key = TuningKey(**{name: fields.pop(name) for name in _KEY})
        return cls(key, **{**fields, "schedule": read_schedule(fields["schedule"], where)})


@dataclasses.dataclass(frozen=True)
class NetworkEntry:
    """Schedules that go well together in one network.

    Attributes
    ----------
    key
        Of the network.
    model
        Its name, for people.
    choices
        A schedule for each distinct layer, by the signature of the layer, sorted.
    cycles, default_cycles
        Of the whole network, by the cycle model, with these and with the default schedules.
    """

    key: TuningKey
    model: str
    choices: tuple[tuple[str, Schedule], ...]
    cycles: int
    default_cycles: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe values; the key's fields beside the others."""
        values = dataclasses.asdict(self)
        key = values.pop("key")
        return {**key, **values, "choices": {s: c.to_dict() for s, c in self.choices}}

    @classmethod
    def from_dict(cls, values: Any, where: str) -> NetworkEntry:
        """What `to_dict` gave, read from the place that `where` names.

        Raises
        ------
        ScheduleError
            It is something else.
        """
        fields = _checked(values, _KEY | _NETWORK, set(), where)
        key = TuningKey(**{name: fields.pop(name) for name in _KEY})
        choices = fields.pop("choices").items()
        return cls(
            key, choices=tuple(sorted((s, read_schedule(c, where)) for s, c in choices)), **fields
        )


_Types = dict[str, tuple[type, ...]]
_KEY: _Types = {"signature": (str,), "config": (str,), "profile": (str,), "version": (int,)}
_ENTRY: _Types = {
    "layer": (str,),
    "schedule": (Mapping,),
    "cycles": (int,),
    "bytes_moved": (int,),
    "default_cycles": (int,),
    "seconds": (float, int),
    "device": (str,),
}
_NETWORK: _Types = {
    "model": (str,),
    "choices": (Mapping,),
    "cycles": (int,),
    "default_cycles": (int,),
}


def _checked(values: Any, types: _Types, optional: set[str], where: str) -> dict[str, Any]:
    """The fields of an entry, each of its type."""
    needed = types.keys() - optional
    if not isinstance(values, Mapping) or not needed <= values.keys() <= types.keys():
        raise ScheduleError(
            f"{where}: entry must have the fields {', '.join(sorted(needed))}, not "
            f"{str(values)[:80]!a}; write it with 'vta tune --export'"
        )
    for name, value in values.items():
        if not isinstance(value, types[name]) or isinstance(value, bool):
            raise ScheduleError(
                f"{where}: {name} must be of type {types[name][0].__name__}, not "
                f"{str(value)[:40]!a}; write it with 'vta tune --export'"
            )
    return dict(values)


def schedule_text(schedule: Schedule) -> str:
    """One text for each schedule, the same for equal ones."""
    return json.dumps(schedule.to_dict(), sort_keys=True, separators=(",", ":"))


def read_schedule(values: Any, where: str) -> Schedule:
    """A schedule from its dictionary or text, which may come from anywhere.

    Raises
    ------
    ScheduleError
        A field is missing, unknown, or no possible value.
    """
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError:
            values = None
    fine = (
        isinstance(values, Mapping)
        and _NEEDED <= values.keys() <= _FIELDS.keys()
        and all(
            type(values[n]) is int and least <= values[n] <= _MOST
            for n, least in _COUNTS.items()
            if n in values
        )
        and all(type(values[n]) is bool for n in _FLAGS & values.keys())
        and isinstance(values.get("loops", []), (list, tuple))
        and all(isinstance(mode, str) and mode in LOOP_MODES for mode in values.get("loops", []))
    )
    if not fine:
        raise ScheduleError(
            f"{where}: schedule must have the fields {', '.join(sorted(_FIELDS))} in their ranges, "
            f"not {str(values)[:80]!a}; tune the layer again"
        )
    return Schedule.from_dict(values)
