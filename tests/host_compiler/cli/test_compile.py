"""`vta compile`: writes the program or nothing."""

from __future__ import annotations

import onnx
import pytest

from host_compiler.cli.compile import parse_shapes
from tests.host_compiler.digits import quantised
from vta_pynq.cli import main
from vta_pynq.errors import CompileError
from vta_pynq.program import Program


@pytest.fixture
def run(monkeypatch):
    """The command, whether or not the package's entry points are installed."""
    monkeypatch.setattr("vta_pynq.cli.COMMANDS", {"compile": "host_compiler.cli.compile"})
    return lambda *arguments: main(["compile", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(quantised("residual"), path)
    return path


def test_compile_writes_a_program(run, model, tmp_path, capsys):
    target = tmp_path / "net.vta"
    arguments = (model, "-o", target, "--shape", "batch=1", "--candidates", 1, "--explain")
    assert run(*arguments) == 0
    program = Program.load(target)
    assert program.model == "net"
    text = capsys.readouterr().out
    assert text.startswith("where") and "/7/Gemm" in text
    assert text.splitlines()[-1] == f"wrote {target}"


def test_compile_other_configuration_and_profile(run, model, tmp_path):
    target = tmp_path / "net.vta"
    name = "1x16_i8w8a32_13_14_16_15"
    arguments = ("--config", name, "--target", "functional", "--candidates", 1)
    assert run(model, "-o", target, "--shape", "batch=2", *arguments) == 0
    program = Program.load(target)
    assert (program.config.name, program.profile) == (name, "functional")
    assert program.input_tensors[0].shape == (2, 1, 8, 8)


@pytest.mark.parametrize("ties", ["even", "up"])
def test_compile_ties_are_explained_and_recorded(run, model, tmp_path, capsys, ties):
    target = tmp_path / "net.vta"
    arguments = ("--shape", "batch=1", "--candidates", 1, "--explain", "--ties", ties)
    assert run(model, "-o", target, *arguments) == 0
    assert Program.load(target).metadata["ties"] == ties
    assert f"\nties ({ties}): 0 of " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "extent batch must be fixed"),
        (("--shape", "batch=1", "--config", "1x16_nonsense"), "1x16_nonsense"),
        (("--shape", "batch=1", "--target", "nonsense"), "nonsense"),
        (("--shape", "batch=1", "--candidates", "0"), "candidates: value must be at least 1"),
        (("--shape", "batch=1", "--ties", "down"), "ties: value must be even or up, not 'down'"),
        (("--shape", "batch=one"), "--shape: value must be NAME=N or NAME=N,N,..."),
    ],
)
def test_compile_bad_input_is_refused_and_leaves_nothing(
    run, model, tmp_path, capsys, arguments, message
):
    target = tmp_path / "out" / "net.vta"
    target.parent.mkdir()
    assert run(model, "-o", target, *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(target.parent.iterdir()) == []


def test_compile_into_a_missing_folder_is_refused(run, model, tmp_path, capsys):
    assert run(model, "-o", tmp_path / "no" / "net.vta", "--shape", "batch=1") == 2
    assert "folder must exist; create it first" in capsys.readouterr().err


def test_compile_truncated_model_is_refused(run, model, tmp_path, capsys):
    model.write_bytes(model.read_bytes()[:1000])
    assert run(model, "-o", tmp_path / "net.vta", "--shape", "batch=1") == 2
    assert not (tmp_path / "net.vta").exists()


def test_parse_shapes_takes_shapes_and_dimensions():
    assert parse_shapes(["image=1,3,4,4", "batch=2", "a=b=7"]) == {
        "image": (1, 3, 4, 4), "batch": 2, "a=b": 7,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "=1", "a=", "a=1,", "a=-1", "a=1.5", "a"])
def test_parse_shapes_refuses_other_forms(text):
    with pytest.raises(CompileError, match="must be NAME=N"):
        parse_shapes([text])
