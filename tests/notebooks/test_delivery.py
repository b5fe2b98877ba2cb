"""`pynq get-notebooks` delivers the notebooks, from an installed package and from the source tree."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from scripts.notebooks import FOLDER, execute, texts
from tests.project.source_files import ROOT, project_files
from tests.project.test_packaging import run, sources

DEVICE = "Pynq-Z2"
PYNQ = pathlib.Path(sys.executable).with_name("pynq")
NOTEBOOKS = {path.name for path in FOLDER.glob("*.ipynb")}


def get_notebooks(into: pathlib.Path, package: pathlib.Path | None = None) -> pathlib.Path:
    """Run `pynq get-notebooks vta_pynq`, with a package that is installed in a folder of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if package is not None:
        environment["PYTHONPATH"] = str(package)
    # The device's name stands for a board; on a board it is found by itself.
    done = subprocess.run(
        [PYNQ, "get-notebooks", "vta_pynq", "-d", DEVICE, "-p", into],
        cwd=into.parent,
        env={**environment, "PATH": f"{PYNQ.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return into / "vta_pynq"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as pip installs it from a clone, in a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    tree = sources(tmp_path_factory.mktemp("clone") / "tree")
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation")
    run(*pip, "--target", target, tree, cwd=target)
    return target


def test_source_tree_delivers_every_notebook(tmp_path):
    delivered = get_notebooks(tmp_path / "out")
    assert {path.name for path in delivered.glob("*.ipynb")} == NOTEBOOKS
    assert not (delivered / "__init__.py").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_installed_package_delivers_every_notebook_with_what_it_reads(installed, tmp_path):
    delivered = get_notebooks(tmp_path / "out", installed)
    assert {path.name for path in delivered.glob("*.ipynb")} == NOTEBOOKS
    for path in project_files():
        place = path.relative_to(ROOT)
        if place.parts[0] == "notebooks":
            assert (delivered / place.relative_to("notebooks")).read_bytes() == path.read_bytes()
        elif place.parts[0] == "examples":
            assert (delivered / place).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_delivered_notebook_runs_on_the_installed_package(installed, tmp_path):
    delivered = get_notebooks(tmp_path / "out", installed)
    prologue = (
        f"import sys; sys.path.insert(1, {str(installed)!r})\n"
        "import examples, vta_pynq; print(examples.__file__, vta_pynq.__file__)"
    )
    done = execute(delivered / "04_digits.ipynb", prologue)
    where, *rest = texts(done)
    assert where.split() == [
        str(delivered / "examples/__init__.py"), str(installed / "vta_pynq/__init__.py")
    ]  # fmt: skip
    assert "accelerator, 8-bit integers: 98.89% of 540 images" in "\n".join(rest)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_overlay_entry_point_leads_to_the_overlays(installed):
    code = (
        "from pynqutils.setup_utils import ExtensionsManager\n"
        "found = ExtensionsManager('pynq.overlays')\n"
        "(entry,) = [e for e in found.list if e.name == 'vta_pynq']\n"
        "print(found.extension_path(entry.module_name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(installed)}, timeout=120,
    )  # fmt: skip
    path = done.stdout.splitlines()[-1]
    assert pathlib.Path(path) == installed / "vta_pynq/overlays"
    assert (pathlib.Path(path) / "pynq/0.0.2/1x16_i8w8a32_15_15_18_17.hwh").is_file()
