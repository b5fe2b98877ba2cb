#!/usr/bin/env python3
"""Keep the notebooks as they are stored: without results; execute them to look at the results.

    python scripts/notebooks.py strip [--check]      # take out outputs, counts, foreign metadata
    python scripts/notebooks.py execute [NAME …]     # into build/notebooks: pictures and texts
    python scripts/notebooks.py programs             # compile anew what boards get compiled

A stored notebook holds what its author wrote: executing it gives the rest.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
EXECUTED = ROOT / "build" / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_TIMEOUT_S = 120
SEED, TILE = 18, 16
BESIDE = ("examples",)
"""Folders of the source tree that setup.py puts beside the notebooks."""


def stored(text: str) -> str:
    """A notebook's text as it is to be stored; the same for whatever it was executed with."""
    notebook: Any = nbformat.reads(text, as_version=4)
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}
        cell.source = "\n".join(line.rstrip() for line in cell.source.splitlines())
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return json.dumps(_lines(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _lines(notebook: Any) -> dict[str, Any]:
    """Sources as lists of lines, so that differences can be read."""
    cells = [{**cell, "source": cell.source.splitlines(keepends=True)} for cell in notebook.cells]
    return {**notebook, "cells": cells, "nbformat": 4, "nbformat_minor": 5}


def deliver(folder: Path) -> None:
    """The notebooks and what lies beside them, as an installed package delivers them."""
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    shutil.copytree(FOLDER, folder, ignore=ignored, dirs_exist_ok=True)
    for name in BESIDE:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, dirs_exist_ok=True)


def execute(path: Path, prologue: str = "", device: str = "sim") -> Any:
    """Run a notebook in the folder where it lies, top to bottom, and return it with its results.

    `prologue` runs in its kernel before the first cell.

    Raises
    ------
    CellExecutionError
        A cell failed.
    """
    notebook: Any = nbformat.read(path, as_version=4)
    if prologue:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(prologue))
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    # Nothing of this process's tree: what the notebook imports is installed or lies beside it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return client.execute(env={**environment, "VTA_DEVICE": device})


def texts(notebook: Any) -> list[str]:
    """What the cells printed, warned and returned as text, one entry for each code cell."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)
            found.append("".join(parts))
    return found


def pictures(notebook: Any) -> list[bytes]:
    """The PNG pictures among the results, in order."""
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def _programs() -> int:
    """Write the programs that are delivered for boards, which have no compiler."""
    import numpy as np

    from examples import demo
    from examples.models.topologies import build
    from host_compiler.compile import compile_model
    from host_compiler.quantize import quantize_model

    folder = FOLDER / "programs"
    folder.mkdir(exist_ok=True)
    calibration, _ = demo.load_images("calibration_images")
    for name in ("digits_residual", "digits_depthwise"):
        source = demo.FOLDER / f"{name}.onnx"
        quantised = quantize_model(source, calibration, per_channel=True).model
        program = compile_model(quantised, shapes={"batch": 1}, name=name)
        program.save(folder / f"{name}.vta", compressed=True)
    images = np.random.default_rng(SEED).uniform(-1, 1, (2, 3, 224, 224)).astype(np.float32)
    quantised = quantize_model(_small_when_compressed(build("resnet18", None)), images).model
    compile_model(quantised, name="resnet18").save(folder / "resnet18.vta", compressed=True)
    return 0


def _small_when_compressed(model: Any) -> Any:
    """The model with one tile of weights in each layer, again and again.

    11 MB of random weights do not belong into a repository; the instructions are the same.
    """
    import numpy as np
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim >= 2:
            tile = array[(slice(TILE), slice(TILE), *[slice(1)] * (array.ndim - 2))]
            repeats = [-(-n // m) for n, m in zip(array.shape, tile.shape, strict=True)]
            whole = np.tile(tile, repeats)[tuple(slice(n) for n in array.shape)]
            tensor.CopyFrom(numpy_helper.from_array(whole, tensor.name))
    return model


def _strip(check: bool) -> int:
    changed = []
    for path in sorted(FOLDER.glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        if stored(text) != text:
            changed.append(path.name)
            if not check:
                path.write_text(stored(text), encoding="utf-8")
    print("changed:" if not check else "to be stripped:", ", ".join(changed) or "none")
    return 1 if check and changed else 0


def _execute(names: list[str], device: str) -> int:
    shutil.rmtree(EXECUTED, ignore_errors=True)
    deliver(EXECUTED)
    failed = 0
    for path in sorted(EXECUTED.glob("*.ipynb")):
        if names and path.stem not in names and path.stem[:2] not in names:
            continue
        begin = time.perf_counter()
        try:
            done = execute(path, device=device)
        except CellExecutionError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed = 1
            continue
        print(f"{path.name}: {time.perf_counter() - begin:.1f} s")
        nbformat.write(done, path)
        for number, picture in enumerate(pictures(done), 1):
            path.with_name(f"{path.stem}.{number}.png").write_bytes(picture)
        path.with_suffix(".txt").write_text("\n----\n".join(texts(done)), encoding="utf-8")
    return failed


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    strip = commands.add_parser("strip", help="bring all notebooks into the form that is stored")
    strip.add_argument("--check", action="store_true", help="change nothing; exit code 1 if needed")
    run = commands.add_parser("execute", help=f"run them in {EXECUTED.relative_to(ROOT)}")
    run.add_argument("names", nargs="*", help="names or numbers; default: all")
    run.add_argument("--device", default="sim", help="what VTA_DEVICE is; default: %(default)s")
    commands.add_parser("programs", help="compile the programs that are delivered for boards")
    args = parser.parse_args()
    if args.command == "strip":
        return _strip(args.check)
    if args.command == "programs":
        return _programs()
    return _execute(args.names, args.device)


if __name__ == "__main__":
    sys.exit(main())
