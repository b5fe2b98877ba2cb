"""Images as inputs of `vta run`, the whole way through a program and by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.programs import Maker
from vta_pynq.cli import main
from vta_pynq.program import ArenaKind

PIL_Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (6, 4, 3), np.uint8)


def net(folder: Path, shape: tuple[int, ...], dtype: str = "float32") -> str:
    """A program that gives its input back, as the processor's square root of its square."""
    maker = Maker("root")
    maker.tensor("x", shape, ArenaKind.INPUT, dtype=dtype, layout="NCHW")
    maker.tensor("y", shape, ArenaKind.OUTPUT, dtype=dtype, layout="NCHW")
    maker.cpu("relu", "relu", ["x"], ["y"])
    maker.build().save(folder / "net.vta")
    return str(folder / "net.vta")


def ran(capsys: pytest.CaptureFixture[str], *argv: object) -> np.ndarray:
    assert main(["run", *map(str, argv), "--json", "--device", "sim"]) == 0
    return np.array(json.loads(capsys.readouterr().out)["outputs"][0]["values"])


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main(["run", *map(str, argv), "--device", "sim"]) == 2
    return capsys.readouterr().err


def test_image_of_the_inputs_size_becomes_channels_first_0_to_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    PIL_Image.fromarray(PIXELS).save(tmp_path / "x.png")
    y = ran(capsys, net(tmp_path, (1, 3, 6, 4)), "--input", tmp_path / "x.png")
    expected = (PIXELS.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    np.testing.assert_array_equal(y.astype(np.float32), expected)


def test_image_range_mean_and_std_are_applied_per_channel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    PIL_Image.fromarray(PIXELS).save(tmp_path / "x.png")
    y = ran(
        capsys, net(tmp_path, (1, 3, 6, 4)), "--input", f"x={tmp_path / 'x.png'}",
        "--range", "0,255", "--mean=-1,-2,-3", "--std", "2,4,8",
    )  # fmt: skip
    offsets = np.reshape([1, 2, 3], (3, 1, 1))
    expected = (PIXELS.transpose(2, 0, 1) + offsets) / np.reshape([2, 4, 8], (3, 1, 1))
    np.testing.assert_array_equal(y[0], expected)  # exact: halves, quarters, eighths


def test_image_is_cut_to_the_middle_and_made_grey(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 255
    PIL_Image.fromarray(wide).save(tmp_path / "x.png")
    y = ran(capsys, net(tmp_path, (1, 1, 4, 4)), "--input", tmp_path / "x.png")
    np.testing.assert_array_equal(y, np.ones((1, 1, 4, 4)))


def test_image_for_another_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    PIL_Image.fromarray(PIXELS).save(tmp_path / "x.png")
    text = refused(capsys, net(tmp_path, (1, 2, 6, 4)), "--input", tmp_path / "x.png")
    assert text == (
        "vta run: input 'x': shape must be (1, 1 or 3, height, width) for an image, not "
        "(1, 2, 6, 4); give a .npy file\n"
    )


def test_image_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.png").write_text("no image")
    text = refused(capsys, net(tmp_path, (1, 3, 6, 4)), "--input", tmp_path / "x.png")
    assert "must be an image: cannot identify image file" in text


def test_mean_of_another_number_of_channels_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    PIL_Image.fromarray(PIXELS).save(tmp_path / "x.png")
    argv = (net(tmp_path, (1, 3, 6, 4)), "--input", tmp_path / "x.png", "--mean", "1,2")
    text = refused(capsys, *argv)
    assert "--mean: there must be one number or one for each of 3 channels, not 2" in text


@pytest.mark.parametrize("option", [("--std", "0"), ("--range", "1,1"), ("--mean", "x")])
def test_image_options_that_mean_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
):
    assert main(["run", net(tmp_path, (1, 3, 6, 4)), *option]) == 2
    assert f"argument {option[0]}: must be" in capsys.readouterr().err


def test_top_prints_the_largest_with_their_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    np.save(tmp_path / "x.npy", np.array([[[[3.0, 7.5, 1.0]]]], np.float32))
    (tmp_path / "labels.txt").write_text("cat\ndog\nfox\n")
    argv = ["run", net(tmp_path, (1, 1, 1, 3)), "--input", str(tmp_path / "x.npy"), "--top", "2"]
    assert main([*argv, "--labels", str(tmp_path / "labels.txt"), "--device", "sim"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:3]] == [["7.5", "dog"], ["3", "cat"]]
