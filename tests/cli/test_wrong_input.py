"""What a user may get wrong: one paragraph that says what to do, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.project.source_files import ROOT
from tests.runtime.programs import Dense, random_weights, vta_only
from vta_pynq.cli import main
from vta_pynq.overlay.descriptions import variants

DENSE = Dense(random_weights(np.random.default_rng(5), 16, 32))
CASE = ROOT / "tests" / "conformance" / "isa_gemm_loops"
NO_ZIP = (
    "program file {0}: file must be a zip file that ends with its directory, not cut off or "
    "something else; 'vta compile' writes program files"
)
READERS = ("info", "disasm", "lint", "run", "profile", "roofline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """A program, and files that are none."""
    path: pathlib.Path = tmp_path_factory.mktemp("wrong")
    vta_only(DENSE).save(path / "net.vta")
    whole = (path / "net.vta").read_bytes()
    (path / "cut.vta").write_bytes(whole[: len(whole) // 2])
    (path / "empty.vta").touch()
    np.save(path / "array.vta", np.zeros(9))
    (path / "array.vta.npy").rename(path / "array.vta")
    np.save(path / "x.npy", np.zeros(DENSE.x_shape(), np.int8))
    np.save(path / "flat.npy", np.zeros(3, np.int8))
    np.save(path / "real.npy", np.zeros(DENSE.x_shape(), np.float32))
    (path / "names.txt").write_text("one\ntwo\n", encoding="utf-8")
    return path


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """Calls `vta` in the folder; the message of its refusal, which leaves nothing behind."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VTA_DEVICE", "sim")

    def call(*words: str) -> str:
        before = sorted(folder.iterdir())
        assert main(list(words)) == 2
        found = capsys.readouterr()
        assert sorted(folder.iterdir()) == before
        name = words[0]
        assert found.err.startswith(f"vta {name}: ") and found.err.count("\n") == 1, found.err
        return found.err.removeprefix(f"vta {name}: ").rstrip("\n")

    return call


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("file", ["cut.vta", "empty.vta", "array.vta"])
def test_file_that_is_no_program_is_refused(command, file, refused):
    assert refused(command, file) == NO_ZIP.format(file)


@pytest.mark.parametrize("command", READERS)
def test_missing_program_is_refused(command, refused):
    assert refused(command, "none.vta") == (
        "program file none.vta: it must be readable: No such file or directory"
    )


WANTED = f"must be int8 of shape {DENSE.x_shape()}, not "


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "none.npy"), "none.npy: No such file or directory"),
        (("--input", "other=x.npy"), "but none is 'other'; give each with --input NAME=FILE"),
        (("--input", "flat.npy"), f"array {WANTED}int8 of shape (3,); convert it first"),
        (("--input", "real.npy"), f"array {WANTED}float32 of shape {DENSE.x_shape()}; convert"),
        (("--input", "x.npy", "--output", "none/y.npy"), "folder none must exist; create it"),
        (("--input", "x.npy", "--output", "y.txt"), "suffix must be .npy or .npz (1 outputs)"),
        (("--input", "x.npy", "--overlay", "none"), "run 'vta overlays list'"),
        (("--input", "x.npy", "--device", "none"), "must be one of board, sim, csim"),
        (("--input", "x.npy", "--labels", "names.txt"), "--labels: must come with --top; add"),
        (("--input", "x.npy", "--top", "1", "--labels", "names.txt"), "not 2"),
    ],
)
def test_run_with_wrong_words_is_refused(words, message, refused):
    assert message in refused("run", "net.vta", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("asm", "none.s", "-o", "out"), "none.s: No such file or directory"),
        (("asm", "array.vta", "-o", "out"), "array.vta: text must be UTF-8"),
        (("config", "1x16"), "configuration name must read BATCHxBLOCK_"),
        (("config", "none.json"), "file none.json must be readable: No such file or directory"),
        (("disasm", "net.vta", "--config", "1x16"), "--config must be given for raw instructions"),
        (("lint", "net.vta", "--profile", "none"), "profile must be one of functional, "),
        (("overlays", "info", "none.bit"), "none.bit: must be readable: No such file"),
        (("overlays", "fetch", "none"), "overlay 'none': must be one of pynq/"),
        (("overlays", "recommend", "net.vta", "--board", "none"), "board must be one of "),
        (("profile", "net.vta", "--layer", "none"), "layer must be a number in 1..1 or a name"),
        (("profile", "net.vta", "--trace", "none/t.json"), "folder none must exist; create it"),
        (("profile", "net.vta", "--timeline", "t.txt"), "suffix must be .png or .svg, not '.txt'"),
        (("replay",), "at least one CASE must be given; name a case folder, or a folder of"),
        (("replay", "net.vta"), "not a file; run program files with 'vta run'"),
        (("roofline", "net.vta", "-o", "none/r.png"), "folder none must exist; create it first"),
    ],
)
def test_other_wrong_words_are_refused(words, message, refused):
    assert message in refused(*words)


def test_asm_into_a_missing_folder_is_refused(refused, folder, capsys):
    assert main(["disasm", str(CASE)]) == 0
    source = folder.parent / "case.s"
    source.write_text(capsys.readouterr().out, encoding="utf-8")
    assert refused("asm", str(source), "-o", "none/out") == (
        "none/out: folder none must exist; create it first"
    )
    missing = f"{folder / 'none' / 'out.bin'}: No such file or directory"
    assert refused("asm", str(source), "-o", "none/out.bin") == missing


def test_overlays_list_json_has_every_variant(capsys):
    assert main(["overlays", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["overlays"]
    assert [entry["name"] for entry in found] == [variant.name for variant in variants()]
    assert {entry["state"] for entry in found} <= {"installed", "published", "simulator only"}


def test_interrupted_run_exits_130_and_says_nothing(folder):
    arguments = ["run", "net.vta", "--input", "x.npy", "--repeat", "100000000"]
    marker = folder / "running"
    # The shell's Ctrl-C reaches the whole foreground group; here the process alone is one.
    code = (
        "import pathlib, sys, vta_pynq.cli.run as r, vta_pynq.cli as cli\n"
        "inner = r._measure\n"
        "def measure(*a):\n"
        f"    pathlib.Path({str(marker)!r}).touch()\n"
        "    return inner(*a)\n"
        "r._measure = measure\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "VTA_DEVICE": "sim", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with process:
        while not marker.exists():
            assert process.poll() is None, process.stderr.read()
        marker.unlink()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
