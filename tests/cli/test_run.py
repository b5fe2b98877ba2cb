"""`vta run`: results, files and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, random_weights, vta_only
from vta_pynq.cli import main
from vta_pynq.program import ArenaKind

RNG = np.random.default_rng(19)
DENSE = Dense(random_weights(RNG, 16, 32))
X = RNG.integers(-128, 128, DENSE.x_shape()).astype(np.int8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vta_only(DENSE).save(tmp_path / "net.vta")
    np.save(tmp_path / "x.npy", X)
    return tmp_path


def pair(path: Path) -> None:
    """A program of two inputs and two outputs."""
    maker = Maker("pair")
    for number in "01":
        maker.tensor(f"x{number}", DENSE.x_shape(), ArenaKind.INPUT)
        maker.tensor(f"y{number}", DENSE.y_shape(), ArenaKind.OUTPUT)
        maker.vta(f"dense{number}", DENSE.kernel(), x=f"x{number}", y=f"y{number}")
    maker.build().save(path)


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The message of a call that must end with exit code 2."""
    assert main(["run", *map(str, argv), "--device", "sim"]) == 2
    return capsys.readouterr().err


def test_run_writes_the_output_and_prints_results_and_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["run", str(folder / "net.vta"), "--input", str(folder / "x.npy")]
    assert main([*argv, "--output", str(folder / "y.npy"), "--device", "sim"]) == 0
    np.testing.assert_array_equal(np.load(folder / "y.npy"), DENSE.reference(X))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "y: int8 of shape (1, 16, 1, 8)"
    assert " ms (1 run) on Pynq-Z2, " in lines[-1]
    assert sorted(p.name for p in folder.iterdir()) == ["net.vta", "x.npy", "y.npy"]


def test_run_json_holds_values_and_every_time(folder: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["run", str(folder / "net.vta"), "--input", f"x={folder / 'x.npy'}", "--repeat", "3"]
    assert main([*argv, "--json", "--device", "sim"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["device"]) == ("net", "Pynq-Z2")
    assert len(found["seconds"]) == 3 and min(found["seconds"]) <= found["median_s"]
    (output,) = found["outputs"]
    assert (output["name"], output["dtype"], output["shape"]) == ("y", "int8", [1, 16, 1, 8])
    assert output["values"] == DENSE.reference(X).tolist()


def test_run_several_inputs_and_outputs_in_npz_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pair(tmp_path / "pair.vta")
    other = -(X // 2)
    np.savez(tmp_path / "in.npz", x0=X, x1=other)
    argv = ["run", str(tmp_path / "pair.vta"), "--input", str(tmp_path / "in.npz")]
    assert main([*argv, "--output", str(tmp_path / "out.npz"), "--device", "sim"]) == 0
    capsys.readouterr()
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["y0"], DENSE.reference(X))
        np.testing.assert_array_equal(found["y1"], DENSE.reference(other))


def test_run_json_has_null_for_what_is_not_finite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    maker = Maker("root")
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.cpu("sqrt", "sqrt", ["x"], ["y"])
    maker.build().save(tmp_path / "root.vta")
    np.save(tmp_path / "x.npy", np.array([4, -1, np.inf, 0], np.float32))
    argv = ["run", str(tmp_path / "root.vta"), "--input", str(tmp_path / "x.npy"), "--json"]
    assert main([*argv, "--device", "sim"]) == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output["values"] == [2.0, None, None, 0.0]


def test_run_device_that_is_not_there_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["run", str(folder / "net.vta"), "--input", str(folder / "x.npy"), "--device", "mars"]
    assert main(argv) == 2
    assert "vta run: device: must be one of" in capsys.readouterr().err


def test_run_missing_input_is_refused_with_the_list(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert refused(capsys, folder / "net.vta") == (
        "vta run: inputs of model 'net': must be x (int8 of shape (1, 32, 1, 8)), but 'x' is "
        "missing; give each with --input NAME=FILE\n"
    )


def test_run_input_too_many_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    x = folder / "x.npy"
    text = refused(capsys, folder / "net.vta", "--input", x, "--input", x)
    assert "but none is '" in text


def test_run_input_that_is_no_array_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "bad.npy").write_bytes(b"not numbers")
    text = refused(capsys, folder / "net.vta", "--input", folder / "bad.npy")
    assert "must be a .npy or .npz file of numbers" in text


def test_run_input_of_another_shape_is_refused_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    np.save(folder / "x.npy", X[:, :16])
    out = folder / "y.npy"
    text = refused(capsys, folder / "net.vta", "--input", folder / "x.npy", "--output", out)
    assert "input 'x': array must be int8 of shape (1, 32, 1, 8)" in text
    assert not out.exists()


def test_run_output_suffix_that_cannot_hold_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pair(tmp_path / "pair.vta")
    np.savez(tmp_path / "in.npz", x0=X, x1=X)
    argv = (tmp_path / "pair.vta", "--input", tmp_path / "in.npz", "--output", tmp_path / "y.npy")
    text = refused(capsys, *argv)
    assert "--output: the file's suffix must be .npz (2 outputs), not '.npy'" in text


def test_run_output_folder_that_is_missing_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    out = folder / "none" / "y.npy"
    text = refused(capsys, folder / "net.vta", "--input", folder / "x.npy", "--output", out)
    assert "must exist; create it first" in text


def test_run_wrong_overlay_is_refused_naming_both(folder: Path, capsys: pytest.CaptureFixture[str]):
    argv = (folder / "net.vta", "--input", folder / "x.npy")
    text = refused(capsys, *argv, "--overlay", "4x8_i8w8a32_15_16_16_18")
    assert "4x8_i8w8a32_15_16_16_18" in text and "not 1x16_i8w8a32_15_15_18_17" in text


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--repeat", "0", "a whole number of at least 1"),
        ("--repeat", "many", "a whole number of at least 1"),
        ("--timeout", "nan", "a number of seconds above 0"),
        ("--timeout", "soon", "a number of seconds above 0"),
    ],
)
def test_run_option_that_is_no_number_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, rule: str
):
    assert main(["run", str(folder / "net.vta"), option, value]) == 2
    assert f"argument {option}: must be {rule}, not {value}" in capsys.readouterr().err
