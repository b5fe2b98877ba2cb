"""The database: what it keeps, what it refuses, writers at the same time."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys

import pytest

from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.database import SCHEMA_VERSION, SIMULATED, Database
from host_compiler.tune.entry import NetworkEntry, TuningKey
from host_compiler.tune.judge import Verdict
from tests.project.source_files import ROOT
from vta_pynq.errors import ScheduleError

KEY = TuningKey("0" * 32, "1x16_i8w8a32_15_15_18_17", "hls-64bit")
A, B, C = (Schedule(rows, 4, 2, 1, 1) for rows in (1, 2, 3))
FAST, SLOW, UNFIT = Verdict(100, 50), Verdict(120, 40), Verdict(None, failure="does not fit")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tuned.sqlite"


def fill(path, verdicts, key=KEY, judge="model", default=130):
    with Database(path) as database:
        database.record(key, "a layer", default, judge, verdicts)


def best(path):
    with Database(path, writable=False) as database:
        return [(entry.key, entry.schedule, entry.cycles) for entry in database.layers()]


def test_record_then_trials_gives_the_verdicts_back(path):
    fill(path, {A: SLOW, B: UNFIT})
    fill(path, {C: FAST})
    with Database(path) as database:
        assert database.trials(KEY, "model") == {A: SLOW, B: UNFIT, C: FAST}
        assert database.trials(KEY, "other") == {}
        assert database.trials(dataclasses.replace(KEY, version=9), "model") == {}
    assert best(path) == [(KEY, C, 100)]


def test_record_what_may_pass_is_not_kept(path):
    fill(path, {A: FAST, B: Verdict(None, failure="its process died", passing=True)})
    with Database(path) as database:
        assert list(database.trials(KEY, "model")) == [A]


def test_layers_best_by_clock_comes_before_the_models_unless_it_was_simulated(path):
    fill(path, {A: SLOW, B: FAST})
    fill(path, {A: Verdict(120, 40, 1e-3), B: Verdict(100, 50, 2e-3)}, judge=SIMULATED + "Pynq-Z2")
    assert best(path) == [(KEY, B, 100)]
    fill(path, {A: Verdict(120, 40, 1e-3), B: Verdict(100, 50, 2e-3)}, judge="Pynq-Z2")
    with Database(path) as database:
        (entry,) = database.layers()
    assert (entry.schedule, entry.seconds, entry.device) == (A, 1e-3, "Pynq-Z2")


def test_hints_are_what_others_found_good(path):
    fill(path, {A: SLOW, B: FAST, C: UNFIT})
    fill(path, {C: FAST}, dataclasses.replace(KEY, version=KEY.version + 1))
    with Database(path) as database:
        assert database.hints(KEY, "Pynq-Z2") == [B, C, A]
        assert database.hints(KEY, "model") == [C]


def test_networks_best_choice_is_kept(path):
    entries = [
        NetworkEntry(KEY, "net", (("1" * 32, schedule),), cycles, 500)
        for schedule, cycles in ((A, 480), (B, 470), (C, 490))
    ]
    with Database(path) as database:
        for entry in entries:
            database.record_network(entry)
        assert database.networks() == [entries[1]]


def test_open_text_file_is_refused_and_left_alone(path):
    path.write_text("not a database, but long enough to be read as one" * 20)
    before = path.read_bytes()
    with pytest.raises(ScheduleError) as caught:
        Database(path)
    assert str(caught.value) == (
        f"database {path}: file must be a sound SQLite database that can be read, not one with: "
        "file is not a database; restore it, or begin a new file"
    )
    assert path.read_bytes() == before


def test_open_other_programs_database_is_refused_and_left_alone(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (a INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ScheduleError) as caught:
        Database(path)
    assert str(caught.value) == (
        f"database {path}: file must be one that 'vta tune' made, not another program's; give "
        "another file"
    )
    assert path.read_bytes() == before


def test_open_other_version_is_refused(path):
    fill(path, {A: FAST})
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(ScheduleError) as caught:
        Database(path)
    assert str(caught.value) == (
        f"database {path}: version must be {SCHEMA_VERSION}, not {SCHEMA_VERSION + 1}; use the "
        "vta-pynq that wrote it, or begin a new file"
    )


def test_open_damaged_database_is_refused(path):
    fill(path, {Schedule(rows, 4, 2, 1, 1): FAST for rows in range(1, 400)})
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(ScheduleError, match="file must be a sound SQLite database"):
        Database(path).layers()


def test_open_missing_for_reading_is_refused(path):
    with pytest.raises(ScheduleError, match="unable to open database file"):
        Database(path, writable=False)
    assert not path.exists()


def test_open_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ScheduleError, match="unable to open database file"):
        Database(tmp_path / "no" / "tuned.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_open_in_a_read_only_folder_can_be_read(path):
    fill(path, {A: FAST})
    path.parent.chmod(0o500)
    try:
        assert best(path) == [(KEY, A, 100)]
    finally:
        path.parent.chmod(0o700)


def test_open_for_reading_leaves_nothing_beside_the_file(path):
    fill(path, {A: FAST})
    assert best(path) == [(KEY, A, 100)]
    assert list(path.parent.iterdir()) == [path]


def test_schedule_that_makes_no_sense_is_named(path):
    fill(path, {A: FAST})
    connection = sqlite3.connect(path)
    connection.execute("UPDATE trials SET schedule = '{\"rows\": 0}'")
    connection.commit()
    connection.close()
    with Database(path) as database:
        assert database.trials(KEY, "model") == {}
        with pytest.raises(ScheduleError, match="schedule must have the fields acc_slots, blocks"):
            database.layers()


_WRITER = """
import sys
from host_compiler.tune.database import Database
from tests.host_compiler.tune.test_database import KEY, Schedule, Verdict
number = int(sys.argv[2])
for turn in range(20):
    with Database(sys.argv[1]) as database:
        schedule = Schedule(1 + number, 1 + turn, 1, 1, 1)
        verdict = Verdict(1000 - 10 * number - turn)
        database.record(KEY, "a layer", 2000, "model", {schedule: verdict})
"""


def test_record_by_several_processes_loses_nothing(path):
    processes = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(number)], cwd=ROOT)
        for number in range(3)
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    with Database(path) as database:
        assert len(database.trials(KEY, "model")) == 60
    assert best(path) == [(KEY, Schedule(3, 20, 1, 1, 1), 961)]


def test_record_that_fails_half_way_leaves_nothing(path):
    fill(path, {A: FAST})
    with Database(path) as database:
        broken = {B: FAST, C: Verdict(object())}
        with pytest.raises(ScheduleError, match="can be written"):
            database.record(KEY, "a layer", 130, "model", broken)
        assert list(database.trials(KEY, "model")) == [A]
        database.record(KEY, "a layer", 130, "model", {C: SLOW})
    assert best(path) == [(KEY, A, 100)]
