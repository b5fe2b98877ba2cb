"""The notebooks are stored without results, and run top to bottom as they are delivered."""

from __future__ import annotations

import ast
import json
import re

import nbformat
import pytest

from scripts.notebooks import CELL_TIMEOUT_S, FOLDER, deliver, execute, pictures, stored, texts

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FAST = ("01_hello_accelerator", "02_matrix_multiply", "03_convolution")
"""Executed by `make test`; `make test-all` executes all."""

PICTURES = {
    "01_hello_accelerator": 3,
    "02_matrix_multiply": 4,
    "03_convolution": 4,
    "04_digits": 5,
    "05_quantise_your_model": 2,
    "06_resnet18": 3,
    "07_profile_and_trace": 2,
    "08_overlays_and_variants": 1,
    "09_remote_board": 0,
    "10_your_own_operator": 2,
}
SAYS = {
    # what only a run that went well prints
    "01_hello_accelerator": "all 1024 numbers are equal",
    "02_matrix_multiply": "matmul, 2 buffers: all 65,536 numbers equal numpy's",
    "03_convolution": "all 16,384 pixels equal numpy's",
    "04_digits": "accelerator, 8-bit integers: 98.89% of 540 images",
    "05_quantise_your_model": "98.52% of 540 images",
    "06_resnet18": "the same image again: the same scores, every bit",
    "07_profile_and_trace": "cycles from the first instruction to FINISH",
    "08_overlays_and_variants": "refused: kernel 'kernel': configuration must be",
    "09_remote_board": "every score equals those computed here, bit for bit",
    "10_your_own_operator": "all 3,920 numbers equal onnxruntime's",
}
ON_A_BOARD = {
    # of those that behave differently without compiler: what they say then
    "04_digits": "No compiler here",
    "05_quantise_your_model": "No compiler here",
    "06_resnet18": "No onnxruntime here",
    "08_overlays_and_variants": "No compiler here",
    "10_your_own_operator": "No compiler here",
}
NO_COMPILER = "import sys; sys.modules.update(onnx=None, onnxruntime=None)"
"""What a kernel runs first that is to find no compiler, as on a board."""

LIBRARIES = {
    "examples", "grpc", "host_compiler", "matplotlib", "numpy", "onnx", "onnxruntime", "pynq",
    "vta_pynq",
}  # fmt: skip
MOST_CELLS = 39
_NUMBERED = re.compile(r"\d\d_[a-z0-9_]+")
_NOISE = re.compile(r"\[IPKernelApp\]")


def _cells(path):
    return nbformat.read(path, as_version=4).cells


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stored_without_results(path):
    text = path.read_text(encoding="utf-8")
    assert stored(text) == text, "run scripts/notebooks.py strip"
    nbformat.validate(nbformat.reads(text, as_version=4))


def test_stored_takes_out_what_an_execution_leaves():
    path = NOTEBOOKS[0]
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata["widgets"] = {"state": {}}
    for number, cell in enumerate(notebook.cells):
        cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00"}
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text="left over")]
    executed = nbformat.writes(notebook)
    assert "left over" in executed and executed != text
    assert stored(executed) == text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_has_the_parts_that_every_one_has(path):
    cells = _cells(path)
    assert _NUMBERED.fullmatch(path.stem)
    assert len(cells) <= MOST_CELLS
    assert len({cell.id for cell in cells}) == len(cells)
    title = cells[0].source.splitlines()[0]
    assert title.startswith(f"# {int(path.stem[:2])} · ")
    assert "**You will see**" in cells[0].source
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "\n## Try next" in prose


def test_notebooks_are_numbered_without_gap():
    assert [int(path.stem[:2]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))
    stems = {path.stem for path in NOTEBOOKS}
    assert set(PICTURES) == set(SAYS) == stems and {*FAST, *ON_A_BOARD} <= stems


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_imports_only_what_is_delivered(path):
    trees = [ast.parse(cell.source) for cell in _cells(path) if cell.cell_type == "code"]
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    standard = {
        "collections", "dataclasses", "gzip", "json", "os", "pathlib", "subprocess", "sys",
        "tempfile", "time",
    }  # fmt: skip
    assert names <= LIBRARIES | standard


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_prose_names_files_that_are_there(path):
    prose = "\n".join(cell.source for cell in _cells(path) if cell.cell_type == "markdown")
    root = FOLDER.parent
    named = re.findall(r"`((?:docs|examples|overlays|scripts)/[\w./]+)`", prose)
    assert not [name for name in named if not (root / name).exists()]


def _run(stem, folder, prologue=""):
    deliver(folder)
    done = execute(folder / f"{stem}.ipynb", prologue)
    errors = [
        line
        for cell in done.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("name") == "stderr"
        for line in output.text.splitlines()
        if not _NOISE.search(line)
    ]
    assert not errors
    return done


def _marked(stem):
    return pytest.param(stem, marks=() if stem in FAST else pytest.mark.slow)


@pytest.mark.timeout(3 * CELL_TIMEOUT_S)
@pytest.mark.parametrize("stem", [_marked(stem) for stem in SAYS])
def test_notebook_runs_top_to_bottom(stem, tmp_path):
    done = _run(stem, tmp_path)
    assert SAYS[stem] in "\n".join(texts(done))
    assert len(pictures(done)) == PICTURES[stem]


@pytest.mark.slow
@pytest.mark.timeout(3 * CELL_TIMEOUT_S)
@pytest.mark.parametrize("stem", ON_A_BOARD)
def test_notebook_runs_without_a_compiler(stem, tmp_path):
    text = "\n".join(texts(_run(stem, tmp_path, NO_COMPILER)))
    assert ON_A_BOARD[stem] in text


def test_notebook_that_fails_is_noticed(tmp_path):
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("raise RuntimeError('on purpose')")]
    path = tmp_path / "fails.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(CellExecutionError, match="on purpose"):
        execute(path)
