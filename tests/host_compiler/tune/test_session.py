"""Tuning a whole model, and compiling with what was found."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3

import numpy as np
import pytest

from host_compiler.compile import compile_graph, load_graph, make_target
from host_compiler.reference import run
from host_compiler.tune.book import NONE, ScheduleBook
from host_compiler.tune.database import Database
from host_compiler.tune.entry import network_key
from host_compiler.tune.judge import ModelJudge
from host_compiler.tune.session import tune_graph
from tests.host_compiler import digits
from tests.host_compiler.program_runner import ProgramRunner
from tests.host_compiler.tune.layers import CountingJudge
from vta_pynq.errors import CompileError
from vta_pynq.timing import simulate

TRIALS, SEED = 20, 4


def graph():
    return load_graph(digits.quantised("residual"), {"batch": 1})


@pytest.fixture(scope="module")
def target():
    return make_target(None, "hls-64bit")


@pytest.fixture(scope="module")
def tuned(target, tmp_path_factory):
    """The database's path and what the tuner returned."""
    path = tmp_path_factory.mktemp("tuned") / "tuned.sqlite"
    with Database(path) as database:
        tuning = tune_graph(graph(), target, ModelJudge(), database, trials=TRIALS, seed=SEED)
    return path, tuning


def cycles(compilation):
    program = compilation.program
    return sum(simulate(s, program.profile).total_cycles for s in program.streams())


def changed(book, *, layers=lambda e: e, networks=lambda e: e):
    return ScheduleBook(map(layers, book.layers), map(networks, book.networks))


def test_tune_graph_no_layer_is_worse_and_some_are_better(tuned):
    _, tuning = tuned
    pairs = [(layer.entry.cycles, layer.subject.default_cycles) for layer in tuning.layers]
    assert all(found <= default for found, default in pairs)
    assert any(found < default for found, default in pairs)
    assert tuning.network.cycles <= tuning.network.default_cycles
    assert tuning.notes == ()


@pytest.mark.slow
def test_tune_graph_twice_gives_the_same(tuned, target, tmp_path):
    path, _ = tuned
    with Database(tmp_path / "again.sqlite") as database:
        tune_graph(graph(), target, ModelJudge(), database, trials=TRIALS, seed=SEED)
    first, second = ScheduleBook.load(path), ScheduleBook.load(tmp_path / "again.sqlite")
    assert (first.layers, first.networks) == (second.layers, second.networks)


def test_tune_graph_goes_on_from_an_interruption(tuned, target, tmp_path):
    _, whole = tuned
    path = tmp_path / "part.sqlite"
    judge = CountingJudge(70)
    with Database(path) as database, pytest.raises(KeyboardInterrupt):
        tune_graph(graph(), target, judge, database, trials=TRIALS, seed=SEED)
    with Database(path, writable=False) as database:
        kept = [s for e in database.layers() for s in database.trials(e.key, "model")]
    assert sorted(map(str, kept)) == sorted(map(str, judge.judged))
    with Database(path) as database:
        again = CountingJudge()
        tuning = tune_graph(graph(), target, again, database, trials=TRIALS, seed=SEED)
    for layer, other in zip(tuning.layers, whole.layers, strict=True):
        assert layer.entry.cycles <= other.entry.cycles


def test_compile_with_tuned_schedules_is_deterministic_exact_and_no_worse(tuned, target):
    path, tuning = tuned
    plain = compile_graph(graph(), target, schedules=NONE)
    first = compile_graph(graph(), target, schedules=path)
    second = compile_graph(graph(), target, schedules=ScheduleBook.load(path))
    assert first.program.to_bytes() == second.program.to_bytes()
    assert cycles(first) == tuning.network.cycles <= cycles(plain)
    assert cycles(plain) == tuning.network.default_cycles
    assert first.notes == ()
    images = {first.graph.inputs[0]: digits.images()[:1]}
    wanted = run(first.graph, images)[first.graph.outputs[0]]
    found = ProgramRunner(first.program).run(images)[first.program.outputs[0]]
    np.testing.assert_array_equal(found, wanted)


def test_compile_unknown_network_of_known_layers_is_no_worse(tuned, target):
    path, _ = tuned
    plain = compile_graph(graph(), target, schedules=NONE)
    layers = ScheduleBook(ScheduleBook.load(path).layers)
    assert cycles(compile_graph(graph(), target, schedules=layers)) <= cycles(plain)


def test_compile_slower_network_takes_the_default_schedules(tuned, target):
    # Entries that are worse than the default cannot come from the tuner; the compiler trusts none.
    path, _ = tuned
    plain = compile_graph(graph(), target, schedules=NONE)

    def single(entry):
        slow = dataclasses.replace(
            entry.schedule, rows=1, blocks=1, group=1, inp_slots=1, wgt_slots=1, acc_slots=1
        )
        book = ScheduleBook([dataclasses.replace(entry, schedule=slow)])
        return compile_graph(graph(), target, schedules=book)

    found = single(ScheduleBook.load(path).layers[0])
    assert found.program.words.tobytes() == plain.program.words.tobytes()
    (note,) = found.notes
    assert "cycles, not" in note and note.endswith("as when tuned; tune the model again")


def test_compile_entries_that_no_longer_fit_are_ignored_with_a_note(tuned, target):
    path, tuning = tuned
    plain = compile_graph(graph(), target, schedules=NONE)

    def broken(entry):
        return dataclasses.replace(
            entry, schedule=dataclasses.replace(entry.schedule, inp_slots=1 << 18)
        )

    def broken_network(entry):
        choices = [(s, dataclasses.replace(c, inp_slots=1 << 18)) for s, c in entry.choices]
        return dataclasses.replace(entry, choices=tuple(choices))

    book = changed(ScheduleBook.load(path), layers=broken, networks=broken_network)
    found = compile_graph(graph(), target, schedules=book)
    assert found.program.words.tobytes() == plain.program.words.tobytes()
    assert len(found.notes) >= len(tuning.layers)
    assert found.notes[0].endswith("its tuned schedule no longer fits; tune the model again")


def test_compile_other_target_ignores_the_entries(tuned):
    path, _ = tuned
    other = make_target("1x16_i8w8a32_13_14_16_15", "hls-64bit")
    found = compile_graph(graph(), other, schedules=path, candidates=1)
    plain = compile_graph(graph(), other, schedules=NONE, candidates=1)
    assert found.program.to_bytes() == plain.program.to_bytes() and found.notes == ()


def test_tune_graph_without_trials_is_refused(target, tmp_path):
    with Database(tmp_path / "t.sqlite") as database, pytest.raises(CompileError) as caught:
        tune_graph(graph(), target, ModelJudge(), database, trials=0)
    assert str(caught.value) == "option trials: value must be at least 1, not 0"


def test_network_key_depends_on_the_order(tuned):
    keys = [layer.subject.key for layer in tuned[1].layers]
    assert network_key(keys) != network_key(keys[::-1])
    assert network_key(keys[:1]) != keys[0]


def test_tune_graph_verdicts_that_hold_no_longer_are_judged_again(tuned, target, tmp_path):
    path = tmp_path / "old.sqlite"
    shutil.copy(tuned[0], path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE trials SET cycles = 5")  # another lowering, another time
    connection.execute("UPDATE networks SET cycles = 5")
    connection.commit()
    connection.close()
    with Database(path) as database:
        judge = CountingJudge()
        tuning = tune_graph(graph(), target, judge, database, trials=2, seed=SEED)
        assert len(judge.judged) >= 2 * len(tuning.layers)
        cycles = {entry.key: entry.cycles for entry in database.layers()}
        assert all(cycles[layer.subject.key] == layer.entry.cycles > 5 for layer in tuning.layers)
        assert database.networks() == [tuning.network] and tuning.network.cycles > 5
