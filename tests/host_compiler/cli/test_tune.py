"""`vta tune`: what it prints, writes and refuses."""

from __future__ import annotations

import json

import onnx
import pytest

from host_compiler.tune.book import ScheduleBook
from tests.host_compiler.digits import quantised
from vta_pynq.cli import main
from vta_pynq.program import Program


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command in an empty folder, whether or not the entry points are installed."""
    names = {n: f"host_compiler.cli.{n}" for n in ("tune", "compile")}
    monkeypatch.setattr("vta_pynq.cli.COMMANDS", names)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(quantised("residual"), path)
    return path


QUICK = ("--shape", "batch=1", "--trials", 2, "--workers", 0)


def test_tune_then_compile_uses_what_was_found(run, model, tmp_path, capsys):
    assert run("tune", model, *QUICK, "--database", "d.sqlite", "--export", "d.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["default", "tuned", "gain", "of", "bound", "trials", "layer"]
    assert lines[-3].endswith("whole network")
    assert lines[-2:] == [
        "the schedules are in d.sqlite: vta compile --schedules d.sqlite", "wrote d.json",
    ]  # fmt: skip
    arguments = ("compile", model, "--shape", "batch=1", "-o")
    assert run(*arguments, "one.vta", "--schedules", "d.sqlite") == 0
    assert run(*arguments, "two.vta", "--schedules", "d.json") == 0
    assert Program.load(tmp_path / "one.vta") == Program.load(tmp_path / "two.vta")
    assert "note" not in capsys.readouterr().out


def test_tune_json_holds_layers_and_network(run, model, capsys):
    assert run("tune", model, *QUICK, "--json", "--export", "d.json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "net" and found["notes"] == []
    assert found["network"]["cycles"] <= found["network"]["default_cycles"]
    for layer in found["layers"]:
        assert layer["bound_cycles"] <= layer["cycles"] <= layer["default_cycles"]
        assert layer["trials"] == 2 and layer["count"] >= 1
    assert len(ScheduleBook.load("d.json").layers) == len(found["layers"])


def test_tune_is_silent_where_standard_error_is_no_terminal(run, model, capsys):
    assert run("tune", model, *QUICK) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "vta tune: MODEL or --export must be given; name a quantised ONNX file"),
        (("net.onnx", "--workers", "-1"), "option --workers: value must be at least 0, not -1"),
        (("net.onnx", "--trials", "0", "--shape", "batch=1"), "option trials: value must be at"),
        (("net.onnx", "--database", "net.onnx"), "database net.onnx: file must be a sound SQLite"),
        (("net.onnx",), "extent batch must be fixed"),
        (("net.onnx", "--shape", "batch=1", "--target", "nonsense"), "nonsense"),
    ],
)
def test_tune_wrong_use_is_refused(run, model, capsys, arguments, message):
    assert run("tune", *arguments) == 2
    assert message in capsys.readouterr().err


def test_compile_missing_schedules_are_refused(run, model, capsys):
    arguments = (model, "--shape", "batch=1", "-o", "net.vta", "--schedules", "no.sqlite")
    assert run("compile", *arguments) == 2
    assert "schedules no.sqlite: file must be a database of 'vta tune'" in capsys.readouterr().err


def test_tune_measure_reports_the_models_error_and_that_the_device_is_simulated(run, model, capsys):
    quick = ("--shape", "batch=1", "--trials", 1, "--measure", "sim", "--repeat", 2)
    assert run("tune", model, *quick, "--json") == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert measured["simulated"] and measured["clock_mhz"] == 100
    for layer in measured["layers"]:
        assert layer["wrong"] == 0 and layer["trials"]
        assert all(trial["failure"] == "" for trial in layer["trials"])
    # Nothing that a simulated device said may choose a schedule.
    assert ScheduleBook.load("tuned.sqlite").layers == ()


def test_tune_measure_without_a_board_is_refused(run, model, capsys):
    assert run("tune", model, "--shape", "batch=1", "--measure", "board") == 2
    assert "a PYNQ device must be present" in capsys.readouterr().err
