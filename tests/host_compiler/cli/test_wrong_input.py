"""`vta quantize`, `compile` and `tune` with what a user may get wrong, and their JSON."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import onnx
import pytest

from tests.host_compiler.digits import quantised
from tests.project.source_files import ROOT
from vta_pynq.cli import main
from vta_pynq.program import Program

FLOAT = ROOT / "examples" / "digits" / "digits_residual.onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong")
    onnx.save(quantised("residual"), path / "int8.onnx")
    (path / "text.onnx").write_text("no model", encoding="utf-8")
    with np.load(ROOT / "examples" / "digits" / "calibration_images.npz") as file:
        images = file["images"].astype(np.float32) / 8 - 1
    np.savez(path / "data.npz", image=images)
    np.savez(path / "flat.npz", image=images[:, :, :4])
    # numpy opens program files as it opens .npz files, and finds no arrays in them.
    with zipfile.ZipFile(path / "net.vta", "w") as file:
        file.writestr("manifest.json", "{}")
    return path


SHAPED = ("--shape", "batch=1", "-o", "out.vta")
DATA = ("-o", "out.onnx", "--data")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compile", "none.onnx", *SHAPED), "model none.onnx: must be readable: No such file"),
        (("compile", "text.onnx", *SHAPED), "model text.onnx: must be an ONNX file, not trunc"),
        (("compile", "int8.onnx", "-o", "out.vta"), "give batch=1 or a shape for image (--shape)"),
        (("compile", "int8.onnx", *SHAPED, "--shape", "n=1"), "shape for 'n' must name an input"),
        (("compile", "int8.onnx", "--shape", "batch=1", "-o", "none/o.vta"), "folder must exist"),
        (("quantize", "int8.onnx", *DATA, "data.npz"), "add --requantize to quantise it again"),
        (("quantize", "text.onnx", *DATA, "data.npz"), "model text.onnx: must be an ONNX file"),
        (("quantize", str(FLOAT), *DATA, "none.npz"), "none.npz: must be readable: No such file"),
        (("quantize", str(FLOAT), *DATA, "text.onnx"), "text.onnx: must be .npz or .npy: "),
        (("quantize", str(FLOAT), *DATA, "net.vta"), "arrays only, not a file 'manifest.json'"),
        (("quantize", str(FLOAT), *DATA, "flat.npz"), "must have shape (samples, 1, 8, 8), not"),
        (("quantize", str(FLOAT), *DATA, "data.npz", "--labels", "y"), "an array named 'y', not"),
        (("tune",), "MODEL or --export must be given; name a quantised ONNX file"),
        (("tune", "int8.onnx", "--export", "none/x.json"), "folder of none/x.json must exist"),
    ],
)
def test_wrong_words_are_refused(words, message, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert main(list(words)) == 2
    found = capsys.readouterr().err
    assert found.startswith(f"vta {words[0]}: ") and found.count("\n") == 1
    assert message in found
    assert sorted(folder.iterdir()) == before


def test_compile_json_is_the_summary(folder, tmp_path, capsys):
    target = tmp_path / "net.vta"
    words = ["compile", str(folder / "int8.onnx"), "--shape", "batch=1", "-o", str(target)]
    assert main([*words, "--candidates", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    program = Program.load(target)
    assert found["output"] == str(target)
    assert found["instructions"] == len(program.words)
    assert found["cycles"] > 0
    assert found["submissions"] + found["processor_steps"] == len(program.steps)
    assert [layer["name"] for layer in found["layers"]] == [x.name for x in program.layers]
    assert main([*words, "--candidates", "1"]) == 0
    assert f"\n{found['cycles']} cycles on the accelerator" in capsys.readouterr().out


def test_quantize_json_is_the_report(folder, tmp_path, capsys):
    target = tmp_path / "int8.onnx"
    words = ["quantize", str(FLOAT), "--data", str(folder / "data.npz"), "-o", str(target)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["output"] == str(target) and target.is_file()
    assert found["accuracy_int8"] is None
    assert {"/7/Gemm", "/6/Flatten"} <= {layer["node"] for layer in found["layers"]}
    assert all(layer["sqnr_db"] > 10 for layer in found["layers"])
