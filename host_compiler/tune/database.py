"""The tuner's database: every trial of every layer, in one SQLite file.

Rows are only ever added, and the best is looked up among them, so writers that run at the same
time cannot undo each other's finds.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.entry import Entry, NetworkEntry, TuningKey, read_schedule, schedule_text
from host_compiler.tune.judge import Verdict
from vta_pynq.errors import ScheduleError

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "SIMULATED", "Database", "is_sqlite"]

APPLICATION_ID = 0x56544173
"""Tells our files from other SQLite files (`PRAGMA application_id`): "VTAs"."""
SIMULATED = "simulated "
"""How the names of judges begin whose clock says nothing of hardware."""
SCHEMA_VERSION = 1
"""Of the tables below (`PRAGMA user_version`)."""
_BUSY_S = 30.0
_MAGIC = b"SQLite format 3\0"

_SCHEMA = """
CREATE TABLE layers (
    id INTEGER PRIMARY KEY,
    signature TEXT NOT NULL,
    config TEXT NOT NULL,
    profile TEXT NOT NULL,
    version INTEGER NOT NULL,
    layer TEXT NOT NULL,
    default_cycles INTEGER NOT NULL,
    UNIQUE (signature, config, profile, version)
);
CREATE TABLE trials (
    layer INTEGER NOT NULL REFERENCES layers (id),
    judge TEXT NOT NULL,
    schedule TEXT NOT NULL,
    cycles INTEGER,
    bytes_moved INTEGER NOT NULL,
    seconds REAL,
    failure TEXT NOT NULL,
    PRIMARY KEY (layer, judge, schedule)
) WITHOUT ROWID;
CREATE TABLE networks (
    signature TEXT NOT NULL,
    config TEXT NOT NULL,
    profile TEXT NOT NULL,
    version INTEGER NOT NULL,
    model TEXT NOT NULL,
    choices TEXT NOT NULL,
    cycles INTEGER NOT NULL,
    default_cycles INTEGER NOT NULL,
    PRIMARY KEY (signature, config, profile, version, choices)
) WITHOUT ROWID;
"""


def is_sqlite(path: str | PathLike[str]) -> bool:
    """Whether a file says that it is SQLite's."""
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class Database:
    """An open database; a context manager. Several processes may have it open and write.

    Parameters
    ----------
    path
        The file. It is made where it is missing, unless `writable` is False.
    writable
        False opens it for reading alone: nothing beside it is made either.

    Raises
    ------
    ScheduleError
        The file is damaged, not ours, of another version, or cannot be opened.
    """

    def __init__(self, path: str | PathLike[str], *, writable: bool = True) -> None:
        self.path = Path(path)
        with self._errors("opened"):
            self._connection = self._connect(writable)
        try:
            with self._errors("read"):
                self._prepare(writable)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # ---- opening -------------------------------------------------------------------------

    def _connect(self, writable: bool) -> sqlite3.Connection:
        # No transaction but those that `_writing` begins.
        options: dict[str, Any] = {"timeout": _BUSY_S, "isolation_level": None}
        connection: sqlite3.Connection
        if writable:
            connection = sqlite3.connect(self.path, **options)
            return connection
        uri = self.path.resolve().as_uri() + "?mode=ro"
        if not self.path.with_name(self.path.name + "-wal").exists():
            # Without a log beside it the file is complete, and may lie in a read-only folder.
            uri += "&immutable=1"
        connection = sqlite3.connect(uri, uri=True, **options)
        return connection

    def _prepare(self, writable: bool) -> None:
        ours, version, tables = self._identity()
        if not ours and not version and not tables and writable:
            self._create()
            ours, version, tables = self._identity()
        if ours != APPLICATION_ID:
            raise ScheduleError(
                f"database {self.path}: file must be one that 'vta tune' made, not another "
                "program's; give another file"
            )
        if version != SCHEMA_VERSION:
            raise ScheduleError(
                f"database {self.path}: version must be {SCHEMA_VERSION}, not {version}; use the "
                "vta-pynq that wrote it, or begin a new file"
            )

    def _identity(self) -> tuple[int, int, int]:
        one = self._one
        return (
            one("PRAGMA application_id"), one("PRAGMA user_version"),
            one("SELECT count(*) FROM sqlite_master"),
        )  # fmt: skip

    def _create(self) -> None:
        # Outside of a transaction, and kept in the file.
        self._connection.execute("PRAGMA journal_mode=WAL")
        with self._writing():
            if self._one("SELECT count(*) FROM sqlite_master"):
                return  # another process was faster
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _one(self, query: str) -> int:
        (value,) = self._connection.execute(query).fetchone()
        return int(value)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise ScheduleError(
                f"database {self.path}: file must be a sound SQLite database that can be {what}, "
                f"not one with: {error}; restore it, or begin a new file"
            ) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    # ---- contents ------------------------------------------------------------------------

    def trials(self, key: TuningKey, judge: str) -> dict[Schedule, Verdict]:
        """Every verdict of a judge on a layer; one whose schedule makes no sense is left out."""
        query = (
            "SELECT schedule, cycles, bytes_moved, seconds, failure FROM trials JOIN layers "
            "ON trials.layer = layers.id WHERE signature = ? AND config = ? AND profile = ? "
            "AND version = ? AND judge = ? ORDER BY schedule"
        )
        found = {}
        with self._errors("read"):
            rows = self._connection.execute(query, (*_row(key), judge)).fetchall()
        for text, *rest in rows:
            with contextlib.suppress(ScheduleError):
                found[read_schedule(text, str(self.path))] = Verdict(*rest)
        return found

    def hints(self, key: TuningKey, judge: str, count: int = 8) -> list[Schedule]:
        """Schedules that other judges, or other versions of the fields, found good; best first."""
        query = (
            "SELECT schedule FROM trials JOIN layers ON trials.layer = layers.id WHERE "
            "signature = ? AND config = ? AND profile = ? AND NOT (version = ? AND judge = ?) "
            "AND failure = '' AND cycles IS NOT NULL ORDER BY cycles, bytes_moved, schedule"
        )
        with self._errors("read"):
            rows = self._connection.execute(query, (*_row(key), judge)).fetchall()
        found: dict[Schedule, None] = {}
        for (text,) in rows:
            with contextlib.suppress(ScheduleError):
                found[read_schedule(text, str(self.path))] = None
        return list(found)[:count]

    def record(
        self,
        key: TuningKey,
        layer: str,
        default_cycles: int,
        judge: str,
        verdicts: Mapping[Schedule, Verdict],
    ) -> None:
        """Add verdicts of a judge on a layer, in one transaction; those that may pass are not kept.

        Raises
        ------
        ScheduleError
            The file cannot be written.
        """
        rows = [
            (judge, schedule_text(s), v.cycles, v.bytes_moved, v.seconds, v.failure)
            for s, v in verdicts.items()
            if not v.passing
        ]
        with self._errors("written"), self._writing():
            self._connection.execute(
                "INSERT INTO layers (signature, config, profile, version, layer, default_cycles) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "default_cycles = excluded.default_cycles",
                (*_row(key), layer, default_cycles),
            )
            number = self._connection.execute(
                "SELECT id FROM layers WHERE signature = ? AND config = ? AND profile = ? "
                "AND version = ?",
                _row(key),
            ).fetchone()[0]
            self._connection.executemany(
                f"INSERT OR REPLACE INTO trials VALUES ({number}, ?, ?, ?, ?, ?, ?)", rows
            )

    def forget(self, key: TuningKey) -> None:
        """Drop every verdict on a layer, or the choices of a network: they hold no longer.

        Raises
        ------
        ScheduleError
            The file cannot be written.
        """
        same = "signature = ? AND config = ? AND profile = ? AND version = ?"
        with self._errors("written"), self._writing():
            self._connection.execute(
                f"DELETE FROM trials WHERE layer IN (SELECT id FROM layers WHERE {same})", _row(key)
            )
            self._connection.execute(f"DELETE FROM networks WHERE {same}", _row(key))

    def layers(self) -> list[Entry]:
        """The best schedule of every layer, sorted by key.

        A schedule that a device's clock found best comes before the cycle model's; a simulated
        device has no clock that says anything.
        """
        query = (
            "SELECT signature, config, profile, version, layers.layer, default_cycles, judge, "
            "schedule, cycles, bytes_moved, seconds FROM trials JOIN layers ON trials.layer = "
            "layers.id WHERE failure = '' AND cycles IS NOT NULL AND judge NOT LIKE ?"
        )
        best: dict[TuningKey, tuple[tuple[Any, ...], Entry]] = {}
        with self._errors("read"):
            rows = self._connection.execute(query, (f"{SIMULATED}%",)).fetchall()
        for *names, layer, default, judge, text, cycles, moved, seconds in rows:
            key, schedule = TuningKey(*names), read_schedule(text, f"database {self.path}")
            device = "" if seconds is None else judge
            entry = Entry(key, layer, schedule, cycles, moved, default, seconds, device)
            rank = (seconds is None, *Verdict(cycles, moved, seconds).rank, schedule_text(schedule))
            if key not in best or rank < best[key][0]:
                best[key] = rank, entry
        return [entry for _, (_, entry) in sorted(best.items())]

    def record_network(self, entry: NetworkEntry) -> None:
        """Add schedules that go well together.

        Raises
        ------
        ScheduleError
            The file cannot be written.
        """
        choices = json.dumps(entry.to_dict()["choices"], sort_keys=True)
        with self._errors("written"), self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO networks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_row(entry.key), entry.model, choices, entry.cycles, entry.default_cycles),
            )

    def networks(self) -> list[NetworkEntry]:
        """The best choices for every network, sorted by key."""
        with self._errors("read"):
            rows = self._connection.execute("SELECT * FROM networks").fetchall()
        best: dict[TuningKey, tuple[tuple[int, str], NetworkEntry]] = {}
        for *names, model, text, cycles, default in rows:
            key, where = TuningKey(*names), f"database {self.path}"
            try:
                choices = [(s, read_schedule(c, where)) for s, c in json.loads(text).items()]
            except (ValueError, AttributeError):
                raise ScheduleError(
                    f"{where}: choices of a network must be schedules by signature, not "
                    f"{text[:40]!a}; begin a new file"
                ) from None
            entry = NetworkEntry(key, model, tuple(sorted(choices)), cycles, default)
            if key not in best or (cycles, text) < best[key][0]:
                best[key] = (cycles, text), entry
        return [entry for _, (_, entry) in sorted(best.items())]


def _row(key: TuningKey) -> tuple[str, str, str, int]:
    return key.signature, key.config, key.profile, key.version
