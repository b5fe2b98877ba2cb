"""The script that writes the shipped schedules: what it keeps and what it replaces."""

from __future__ import annotations

import importlib.util

import pytest

from host_compiler.schedule.parameters import Schedule
from host_compiler.tune.book import SHIPPED, ScheduleBook
from host_compiler.tune.entry import Entry, NetworkEntry, TuningKey
from tests.project.source_files import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.timing import get_profile


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("tune_shipped", ROOT / "scripts/tune_shipped.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(signature: str, profile: str, cycles: int) -> Entry:
    key = TuningKey(signature * 32, "some", profile)
    return Entry(key, "a layer", Schedule(1, 1, 1, 1, 1), cycles, 0, cycles)


OLD = ScheduleBook([entry("a", "p", 9), entry("b", "p", 9), entry("a", "q", 9)])
NEW = ScheduleBook(
    [entry("a", "p", 7), entry("c", "p", 7)],
    [NetworkEntry(TuningKey("d" * 32, "some", "p"), "net", (), 5, 6)],
)


@pytest.mark.parametrize(("whole", "names"), [(False, "aap aaq bbp ccp"), (True, "aap aaq ccp")])
def test_merged_keeps_what_was_not_asked_for(script, monkeypatch, whole, names):
    monkeypatch.setattr(
        ScheduleBook, "load", classmethod(lambda cls, source: OLD if source == SHIPPED else None)
    )
    book = script.merged(NEW, {("some", "p")}, whole)
    found = sorted(2 * e.key.signature[0] + e.key.profile for e in book.layers)
    assert found == names.split()
    assert book.layer(NEW.layers[0].key).cycles == 7
    assert book.networks == NEW.networks


def test_configs_are_possible_and_of_their_profiles(script):
    assert set(script.CONFIGS) == {"hls-64bit", "vta1"}
    for profile, name in script.CONFIGS.items():
        assert HwConfig.from_name(name).name == name
        assert get_profile(profile).timing is not None
