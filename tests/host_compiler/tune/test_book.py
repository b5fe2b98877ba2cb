"""Tuned schedules as the compiler reads them."""

from __future__ import annotations

import json

import pytest

from host_compiler.schedule.parameters import SCHEDULE_VERSION, Schedule
from host_compiler.tune.book import NONE, SHIPPED, ScheduleBook
from host_compiler.tune.database import Database
from host_compiler.tune.entry import Entry, NetworkEntry, TuningKey, network_key
from host_compiler.tune.judge import Verdict
from vta_pynq.errors import ScheduleError

KEY = TuningKey("a" * 32, "1x16_i8w8a32_15_15_18_17", "hls-64bit")
SCHEDULE = Schedule(7, 4, 2, 1, 3, loops=("yx", ""))
ENTRY = Entry(KEY, "c: 16x8x8 to 16x8x8, 9 taps", SCHEDULE, 100, 50, 120)
CLOCKED = Entry(TuningKey("b" * 32, "x", "y"), "d", SCHEDULE, 130, 50, 120, 1e-3, "Pynq-Z2")
NETWORK = NetworkEntry(network_key([KEY, KEY]), "net", ((KEY.signature, SCHEDULE),), 190, 230)


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "book.json"
    ScheduleBook([CLOCKED, ENTRY], [NETWORK]).save(target)
    return target


def test_save_then_load_gives_the_entries_back(path):
    book = ScheduleBook.load(path)
    assert book.layers == (ENTRY, CLOCKED)
    assert book.networks == (NETWORK,)
    assert book.layer(KEY) == ENTRY
    assert book.network([KEY, KEY]) == NETWORK
    assert book.network([KEY]) is None and book.network([]) is None


def test_save_has_a_line_for_each_schedule(path):
    lines = path.read_text("ascii").splitlines()
    assert sum('"rows": 7' in line for line in lines) == 3
    assert max(line.count('"rows"') for line in lines) == 1
    again = path.with_name("again.json")
    ScheduleBook.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_save_empty_book_loads(tmp_path):
    ScheduleBook().save(tmp_path / "empty.json")
    assert not ScheduleBook.load(tmp_path / "empty.json")


def test_load_none_is_empty():
    assert not ScheduleBook.load(NONE)


def test_load_shipped_is_of_this_version():
    book = ScheduleBook.load(SHIPPED)
    assert {e.key.version for e in (*book.layers, *book.networks)} <= {SCHEDULE_VERSION}
    for entry in book.layers:
        assert entry.cycles <= entry.default_cycles and entry.seconds is None
    for network in book.networks:
        assert network.cycles <= network.default_cycles
        for signature, _ in network.choices:
            key = TuningKey(signature, network.key.config, network.key.profile)
            assert book.layer(key) is not None


def test_load_database_is_recognised(tmp_path):
    path = tmp_path / "tuned.sqlite"
    with Database(path) as database:
        database.record(KEY, ENTRY.layer, 120, "model", {SCHEDULE: Verdict(100, 50)})
        database.record_network(NETWORK)
    book = ScheduleBook.load(path)
    assert (book.layers, book.networks) == ((ENTRY,), (NETWORK,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=2), 'what its --export wrote (format 1), not \'{"format": 2'),
        (lambda d: d.pop("networks"), "what its --export wrote (format 1), not"),
        (lambda d: d["layers"][0].pop("cycles"), "layers[0]: entry must have the fields bytes_mo"),
        (lambda d: d["layers"][1].update(cycles="7"), "layers[1]: cycles must be of type int, not"),
        (lambda d: d["layers"][0]["schedule"].update(rows=0), "layers[0]: schedule must have the"),
        (lambda d: d["layers"][0]["schedule"].update(loops=["q"]), "layers[0]: schedule must have"),
        (
            lambda d: d["networks"][0].update(choices={"a": 1}),
            "networks[0]: schedule must have the",
        ),
        (lambda d: d["networks"][0].update(more=1), "networks[0]: entry must have the fields choi"),
        (lambda d: d.update(layers=[3]), "layers[0]: entry must have the fields"),
        (lambda d: d.update(layers=3), "what its --export wrote (format 1), not"),
    ],
)
def test_load_other_content_is_refused(path, change, message):
    content = json.loads(path.read_text("ascii"))
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ScheduleError) as caught:
        ScheduleBook.load(path)
    assert str(caught.value).startswith(f"schedules {path}") and message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b'{"format": 1'])
def test_load_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ScheduleError, match="file must be a database of 'vta tune' or what its"):
        ScheduleBook.load(path)


def test_load_missing_file_is_refused(tmp_path):
    with pytest.raises(ScheduleError, match="No such file or directory"):
        ScheduleBook.load(tmp_path / "no.json")
